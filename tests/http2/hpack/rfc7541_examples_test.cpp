// SPDX-License-Identifier: Apache-2.0
// The examples of RFC 7541 appendix C, decoded and encoded_example.
#include "hex.hpp"
#include "http2/hpack/decoder.hpp"
#include "http2/hpack/encoder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nearcall::inline v0::detail::http2 {
namespace {

using testing::ElementsAreArray;
using ExampleFields = std::vector<HeaderView>;

/// One header list of a sequence: its block, what it says, and the table's size afterwards.
struct Example {
  std::string_view block;
  ExampleFields fields;
  std::uint32_t entry_count;
  std::uint32_t table_size;
};

void expect_decoded(HpackDecoder& decoder, const std::vector<Example>& examples) {
  HeaderList list;
  for (const Example& example : examples) {
    const Bytes block = from_hex(example.block);
    ASSERT_TRUE(decoder.decode(block, list)) << example.block;
    EXPECT_THAT(list.fields(), ElementsAreArray(example.fields));
    EXPECT_EQ(decoder.table().entry_count(), example.entry_count);
    EXPECT_EQ(decoder.table().size(), example.table_size);
  }
}

std::string encoded_example(HpackEncoder& encoder, const ExampleFields& fields) {
  Bytes block;
  encoder.encode(fields, Indexing::incremental, block);
  return to_hex(block);
}

std::string compact(std::string_view digits) {
  return to_hex(from_hex(digits));
}

const ExampleFields first_request = {
    {":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {":authority", "www.example.com"}};
const ExampleFields second_request = {{":method", "GET"},
                                      {":scheme", "http"},
                                      {":path", "/"},
                                      {":authority", "www.example.com"},
                                      {"cache-control", "no-cache"}};
const ExampleFields third_request = {{":method", "GET"},
                                     {":scheme", "https"},
                                     {":path", "/index.html"},
                                     {":authority", "www.example.com"},
                                     {"custom-key", "custom-value"}};
const ExampleFields first_response = {{":status", "302"},
                                      {"cache-control", "private"},
                                      {"date", "Mon, 21 Oct 2013 20:13:21 GMT"},
                                      {"location", "https://www.example.com"}};
const ExampleFields second_response = {{":status", "307"},
                                       {"cache-control", "private"},
                                       {"date", "Mon, 21 Oct 2013 20:13:21 GMT"},
                                       {"location", "https://www.example.com"}};
const ExampleFields third_response = {
    {":status", "200"},
    {"cache-control", "private"},
    {"date", "Mon, 21 Oct 2013 20:13:22 GMT"},
    {"location", "https://www.example.com"},
    {"content-encoding", "gzip"},
    {"set-cookie", "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"}};

TEST(Rfc7541Examples, C2HeaderFieldRepresentations) {
  const std::vector<Example> each = {
      {"400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572",
       {{"custom-key", "custom-header"}},
       1,
       55},
      {"040c 2f73 616d 706c 652f 7061 7468", {{":path", "/sample/path"}}, 0, 0},
      {"1008 7061 7373 776f 7264 0673 6563 7265 74", {{"password", "secret"}}, 0, 0},
      {"82", {{":method", "GET"}}, 0, 0}};
  for (const Example& example : each) {
    HpackDecoder decoder;
    expect_decoded(decoder, {example});
  }
}

TEST(Rfc7541Examples, C3RequestsWithoutHuffmanCoding) {
  HpackDecoder decoder;
  expect_decoded(decoder,
                 {{"8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d", first_request, 1, 57},
                  {"8286 84be 5808 6e6f 2d63 6163 6865", second_request, 2, 110},
                  {"8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
                   third_request, 3, 164}});
}

TEST(Rfc7541Examples, C4RequestsWithHuffmanCoding) {
  const std::vector<Example> examples = {
      {"8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", first_request, 1, 57},
      {"8286 84be 5886 a8eb 1064 9cbf", second_request, 2, 110},
      {"8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf", third_request, 3, 164}};
  HpackDecoder decoder;
  expect_decoded(decoder, examples);

  HpackEncoder encoder;
  for (const Example& example : examples) {
    EXPECT_EQ(encoded_example(encoder, example.fields), compact(example.block));
  }
}

// The examples' peers agreed on a table of 256 bytes; here a size update (3f e1 01) says so.

TEST(Rfc7541Examples, C5ResponsesWithoutHuffmanCoding) {
  HpackDecoder decoder;
  expect_decoded(decoder,
                 {{"3fe1 01"
                   "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133"
                   "2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70"
                   "6c65 2e63 6f6d",
                   first_response, 4, 222},
                  {"4803 3330 37c1 c0bf", second_response, 4, 222},
                  {"88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d"
                   "54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049"
                   "5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e"
                   "3d31",
                   third_response, 3, 215}});
}

TEST(Rfc7541Examples, C6ResponsesWithHuffmanCoding) {
  const std::vector<Example> examples = {
      {"3fe1 01"
       "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6"
       "2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
       first_response, 4, 222},
      {"4883 640e ffc1 c0bf", second_response, 4, 222},
      {"88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab"
       "77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f"
       "9587 3160 65c0 03ed 4ee5 b106 3d50 07",
       third_response, 3, 215}};
  HpackDecoder decoder;
  expect_decoded(decoder, examples);

  HpackEncoder encoder;
  encoder.set_peer_max_table_size(256);
  EXPECT_EQ(encoded_example(encoder, first_response), compact(examples[0].block));
  // "307" is as long either way; we write it plainly, as C.5.2 does.
  EXPECT_EQ(encoded_example(encoder, second_response), compact("4803 3330 37c1 c0bf"));
  EXPECT_EQ(encoded_example(encoder, third_response), compact(examples[2].block));
}

}  // namespace
}  // namespace nearcall::inline v0::detail::http2
