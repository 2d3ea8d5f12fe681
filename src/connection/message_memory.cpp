// SPDX-License-Identifier: Apache-2.0
// The memory of messages: asked of large ones, assumed of small ones.
#include "connection/message_memory.hpp"

#include <google/protobuf/message.h>

#include <algorithm>

namespace nearcall::inline v0::detail {
namespace {

/// To look through a message costs about as much as to parse it.
constexpr std::size_t small_message = 1024;
/// What a byte of fields of two bytes becomes, whose entries are small.
constexpr std::size_t memory_of_byte = 32;

}  // namespace

std::size_t memory_of(const google::protobuf::MessageLite& message, std::size_t size) {
  if (size >= small_message) {
    // Those that are made for the lite runtime cannot say it.
    if (const auto* const whole = dynamic_cast<const google::protobuf::Message*>(&message))
      return std::max(size, whole->SpaceUsedLong());
  }
  return size * memory_of_byte;
}

}  // namespace nearcall::inline v0::detail
