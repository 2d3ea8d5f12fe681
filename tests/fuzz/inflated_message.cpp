// SPDX-License-Identifier: Apache-2.0
// Fuzzes what inflates a peer's messages: bounded, the same whatever the room, and the way back.
#include "grpc/inflated_message.hpp"

#include "base/check.hpp"
#include "support/compressed_bytes.hpp"

#include <google/protobuf/wrappers.pb.h>

#include <cstddef>
#include <cstdint>
#include <string>

using namespace nearcall;
using namespace nearcall::detail;
using namespace nearcall::detail::grpc;

/// The input: an octet that chooses codec and limit, and what a peer calls a compressed message.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteSpan input(reinterpret_cast<const std::byte*>(data) + 1, size - 1);
  const Codec& codec = data[0] % 2 == 0 ? Codec::gzip() : Codec::deflate();
  const std::size_t limit = std::size_t{data[0]} * 100;

  InflatedMessage inflated(limit);
  const Status status = inflated.inflate(codec, input);
  CHECK(inflated.size() <= limit + 1, inflated.size(), limit);
  CHECK(inflated.capacity() <= limit + HeapBlock::large, inflated.capacity(), limit);
  CHECK((status.code() == StatusCode::resource_exhausted) == (inflated.size() > limit));
  if (status.ok()) {
    google::protobuf::StringValue text;
    static_cast<void>(inflated.parse(text));
  }

  test::StringOutput bytewise(1, limit + 1);
  const Result<void> again = codec.inflate(input, bytewise);
  CHECK(bytewise.text.size() == inflated.size(), bytewise.text.size(), inflated.size());
  if (inflated.size() <= limit) CHECK(again.ok() == status.ok());

  const std::string small = test::compressed(codec, as_text(input));
  test::StringOutput back(37);
  CHECK(codec.inflate(as_bytes(small), back).ok());
  CHECK(back.text == as_text(input));
  return 0;
}
