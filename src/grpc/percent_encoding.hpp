// SPDX-License-Identifier: Apache-2.0
// The escapes of grpc-message: %XX for what is not printable ASCII.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace nearcall::inline v0::detail::grpc {

/// How long `text` is with every byte outside 0x20 to 0x7e, and '%', written as %XX. Equal to
/// text.size() when nothing needs an escape.
std::size_t percent_encoded_size(std::string_view text) noexcept;

/// Writes the escaped form to `to` and returns its end.
/// REQUIRES: room for percent_encoded_size(text) characters.
char* percent_encode(std::string_view text, char* to) noexcept;

/// The bytes that `text` stands for. Never fails: what is no escape stays as it is ("100%", "%zz"),
/// because a damaged message is better than none.
std::string percent_decode(std::string_view text);

}  // namespace nearcall::inline v0::detail::grpc
