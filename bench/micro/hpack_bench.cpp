// SPDX-License-Identifier: Apache-2.0
// HPACK alone: a head that comes again as it was, and one that is new each time.
#include "base/check.hpp"
#include "http2/hpack/decoder.hpp"
#include "http2/hpack/encoder.hpp"

#include <benchmark/benchmark.h>

#include <array>
#include <string>
#include <vector>

namespace nearcall::inline v0::detail::http2 {
namespace {

constexpr std::array<HeaderField, 7> head = {{{":method", "POST"},
                                              {":scheme", "http"},
                                              {":path", "/greet.Greeter/SayHello"},
                                              {":authority", "localhost"},
                                              {"te", "trailers"},
                                              {"content-type", "application/grpc"},
                                              {"user-agent", "nearcall/0.1"}}};

/// Metadata that differs from call to call, more of it than any cache of heads holds.
class Variants {
 public:
  static constexpr std::size_t count = 256;

  Variants() {
    for (std::size_t i = 0; i < count; ++i) {
      timeouts_.push_back(std::to_string(100'000 + i) + "u");
      traces_.push_back("00-4bf92f3577b34da6a3ce929d0e0e" + std::to_string(1000 + i) + "-01");
    }
  }
  std::array<HeaderField, 2> fields(std::size_t i) const {
    return {{{"grpc-timeout", timeouts_[i % count], Indexing::without},
             {"traceparent", traces_[i % count], Indexing::without}}};
  }

 private:
  std::vector<std::string> timeouts_;
  std::vector<std::string> traces_;
};

void encode_repeated_head(benchmark::State& state) {
  HpackEncoder encoder;
  EncodedBlock cache;
  std::vector<std::byte> block;
  for ([[maybe_unused]] auto round : state) {
    block.clear();
    encoder.encode(head, cache, block);
    benchmark::DoNotOptimize(block.data());
  }
  state.counters["bytes"] = static_cast<double>(block.size());
}
BENCHMARK(encode_repeated_head);

void encode_head_with_new_metadata(benchmark::State& state) {
  const Variants variants;
  HpackEncoder encoder;
  EncodedBlock cache;
  std::vector<std::byte> block;
  std::size_t i = 0;
  for ([[maybe_unused]] auto round : state) {
    block.clear();
    encoder.encode(head, cache, block);
    encoder.encode(variants.fields(i++), block);
    benchmark::DoNotOptimize(block.data());
  }
  state.counters["bytes"] = static_cast<double>(block.size());
}
BENCHMARK(encode_head_with_new_metadata);

void decode(HpackDecoder& decoder, ByteSpan block, HeaderList& list, std::size_t fields) {
  const bool is_good = decoder.decode(block, list).ok();
  CHECK(is_good && list.size() == fields);
}

void decode_repeated_head(benchmark::State& state) {
  HpackEncoder encoder;
  HpackDecoder decoder;
  HeaderList list;
  std::vector<std::byte> block;
  for (int i = 0; i < 2; ++i) {  // the second time, all of it is in the tables
    block.clear();
    encoder.encode(head, block);
    decode(decoder, block, list, head.size());
  }
  for ([[maybe_unused]] auto round : state) {
    decode(decoder, block, list, head.size());
  }
}
BENCHMARK(decode_repeated_head);

void decode_head_with_new_metadata(benchmark::State& state) {
  const Variants variants;
  HpackEncoder encoder;
  HpackDecoder decoder;
  HeaderList list;
  std::vector<std::vector<std::byte>> blocks(Variants::count);
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    encoder.encode(head, blocks[i]);
    encoder.encode(variants.fields(i), blocks[i]);
    decode(decoder, blocks[i], list, head.size() + 2);
  }
  std::size_t i = 1;  // the first one fills the table
  for ([[maybe_unused]] auto round : state) {
    decode(decoder, blocks[i], list, head.size() + 2);
    i = i + 1 < blocks.size() ? i + 1 : 1;
  }
}
BENCHMARK(decode_head_with_new_metadata);

}  // namespace
}  // namespace nearcall::inline v0::detail::http2
