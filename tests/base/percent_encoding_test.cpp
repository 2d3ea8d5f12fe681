// SPDX-License-Identifier: Apache-2.0
// What is escaped, in grpc-message and in paths, and that nothing is ever an error.
#include "base/percent_encoding.hpp"

#include <gtest/gtest.h>

#include <string>

namespace nearcall::inline v0::detail {
namespace {

std::string percent_encoded(std::string_view text) {
  std::string out(percent_encoded_size(text), '?');
  EXPECT_EQ(percent_encode(text, out.data()), out.data() + out.size());
  return out;
}

TEST(PercentEncoding, LeavesPrintableAsciiAlone) {
  const std::string printable = " !\"#$&'()*+,-./09:;<=>?@AZ[\\]^_`az{|}~";

  EXPECT_EQ(percent_encoded_size(printable), printable.size());
  EXPECT_EQ(percent_encoded(printable), printable);
}

TEST(PercentEncoding, EscapesPercentAndEverythingElseInUpperCase) {
  EXPECT_EQ(percent_encoded("100%"), "100%25");
  EXPECT_EQ(percent_encoded("a\nb\x7f"), "a%0Ab%7F");
  EXPECT_EQ(percent_encoded("\xc3\xbc"), "%C3%BC");
  EXPECT_EQ(percent_encoded(std::string_view("\0", 1)), "%00");
  EXPECT_EQ(percent_encoded(""), "");
}

TEST(PercentEncoding, OfAPathLeavesOnlyWhatUrisHaveThere) {
  const std::string plain = "AZaz09-._~!$&'()*+,;=:@/";

  EXPECT_EQ(percent_encode_path(plain), plain);
  EXPECT_EQ(percent_encode_path("a b?#[%]\"\\^`{|}<>"),
            "a%20b%3F%23%5B%25%5D%22%5C%5E%60%7B%7C%7D%3C%3E");
  EXPECT_EQ(percent_encode_path(std::string_view("\0\x7f\xff", 3)), "%00%7F%FF");
  EXPECT_EQ(percent_encode_path(""), "");
}

TEST(PercentEncoding, ReadsEscapesOfEitherCase) {
  EXPECT_EQ(percent_decode("%C3%bc %41"), "\xc3\xbc A");
  EXPECT_EQ(percent_decode("plain"), "plain");
  EXPECT_EQ(percent_decode(""), "");
}

TEST(PercentEncoding, KeepsWhatIsNoEscape) {
  for (const char* text : {"100%", "%", "%4", "%zz", "%4z", "%z4", "% 1", "a%", "%%", "%-1", "%+1",
                           "%0x", "\xc3\xbc raw", "%\xff\xff"}) {
    EXPECT_EQ(percent_decode(text), text) << text;
  }
  EXPECT_EQ(percent_decode("%%41"), "%A");
  EXPECT_EQ(percent_decode("%4%41"), "%4A");
}

TEST(PercentEncoding, EveryByteComesBack) {
  std::string all;
  for (int c = 0; c < 256; ++c) {
    all += static_cast<char>(c);
  }

  EXPECT_EQ(percent_decode(percent_encoded(all)), all);
  EXPECT_EQ(percent_decode(percent_encode_path(all)), all);
}

TEST(PercentEncoding, DecodesEveryPrefixOfAnEncodedTextWithoutFailing) {
  const std::string text = percent_encoded("\xc3\xbc%\n");
  for (std::size_t size = 0; size <= text.size(); ++size) {
    EXPECT_LE(percent_decode(std::string_view(text).substr(0, size)).size(), size);
  }
}

}  // namespace
}  // namespace nearcall::inline v0::detail
