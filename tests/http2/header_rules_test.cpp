// SPDX-License-Identifier: Apache-2.0
// Header rules: each rule once, and that what is remembered of a list's head changes no verdict.
#include "http2/header_rules.hpp"

#include "http2/hpack/decoder.hpp"
#include "http2/hpack/encoder.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace nearcall::inline v0::detail::http2 {
namespace {

using Fields = std::vector<HeaderField>;

/// Lists as they come off the wire: those that repeat begin with a remembered head.
class HeaderRulesTest : public testing::Test {
 protected:
  /// "" when the list is well-formed.
  std::string fault(const Fields& fields, HeaderKind kind) {
    std::vector<std::byte> block;
    encoder_.encode(fields, block);
    EXPECT_TRUE(decoder_.decode(block, list_));
    const Result<HeaderFacts, Violation> checked = rules_.check(list_, kind);
    if (checked) {
      facts_ = *checked;
      return "";
    }
    EXPECT_FALSE(checked.error().is_connection_error());
    EXPECT_EQ(checked.error().code, ErrorCode::protocol_error);
    return std::string(checked.error().what);
  }
  static Fields request(const Fields& more = {}) {
    Fields fields = {{":method", "POST"}, {":scheme", "http"}, {":path", "/a.B/C"}};
    fields.insert(fields.end(), more.begin(), more.end());
    return fields;
  }

  HpackEncoder encoder_;
  HpackDecoder decoder_;
  HeaderList list_;
  HeaderRules rules_;
  HeaderFacts facts_;
};

TEST_F(HeaderRulesTest, AllowsEachCharacterOfATokenInNamesAndNoOther) {
  for (int c = 0; c < 256; ++c) {
    const std::string name = {'a', static_cast<char>(c)};
    const bool is_allowed = c > 0x20 && c < 0x7f && c != ':' && !(c >= 'A' && c <= 'Z');
    const Fields fields = {{name, "x", Indexing::without}};
    EXPECT_EQ(fault(fields, HeaderKind::trailers).empty(), is_allowed) << c;
  }
  EXPECT_NE(fault({{"", "x", Indexing::without}}, HeaderKind::trailers), "");
}

TEST_F(HeaderRulesTest, AllowsEachByteInValuesButNulCrAndLf) {
  for (int c = 0; c < 256; ++c) {
    const std::string value = {'a', static_cast<char>(c), 'b'};
    const bool is_allowed = c != '\0' && c != '\r' && c != '\n';
    const Fields in_field = {{"x", value, Indexing::without}};
    EXPECT_EQ(fault(in_field, HeaderKind::trailers).empty(), is_allowed) << c;
    const Fields in_path = {
        {":method", "GET"}, {":scheme", "http"}, {":path", value, Indexing::without}};
    EXPECT_EQ(fault(in_path, HeaderKind::request).empty(), is_allowed) << c;
  }
}

TEST_F(HeaderRulesTest, AllowsValuesThatBeginOrEndWithASpace) {
  EXPECT_EQ(fault({{"grpc-message", " padded "}, {"x", ""}}, HeaderKind::trailers), "");
}

TEST_F(HeaderRulesTest, RefusesWhatSpeaksOfAnHttp1Connection) {
  for (const std::string_view name :
       {"connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade"}) {
    EXPECT_EQ(fault(request({{name, "x"}}), HeaderKind::request),
              "a connection-specific header field");
  }
  EXPECT_EQ(fault(request({{"te", "trailers"}}), HeaderKind::request), "");
  EXPECT_EQ(fault(request({{"te", "gzip"}}), HeaderKind::request), "te is not \"trailers\"");
}

TEST_F(HeaderRulesTest, WantsMethodSchemeAndPathOnceEach) {
  const Fields whole = request();
  EXPECT_EQ(fault(whole, HeaderKind::request), "");
  for (std::size_t i = 0; i < whole.size(); ++i) {
    Fields less = whole;
    less.erase(less.begin() + static_cast<std::ptrdiff_t>(i));
    EXPECT_EQ(fault(less, HeaderKind::request), "a request without :method, :scheme or :path");
    Fields more = whole;
    more.push_back(whole[i]);
    EXPECT_EQ(fault(more, HeaderKind::request), "a pseudo-header field twice");
    EXPECT_EQ(fault({whole[i]}, HeaderKind::trailers), "a pseudo-header field in trailers");
    EXPECT_EQ(fault({whole[i]}, HeaderKind::response), "an unknown pseudo-header field");
  }
}

TEST_F(HeaderRulesTest, TakesAnyAuthority) {
  EXPECT_EQ(fault(request(), HeaderKind::request), "");
  for (const std::string_view authority : {"localhost", "", "/tmp/a.sock", "%2Ftmp%2Fa.sock"}) {
    EXPECT_EQ(fault(request({{":authority", authority}}), HeaderKind::request), "");
  }
}

TEST_F(HeaderRulesTest, KnowsConnect) {
  EXPECT_EQ(fault({{":method", "CONNECT"}, {":authority", "a"}}, HeaderKind::request), "");
  EXPECT_EQ(fault({{":method", "CONNECT"}, {":path", "/"}}, HeaderKind::request),
            "CONNECT with a :path");
}

TEST_F(HeaderRulesTest, ReadsTheStatus) {
  for (const std::string_view status : {"100", "200", "404", "999"}) {
    EXPECT_EQ(fault({{":status", status}}, HeaderKind::response), "");
    EXPECT_EQ(std::to_string(facts_.status), status);
    EXPECT_EQ(facts_.is_informational(), status == "100");
  }
  for (const std::string_view status : {"", "0", "99", "099", "1000", "2 0", "+20", "20\xb2"}) {
    EXPECT_EQ(fault({{":status", status}}, HeaderKind::response), "an invalid :status") << status;
  }
  EXPECT_EQ(fault({{":status", "101"}}, HeaderKind::response), ":status 101");
  EXPECT_EQ(fault({{"x", "y"}}, HeaderKind::response), "a response without :status");
}

TEST_F(HeaderRulesTest, ReadsContentLength) {
  EXPECT_EQ(fault(request(), HeaderKind::request), "");
  EXPECT_EQ(facts_.content_length, HeaderFacts::no_length);
  for (const std::string_view length : {"0", "007", "999999999999999999"}) {
    EXPECT_EQ(fault(request({{"content-length", length}}), HeaderKind::request), "");
    EXPECT_EQ(facts_.content_length, std::stoull(std::string(length)));
  }
  for (const std::string_view length :
       {"", "-1", "+1", "1 ", " 1", "0x1", "1,1", "9999999999999999999", "18446744073709551615"}) {
    EXPECT_EQ(fault(request({{"content-length", length}}), HeaderKind::request),
              "an invalid content-length")
        << length;
  }
  const HeaderField five{"content-length", "5"};
  EXPECT_EQ(fault(request({five, five}), HeaderKind::request), "");
  EXPECT_NE(fault(request({five, {"content-length", "6"}}), HeaderKind::request), "");
}

TEST_F(HeaderRulesTest, RemembersAHeadWithoutLosingWhatItMeans) {
  const Fields head = request({{"content-length", "5"}});
  const auto with = [&](const HeaderField& last) {
    Fields fields = head;
    fields.push_back({last.name, last.value, Indexing::without});
    return fields;
  };
  bool was_remembered = false;
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(fault(with({"x", "y"}), HeaderKind::request), "");
    EXPECT_EQ(facts_.content_length, 5U);
    was_remembered |= list_.head_token() != 0;
    EXPECT_NE(fault(with({"X", "y"}), HeaderKind::request), "");
    EXPECT_EQ(fault(with({":authority", "a"}), HeaderKind::request),
              "a pseudo-header field behind a regular one");
    EXPECT_EQ(fault(with({"content-length", "6"}), HeaderKind::request),
              "an invalid content-length");
    EXPECT_EQ(fault(with({"x", "y"}), HeaderKind::trailers), "a pseudo-header field in trailers");
    EXPECT_EQ(fault(with({"x", "y"}), HeaderKind::response), "an unknown pseudo-header field");
    if (i == 5) rules_.trim();
  }
  EXPECT_TRUE(was_remembered) << "else this tests nothing";
}

TEST_F(HeaderRulesTest, RefusesARememberedHeadThatIsMalformedEachTime) {
  const Fields bad = {{":method", "POST"}, {"connection", "close"}, {":path", "/"}};
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(fault(bad, HeaderKind::request), "a connection-specific header field");
  }
}

}  // namespace
}  // namespace nearcall::inline v0::detail::http2
