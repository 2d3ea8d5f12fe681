// SPDX-License-Identifier: Apache-2.0
// Base64 as -bin headers use it: sent without padding, taken with and without (RFC 4648 section 4).
#pragma once

#include "base/bytes.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace nearcall::inline v0::detail::grpc {

/// How many characters `size` bytes become.
constexpr std::size_t base64_encoded_size(std::size_t size) noexcept {
  return size / 3 * 4 + (size % 3 == 0 ? 0 : size % 3 + 1);
}

/// Writes the encoded form, without padding, to `to` and returns its end.
/// REQUIRES: room for base64_encoded_size(bytes.size()) characters.
char* base64_encode(ByteSpan bytes, char* to) noexcept;

/// The bytes of `text`, or nothing when it is not base64: a foreign character, a length that cannot
/// be, padding that is misplaced or incomplete. Spare bits of the last character are ignored, as
/// other implementations do.
std::optional<std::string> base64_decode(std::string_view text);

}  // namespace nearcall::inline v0::detail::grpc
