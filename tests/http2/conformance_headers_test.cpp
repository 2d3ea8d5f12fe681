// SPDX-License-Identifier: Apache-2.0
// Conformance of both roles with RFC 9113 section 8 and RFC 7541, as the wire shows it.
#include "http2/common.hpp"
#include "http2/conformance.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace nearcall::inline v0::detail::http2 {
namespace {

using namespace test::frames;
using test::expect_conformance;
using test::request;
using Fields = std::vector<HeaderField>;
using Rows = std::vector<test::Conformance>;

using test::end_both;

std::string plain_block(const Fields& fields) {
  std::string bytes;
  for (const HeaderField& field : fields) {
    bytes += block({field});
  }
  return bytes;
}
std::string request_of(const Fields& fields, std::uint8_t flags = end_both) {
  return headers(1, plain_block(fields), flags);
}
/// The usual request with one more field behind it.
std::string request_with(const HeaderField& field, std::uint8_t flags = end_both) {
  return headers(1, request_block() + block({field}), flags);
}
std::string trailers_of(const Fields& fields) {
  return request(1) + data(1, "x") + headers(1, plain_block(fields), end_both);
}
std::string response_of(const Fields& fields, std::uint8_t flags = flag::end_headers) {
  return headers(1, plain_block(fields), flags);
}

TEST(Conformance, Section81Messages) {
  expect_conformance(
      Role::server,
      Rows{
          {"8.1", "a request with trailers", trailers_of({{"a", "b"}}), "nothing"},
          {"8.1", "trailers without END_STREAM", request(1) + headers(1, trailers_block()),
           "stream 1 PROTOCOL_ERROR"},
          {"8.1", "trailers behind trailers",
           trailers_of({{"a", "b"}}) + headers(1, trailers_block(), end_both),
           "stream 1 STREAM_CLOSED"},
          {"8.1.1", "content-length that fits",
           request_with({"content-length", "3"}, flag::end_headers) + data(1, "ab") +
               data(1, "c", flag::end_stream),
           "nothing"},
          {"8.1.1", "content-length and padding",
           request_with({"content-length", "1"}, flag::end_headers) +
               padded_data(1, "x", 100, flag::end_stream),
           "nothing"},
          {"8.1.1", "content-length above one DATA",
           request_with({"content-length", "2"}, flag::end_headers) +
               data(1, "x", flag::end_stream),
           "stream 1 PROTOCOL_ERROR"},
          {"8.1.1", "content-length below one DATA",
           request_with({"content-length", "1"}, flag::end_headers) +
               data(1, "test", flag::end_stream),
           "stream 1 PROTOCOL_ERROR"},
          {"8.1.1", "content-length below the sum of DATA",
           request_with({"content-length", "1"}, flag::end_headers) + data(1, "x") +
               data(1, "x", flag::end_stream),
           "stream 1 PROTOCOL_ERROR"},
          {"8.1.1", "content-length without DATA", request_with({"content-length", "1"}),
           "stream 1 PROTOCOL_ERROR"},
          {"8.1.1", "content-length 0 without DATA", request_with({"content-length", "0"}),
           "nothing"},
          {"8.1.1", "content-length and trailers too early",
           request_with({"content-length", "1"}, flag::end_headers) +
               headers(1, trailers_block(), end_both),
           "stream 1 PROTOCOL_ERROR"},
          {"8.1.1", "content-length that is none", request_with({"content-length", "-1"}),
           "stream 1 PROTOCOL_ERROR"},
          {"8.1.1", "content-length of 2^64",
           request_with({"content-length", "18446744073709551616"}), "stream 1 PROTOCOL_ERROR"},
          {"8.1.1", "two that differ",
           headers(1, request_block() + block({{"content-length", "0"}, {"content-length", "1"}}),
                   end_both),
           "stream 1 PROTOCOL_ERROR"},
      });
}

TEST(Conformance, Section82Fields) {
  Rows rows;
  const auto refused = [&](std::string_view section, std::string_view what, HeaderField field) {
    rows.push_back({section, what, request_with(field), "stream 1 PROTOCOL_ERROR"});
    rows.push_back({section, what, trailers_of({field}), "stream 1 PROTOCOL_ERROR"});
  };
  refused("8.2.1", "upper case", {"X-Test", "ok"});
  refused("8.2.1", "an empty name", {"", "ok"});
  refused("8.2.1", "a space in a name", {"x test", "ok"});
  refused("8.2.1", "a colon in a name", {"x:test", "ok"});
  refused("8.2.1", "DEL in a name", {"x\x7f", "ok"});
  refused("8.2.1", "a name beyond ASCII", {"x\xc3\xa4", "ok"});
  refused("8.2.1", "NUL in a value", {"x", std::string_view("a\0b", 3)});
  refused("8.2.1", "CR in a value", {"x", "a\rb"});
  refused("8.2.1", "LF in a value", {"x", "a\nb"});
  for (const std::string_view name :
       {"connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade"}) {
    refused("8.2.2", name, {name, "x"});
  }
  refused("8.2.2", "te", {"te", "trailers, deflate;q=0.5"});
  rows.push_back({"8.2.2", "te: trailers", request_with({"te", "trailers"}), "nothing"});
  rows.push_back({"8.2.3", "cookies in crumbs",
                  headers(1, request_block() + block({{"cookie", "a=b"}, {"cookie", "c=d"}})),
                  "nothing"});
  expect_conformance(Role::server, rows);
}

TEST(Conformance, Section83RequestPseudoHeaders) {
  const HeaderField method{":method", "POST"};
  const HeaderField scheme{":scheme", "http"};
  const HeaderField path{":path", "/"};
  const HeaderField authority{":authority", "a"};
  const HeaderField regular{"x", "y"};
  const std::string_view refused = "stream 1 PROTOCOL_ERROR";
  expect_conformance(
      Role::server,
      Rows{
          {"8.3", "in any order", request_of({authority, path, scheme, method}), "nothing"},
          {"8.3", "an unknown one", request_of({method, scheme, path, {":test", "ok"}}), refused},
          {"8.3", "one of responses", request_of({method, scheme, path, {":status", "200"}}),
           refused},
          {"8.3", "in trailers", trailers_of({{":method", "POST"}}), refused},
          {"8.3", ":status in trailers", trailers_of({{":status", "200"}}), refused},
          {"8.3", "behind a regular field", request_of({method, scheme, regular, path}), refused},
          {"8.3", "upper case", request_of({method, scheme, {":Path", "/"}}), refused},
          {"8.3.1", "an empty :path", request_of({method, scheme, {":path", ""}}), refused},
          {"8.3.1", "no :method", request_of({scheme, path}), refused},
          {"8.3.1", "no :scheme", request_of({method, path}), refused},
          {"8.3.1", "no :path", request_of({method, scheme}), refused},
          {"8.3.1", ":method twice", request_of({method, method, scheme, path}), refused},
          {"8.3.1", ":scheme twice", request_of({method, scheme, scheme, path}), refused},
          {"8.3.1", ":path twice", request_of({method, scheme, path, path}), refused},
          {"8.3.1", ":authority twice", request_of({method, scheme, path, authority, authority}),
           refused},
          {"8.3.1", "no :authority", request_of({method, scheme, path}), "nothing"},
          {"8.5", "CONNECT", request_of({{":method", "CONNECT"}, authority}), "nothing"},
          {"8.5", "CONNECT with a :path",
           request_of({{":method", "CONNECT"}, authority, path, scheme}), refused},
      });
}

TEST(Conformance, Section83ResponsePseudoHeaders) {
  const HeaderField status{":status", "200"};
  const auto open = &test::with_open_request;
  const std::string_view refused = "stream 1 PROTOCOL_ERROR";
  const std::string response = response_of({status});
  expect_conformance(
      Role::client,
      Rows{
          {"8.1", "a response and its trailers",
           response + data(1, "x") + headers(1, trailers_block(), end_both), "nothing", open},
          {"8.1", "a response alone", response_of({status}, end_both), "nothing", open},
          {"8.1", "DATA first", data(1, "x"), refused, open},
          {"8.1", "HEADERS without END_STREAM behind a response", response + response, refused,
           open},
          {"8.1", "1xx before the response",
           response_of({{":status", "100"}}) + response_of({{":status", "103"}}) + response,
           "nothing", open},
          {"8.1", "1xx with END_STREAM", response_of({{":status", "100"}}, end_both), refused,
           open},
          {"8.1", "1xx behind the response", response + response_of({{":status", "100"}}), refused,
           open},
          {"8.1", "DATA behind 1xx", response_of({{":status", "100"}}) + data(1, "x"), refused,
           open},
          {"8.3", "one of requests", response_of({status, {":path", "/"}}), refused, open},
          {"8.3", "an unknown one", response_of({status, {":test", "x"}}), refused, open},
          {"8.3", "behind a regular field", response_of({{"x", "y"}, status}), refused, open},
          {"8.3", "in trailers", response + headers(1, plain_block({status}), end_both), refused,
           open},
          {"8.3.2", "no :status", response_of({{"x", "y"}}), refused, open},
          {"8.3.2", "an empty block", headers(1, ""), refused, open},
          {"8.3.2", ":status twice", response_of({status, status}), refused, open},
          {"8.3.2", ":status of two digits", response_of({{":status", "20"}}), refused, open},
          {"8.3.2", ":status of four digits", response_of({{":status", "2000"}}), refused, open},
          {"8.3.2", ":status below 100", response_of({{":status", "099"}}), refused, open},
          {"8.3.2", ":status of letters", response_of({{":status", "2xx"}}), refused, open},
          {"8.6", ":status 101", response_of({{":status", "101"}}), refused, open},
          {"8.2.1", "upper case", response_of({status, {"X", "y"}}), refused, open},
          {"8.2.2", "connection", response_of({status, {"connection", "close"}}), refused, open},
          {"8.1.1", "content-length above the DATA",
           response_of({status, {"content-length", "5"}}) + data(1, "1234", flag::end_stream),
           refused, open},
          {"8.1.1", "content-length below the DATA",
           response_of({status, {"content-length", "3"}}) + data(1, "1234", flag::end_stream),
           refused, open},
          {"8.1.1", "content-length of a 304",
           response_of({{":status", "304"}, {"content-length", "5"}}, end_both), "nothing", open},
      });
}

// ---- RFC 7541 -----------------------------------------------------------------------------------

/// The request's fields and then these bytes.
std::string request_and(std::string_view bytes) {
  return headers(1, request_block() + std::string(bytes));
}
/// These bytes and then the request's fields.
std::string request_behind(std::string_view bytes) {
  return headers(1, std::string(bytes) + request_block());
}

TEST(Conformance, HpackBlocks) {
  using namespace std::string_literals;
  const std::string_view broken = "connection COMPRESSION_ERROR";
  const std::string insertion = "\x40\x01x\x01y"s;  // x: y, to be remembered
  const std::string four_gib = "\xff\xff\xff\xff\x0f"s;
  Rows rows = {
      {"2.3.3", "index beyond both tables", request_and("\xbe"), broken},
      {"2.3.3", "index beyond both tables, as a name", request_and("\x7f\x00\x01y"s), broken},
      {"2.3.3", "the last of the static table", request_and("\xbd"), "nothing"},
      {"2.3.3", "the first of the dynamic table", request_and(insertion + "\xbe"), "nothing"},
      {"2.3.3", "the second, where there is one", request_and(insertion + "\xbf"), broken},
      {"4.2", "an update at the end", request_and("\x20"), broken},
      {"4.2", "an update in the middle", headers(1, "\x83\x20" + request_block()), broken},
      {"4.2", "one at the start", request_behind("\x20"), "nothing"},
      {"4.2", "two at the start", request_behind("\x20\x3f\xe1\x1f"), "nothing"},
      {"4.2", "three at the start", request_behind("\x20\x20\x20"), broken},
      {"6.3", "an update to 4096", request_behind("\x3f\xe1\x1f"), "nothing"},
      {"6.3", "an update to 4097", request_behind("\x3f\xe2\x1f"), broken},
      {"6.3", "an update to 2^32", request_behind("\x3f" + four_gib), broken},
      {"4.3", "what an update to 0 evicts",
       request_and(insertion) + headers(3, "\x20\xbe" + request_block()), broken},
      {"6.1", "index 0", request_and("\x80"), broken},
      {"5.1", "an integer cut off", request_and("\xff"), broken},
      {"5.1", "an integer cut off in the middle", request_and("\xff\x80\x80"), broken},
      {"5.1", "an integer of 6 bytes", request_and("\xff\x80\x80\x80\x80\x00"s), broken},
      {"5.1", "an integer above 2^32", request_and("\xff\xff\xff\xff\xff\xff\x7f"), broken},
      {"5.2", "a string longer than the block", request_and("\x00\x05x"s), broken},
      {"5.2", "a string of 4 GiB", request_and("\x00\x7f" + four_gib), broken},
      {"5.2", "no value", request_and("\x00\x01x"s), broken},
      {"5.2", "a Huffman string", request_and("\x00\x01x\x83\x1c\x64\x9f"s), broken},
      {"5.2", "Huffman padding of ones", request_and("\x00\x01x\x81\x1f"s), "nothing"},
      {"5.2", "Huffman padding of zeros", request_and("\x00\x01x\x81\x18"s), broken},
      {"5.2", "Huffman padding of 8 bits and more", request_and("\x00\x01x\x82\x1f\xff"s), broken},
      {"5.2", "EOS", request_and("\x00\x01x\x84\xff\xff\xff\xff"s), broken},
      {"5.2", "EOS behind a symbol", request_and("\x00\x01x\x85\x1f\xff\xff\xff\xff"s), broken},
      {"6.2.1", "with indexing, name by index", request_and("\x44\x01/"),
       "stream 1 PROTOCOL_ERROR"},
      {"6.2.1", "with indexing, new name", request_and(insertion), "nothing"},
      {"6.2.2", "without indexing, name by index", request_and("\x0f\x04\x01y"), "nothing"},
      {"6.2.2", "without indexing, new name", request_and("\x00\x01x\x01y"s), "nothing"},
      {"6.2.3", "never indexed, name by index", request_and("\x1f\x04\x01y"), "nothing"},
      {"6.2.3", "never indexed, new name", request_and("\x10\x01x\x01y"), "nothing"},
  };
  rows.erase(
      std::ranges::find_if(rows, [](const auto& row) { return row.what == "a Huffman string"; }));
  expect_conformance(Role::server, rows);
}

TEST(Conformance, HpackAtAClient) {
  const std::string_view broken = "connection COMPRESSION_ERROR";
  const auto open = &test::with_open_request;
  expect_conformance(Role::client,
                     Rows{
                         {"6.1", "index 0", headers(1, "\x80"), broken, open},
                         {"2.3.3", "index beyond both", headers(1, "\xbe"), broken, open},
                         {"4.2", "an update at the end", headers(1, "\x88\x20"), broken, open},
                         {"6.3", "an update to 4097", headers(1, "\x3f\xe2\x1f\x88"), broken, open},
                         {"6.3", "an update to 0", headers(1, "\x20\x88"), "nothing", open},
                     });
}

/// Section 4.2 of RFC 7541, the other way: what SETTINGS_HEADER_TABLE_SIZE makes us write.
TEST(Conformance, HpackFollowsThePeersTableSize) {
  const auto first_bytes = [](std::initializer_list<Setting> changes, std::size_t count) {
    test::Answering peer;
    for (const Setting& change : changes) {
      peer.says(settings({change}));
    }
    peer.hears();
    peer.session().send_headers(peer.stream(1), test::ok_trailers(), {}, /*end_stream=*/true);
    return peer.hears().at(0).payload.substr(0, count);
  };
  const auto size = [](std::uint32_t value) {
    return Setting{SettingId::header_table_size, value};
  };
  EXPECT_EQ(first_bytes({size(0)}, 1), "\x20");
  EXPECT_EQ(first_bytes({size(100)}, 2), "\x3f\x45");
  EXPECT_EQ(first_bytes({size(0), size(100)}, 3), "\x20\x3f\x45") << "least, then last";
  EXPECT_EQ(first_bytes({size(100), size(0), size(4096)}, 4), "\x20\x3f\xe1\x1f");
  EXPECT_NE(first_bytes({size(0xffff'ffff)}, 1)[0] & '\xe0', '\x20') << "we stay at 4096";
}

}  // namespace
}  // namespace nearcall::inline v0::detail::http2
