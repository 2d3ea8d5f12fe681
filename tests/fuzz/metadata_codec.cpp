// SPDX-License-Identifier: Apache-2.0
// Fuzzes parse_metadata(): what it gives keeps the limits, and survives a way through a peer.
#include "grpc/metadata_codec.hpp"

#include "fuzz/fields.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

using namespace nearcall;
using namespace nearcall::detail;
using namespace nearcall::detail::grpc;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const test::FuzzedFields input(data, size);
  const test::MemoryMeter memory;

  const Result<Metadata> metadata = parse_metadata(input.fields(), test::fuzzed_limits);

  CHECK(memory.grown() <= test::most_metadata_memory, memory.grown());
  if (!metadata.ok()) {
    CHECK(metadata.error().message().size() <= 300, metadata.error().message().size());
    return 0;
  }
  test::check_metadata(*metadata);
  HeaderBlock block;
  append_metadata(block, *metadata);
  std::vector<HeaderView> again(block.fields().begin(), block.fields().end());
  const Result<Metadata> second = parse_metadata(again, test::fuzzed_limits);
  CHECK(second.ok() && *second == *metadata);
  return 0;
}
