// SPDX-License-Identifier: Apache-2.0
// gRPC's message framing alone: messages out of the bytes that one read brings, and into them.
#include "base/check.hpp"
#include "grpc/message_assembler.hpp"

#include <benchmark/benchmark.h>

#include <cstring>
#include <vector>

namespace nearcall::inline v0::detail::grpc {
namespace {

constexpr std::size_t message_count = 1000;

std::vector<std::byte> framed_messages(std::size_t size) {
  std::vector<std::byte> bytes(message_count * (message_prefix_size + size));
  for (std::size_t i = 0; i < message_count; ++i) {
    write_prefix(bytes.data() + i * (message_prefix_size + size), uncompressed_flag,
                 static_cast<std::uint32_t>(size));
  }
  return bytes;
}

/// Takes all messages of `bytes`, which come in fragments of `fragment` bytes.
std::size_t take_all(MessageAssembler& assembler, ByteSpan bytes, std::size_t fragment) {
  std::size_t taken = 0;
  while (!bytes.empty()) {
    ByteSpan input = bytes.first(std::min(fragment, bytes.size()));
    bytes = bytes.subspan(input.size());
    while (assembler.next(input).kind == MessageAssembler::Kind::message) {
      ++taken;
    }
  }
  return taken;
}

/// Arguments: the size of a message, that of a fragment.
void take_messages(benchmark::State& state) {
  const auto bytes = framed_messages(static_cast<std::size_t>(state.range(0)));
  MessageAssembler assembler(std::size_t{4} << 20U);
  for ([[maybe_unused]] auto round : state) {
    const std::size_t taken = take_all(assembler, bytes, static_cast<std::size_t>(state.range(1)));
    CHECK(taken == message_count);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(message_count));
}
BENCHMARK(take_messages)->Args({64, 65'536})->Args({64, 1000})->Args({4096, 65'536});

void write_messages(benchmark::State& state) {
  const std::vector<std::byte> message(static_cast<std::size_t>(state.range(0)));
  std::vector<std::byte> out(message_prefix_size + message.size());
  for ([[maybe_unused]] auto round : state) {
    write_prefix(out.data(), uncompressed_flag, static_cast<std::uint32_t>(message.size()));
    std::memcpy(out.data() + message_prefix_size, message.data(), message.size());
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(write_messages)->Arg(64);

}  // namespace
}  // namespace nearcall::inline v0::detail::grpc
