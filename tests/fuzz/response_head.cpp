// SPDX-License-Identifier: Apache-2.0
// Fuzzes parse_response_head() and parse_trailers(): what they keep is bounded by what came.
#include "grpc/response_head.hpp"

#include "fuzz/fields.hpp"
#include "grpc/status_codec.hpp"

#include <cstddef>
#include <cstdint>

using namespace nearcall;
using namespace nearcall::detail;
using namespace nearcall::detail::grpc;

namespace {

/// A status: its message and details, which are no longer than their fields, and metadata.
void check_status(const Status& status, const test::FuzzedFields& input) {
  CHECK(status.message().size() <= input.list_size() + 300, status.message().size());
  test::check_metadata(status.trailers());
}

}  // namespace

/// The input: an octet whose lowest bit is END_STREAM, and the fields.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const bool end_stream = (data[0] & 1) != 0;
  const test::FuzzedFields input(data + 1, size - 1);
  const test::MemoryMeter memory;

  const ResponseHead head = parse_response_head(input.fields(), end_stream, test::fuzzed_limits);
  const Status trailers = parse_trailers(input.fields(), test::fuzzed_limits);

  CHECK(memory.grown() <= 2 * (2 * input.list_size() + test::most_metadata_memory + 1024),
        memory.grown());
  CHECK(head.kind != ResponseHead::Kind::begun || head.status.ok());
  CHECK(head.kind != ResponseHead::Kind::refused || !head.status.ok());
  CHECK(head.kind != ResponseHead::Kind::interim || !end_stream);
  check_status(head.status, input);
  check_status(trailers, input);
  return 0;
}
