// SPDX-License-Identifier: Apache-2.0
// How much memory a parsed message takes.
#pragma once

#include <google/protobuf/message_lite.h>

#include <cstddef>

namespace nearcall::inline v0::detail {

/// About how much memory `message` holds, which was parsed from `size` bytes: two of them may
/// become an entry of a repeated field, or an unknown one.
std::size_t memory_of(const google::protobuf::MessageLite& message, std::size_t size);

}  // namespace nearcall::inline v0::detail
