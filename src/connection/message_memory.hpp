// SPDX-License-Identifier: Apache-2.0
// How much memory a parsed message takes.
#pragma once

#include <google/protobuf/message_lite.h>

#include <cstddef>

namespace nearcall::inline v0::detail {

/// What came in fewer bytes is not looked at, which would take long beside all else of its call.
inline constexpr std::size_t small_message = 256;
/// What such a message is taken to hold at most.
inline constexpr std::size_t most_of_small_message = 16 * small_message;

/// What a byte becomes in messages of the smallest fields, where nobody looks: two are a field that
/// takes 48.
inline constexpr std::size_t most_memory_of_byte = 24;

/// About how much memory `message` holds, which was parsed from `size` bytes: two of them may
/// become an entry of a repeated field, or an unknown one. Of a small one that is a guess, and of
/// one for the lite runtime, which cannot say it.
std::size_t memory_of(const google::protobuf::MessageLite& message, std::size_t size);

/// Gives back what `message` holds, and keeps to be used again. Not of the lite runtime's.
void free_memory_of(google::protobuf::MessageLite& message);

/// `memory` bytes of a message were freed by this thread. glibc puts small blocks aside, and merges
/// them when it next gives or gets a large one: for hundreds of messages at once that takes tens of
/// milliseconds. So it is made to do that after every 256 KiB.
void note_freed_memory(std::size_t memory) noexcept;

}  // namespace nearcall::inline v0::detail
