// SPDX-License-Identifier: Apache-2.0
// What a peer sent, in texts for people: it cannot steer their terminals, nor be of any length.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace nearcall::inline v0::detail {

/// `text` with control characters (also those of U+0080 to U+009F), characters that are not seen or
/// turn the order of others (U+202E), and bytes that are no UTF-8 written as "\x1b", byte by byte.
/// What would be longer than `most` bytes is cut, and ends in "...".
std::string escaped(std::string_view text, std::size_t most = std::string_view::npos);

/// `what "value"`, with the value escaped, each '"' and '\' too, and at most 128 bytes of that: the
/// message goes back to the peer in a header, where a byte may take three, and must not break a
/// limit there.
std::string quote(std::string_view what, std::string_view value);

}  // namespace nearcall::inline v0::detail
