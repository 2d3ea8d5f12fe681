// SPDX-License-Identifier: Apache-2.0
// Quotes what a peer sent in the message of a Status, at a bounded length.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace nearcall::inline v0::detail::grpc {

/// `what "value"`, with a long value cut short: the message goes back to the peer in a header,
/// where a byte may take three, and must not break a limit there.
inline std::string quote(std::string_view what, std::string_view value) {
  constexpr std::size_t most = 128;
  std::string text(what);
  text.append(" \"").append(value.substr(0, most)).append(value.size() > most ? "...\"" : "\"");
  return text;
}

}  // namespace nearcall::inline v0::detail::grpc
