// SPDX-License-Identifier: Apache-2.0
// Once warm, neither encoding nor decoding allocates; every allocation of this program is counted.
#include "hex.hpp"
#include "http2/hpack/decoder.hpp"
#include "http2/hpack/encoder.hpp"
#include "support/allocation_count.hpp"

#include <gtest/gtest.h>

#include <array>

namespace nearcall::inline v0::detail::http2 {
namespace {

using test::allocation_count;

TEST(HpackAllocation, NothingBeforeTheFirstBlock) {
  const std::size_t before = allocation_count;

  const HpackDecoder decoder;
  const HpackEncoder encoder;
  const HeaderList list;

  EXPECT_EQ(allocation_count, before);
}

TEST(HpackAllocation, NoneForRequestsThatRepeat) {
  const std::array<HeaderField, 7> stable = {{{":method", "POST"},
                                              {":scheme", "http"},
                                              {":path", "/greet.Greeter/SayHello"},
                                              {":authority", "localhost"},
                                              {"te", "trailers"},
                                              {"content-type", "application/grpc"},
                                              {"user-agent", "nearcall/0.1.0"}}};
  const std::array<HeaderView, 2> varying = {{{"grpc-timeout", "100m"}, {"request-id", "4711"}}};
  HpackEncoder encoder;
  HpackDecoder decoder;
  EncodedBlock cache;
  HeaderList list;
  Bytes block;
  std::size_t before = 0;
  for (int i = 0; i < 100; ++i) {
    if (i == 10) before = allocation_count;
    block.clear();
    encoder.encode(stable, cache, block);
    encoder.encode(varying, Indexing::without, block);
    if (!decoder.decode(block, list)) FAIL();
  }

  EXPECT_EQ(allocation_count, before);
  EXPECT_EQ(list.size(), 9U);
}

TEST(HpackAllocation, NoneOnceTheTableIsAsLargeAsItGets) {
  HpackEncoder encoder;
  HpackDecoder decoder;
  HeaderList list;
  Bytes block;
  std::array<char, 20> value{};
  std::size_t before = 0;
  for (std::size_t i = 0; i < 10'000; ++i) {  // each goes into the table and evicts another
    if (i == 2'000) before = allocation_count;
    value[i % value.size()] = static_cast<char>('a' + i % 26);
    const HeaderView field{"trace", {value.data(), value.size()}};
    block.clear();
    encoder.encode(std::span(&field, 1), Indexing::incremental, block);
    if (!decoder.decode(block, list)) FAIL();
  }

  EXPECT_EQ(allocation_count, before);
}

}  // namespace
}  // namespace nearcall::inline v0::detail::http2
