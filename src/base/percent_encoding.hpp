// SPDX-License-Identifier: Apache-2.0
// %XX for bytes that a text may not hold: of grpc-message, and of targets.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace nearcall::inline v0::detail {

/// For grpc-message: how long `text` is with every byte outside 0x20 to 0x7e, and '%', written as
/// %XX. Equal to text.size() when nothing needs an escape.
std::size_t percent_encoded_size(std::string_view text) noexcept;

/// Writes that form to `to` and returns its end.
/// REQUIRES: room for percent_encoded_size(text) characters.
char* percent_encode(std::string_view text, char* to) noexcept;

/// `text` as the path of a URI (RFC 3986, section 3.3): so a target is written. Letters, digits and
/// -._~!$&'()*+,;=:@/ stay as they are.
std::string percent_encode_path(std::string_view text);

/// The bytes that `text` stands for. Never fails: what is no escape stays as it is ("100%", "%zz"):
/// a damaged message is better than none, and gRPC reads targets so, too.
std::string percent_decode(std::string_view text);

}  // namespace nearcall::inline v0::detail
