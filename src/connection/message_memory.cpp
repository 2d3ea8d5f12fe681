// SPDX-License-Identifier: Apache-2.0
// The memory of messages: measured, or assumed of small ones.
#include "connection/message_memory.hpp"

#include <google/protobuf/message.h>

#include <algorithm>
#include <memory>

namespace nearcall::inline v0::detail {
namespace {

using google::protobuf::Message;

/// What a byte becomes in small messages.
constexpr std::size_t memory_of_small_byte = 16;
/// What a byte becomes in messages of some numbers and texts.
constexpr std::size_t memory_of_lite_byte = 4;

}  // namespace

std::size_t memory_of(const google::protobuf::MessageLite& message, std::size_t size) {
  if (size < small_message) return size * memory_of_small_byte;
  const auto* const whole = dynamic_cast<const Message*>(&message);
  return whole == nullptr ? size * memory_of_lite_byte : std::max(size, whole->SpaceUsedLong());
}

void free_memory_of(google::protobuf::MessageLite& message) {
  auto* const whole = dynamic_cast<Message*>(&message);
  if (whole == nullptr) return;
  const std::unique_ptr<Message> fresh(whole->New());
  whole->GetReflection()->Swap(whole, fresh.get());
}

}  // namespace nearcall::inline v0::detail
