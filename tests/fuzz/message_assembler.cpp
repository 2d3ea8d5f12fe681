// SPDX-License-Identifier: Apache-2.0
// Fuzzes MessageAssembler: the messages must be those of a plain reading, however the bytes are
// cut.
#include "grpc/message_assembler.hpp"

#include "base/check.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

using namespace nearcall;
using namespace nearcall::detail;
using namespace nearcall::detail::grpc;

namespace {

constexpr std::size_t max_message = 300;

/// What there is to read, without any state; `failed` where a prefix is not acceptable.
std::vector<std::string> plainly(ByteSpan input, bool& failed) {
  std::vector<std::string> messages;
  while (input.size() >= message_prefix_size) {
    const std::size_t length = load_be32(input.data() + 1);
    if (input[0] != uncompressed_flag || length > max_message) {
      failed = true;
      return messages;
    }
    if (length > input.size() - message_prefix_size) return messages;
    messages.emplace_back(as_text(input.subspan(message_prefix_size, length)));
    input = input.subspan(message_prefix_size + length);
  }
  return messages;
}

}  // namespace

/// The input: an octet that decides how the rest is cut, and the body of a call.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  ByteSpan input(reinterpret_cast<const std::byte*>(data) + 1, size - 1);
  bool should_fail = false;
  const std::vector<std::string> expected = plainly(input, should_fail);
  std::mt19937 random(data[0]);
  MessageAssembler assembler(max_message);
  std::vector<std::string> messages;
  const auto take_all = [&](ByteSpan fragment) {
    for (;;) {
      const MessageAssembler::Step step = assembler.next(fragment);
      if (step.kind != MessageAssembler::Kind::message) return;
      messages.emplace_back(as_text(step.message));
    }
  };
  while (!input.empty() && assembler.error().ok()) {
    const MutableByteSpan tail = assembler.free_tail();
    CHECK(tail.size() <= assembler.missing());
    CHECK(assembler.capacity() <= 4 * max_message + 4096, assembler.capacity());
    std::size_t count = std::min<std::size_t>(random() % 40 + 1, input.size());
    if (!tail.empty() && random() % 2 == 0) {
      count = std::min(count, tail.size());
      std::memcpy(tail.data(), input.data(), count);
      assembler.advance(count);
      take_all({});
    } else {
      const std::vector<std::byte> piece(input.begin(),
                                         input.begin() + static_cast<std::ptrdiff_t>(count));
      take_all(piece);
    }
    input = input.subspan(count);
  }
  CHECK(messages == expected, messages.size(), expected.size());
  CHECK(assembler.error().ok() == !should_fail);
  return 0;
}
