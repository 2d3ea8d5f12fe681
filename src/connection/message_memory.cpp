// SPDX-License-Identifier: Apache-2.0
// The memory of messages: measured, or assumed of small ones.
#include "connection/message_memory.hpp"

#include <nearcall/generic_message.hpp>

#include <google/protobuf/message.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>

namespace nearcall::inline v0::detail {
namespace {

using google::protobuf::Message;

/// What a byte becomes in small messages.
constexpr std::size_t memory_of_small_byte = most_of_small_message / small_message;
/// What a byte becomes in messages of some numbers and texts.
constexpr std::size_t memory_of_lite_byte = 4;

}  // namespace

std::size_t memory_of(const google::protobuf::MessageLite& message, std::size_t size) {
  if (size < small_message) return size * memory_of_small_byte;
  const auto* const whole = dynamic_cast<const Message*>(&message);
  if (whole != nullptr) return std::max(size, whole->SpaceUsedLong());
  const bool is_as_it_came = dynamic_cast<const GenericMessage*>(&message) != nullptr;
  return is_as_it_came ? size : size * memory_of_lite_byte;
}

void free_memory_of(google::protobuf::MessageLite& message) {
  if (auto* const bytes = dynamic_cast<GenericMessage*>(&message))
    std::string().swap(bytes->bytes());
  auto* const whole = dynamic_cast<Message*>(&message);
  if (whole == nullptr) return;
  const std::unique_ptr<Message> fresh(whole->New());
  whole->GetReflection()->Swap(whole, fresh.get());
}

void note_freed_memory(std::size_t memory) noexcept {
  constexpr std::size_t most_put_aside = std::size_t{256} * 1024;
  constexpr std::size_t large = std::size_t{64} * 1024;  // FASTBIN_CONSOLIDATION_THRESHOLD
  thread_local std::size_t put_aside = 0;
  put_aside += memory;
  if (put_aside < most_put_aside) return;
  put_aside = 0;
  void* volatile block = std::malloc(large);  // volatile: or neither call is left
  std::free(block);
}

}  // namespace nearcall::inline v0::detail
