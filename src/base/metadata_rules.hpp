// SPDX-License-Identifier: Apache-2.0
// What may stand in Metadata, whoever puts it there: an application or a peer.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace nearcall::inline v0::detail {

/// What gRFC A6 lets both sides' applications see and say of retries, although its name is gRPC's.
inline bool is_retry_key(std::string_view key) noexcept {
  return key == "grpc-retry-pushback-ms" || key == "grpc-previous-rpc-attempts";
}

/// Whether `key` (in lower case) belongs to the protocol: applications neither set nor see it.
inline bool is_reserved_key(std::string_view key) noexcept {
  static constexpr std::array<std::string_view, 11> names = {
      "te",         "content-type",   "user-agent",       "host",
      "connection", "keep-alive",     "proxy-connection", "transfer-encoding",
      "upgrade",    "content-length", "http2-settings"};
  if (key.starts_with("grpc-")) return !is_retry_key(key);
  return std::ranges::find(names, key) != names.end();
}

/// Whether the values of `key` are arbitrary bytes, base64 on the wire.
inline bool is_binary_key(std::string_view key) noexcept {
  return key.ends_with("-bin");
}

/// What is wrong with an entry of Metadata, said of its key; empty when nothing is.
inline std::string_view metadata_fault(std::string_view key, std::string_view value) noexcept {
  const auto is_key_character = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
  };
  const auto is_printable = [](char c) { return c >= 0x20 && c <= 0x7e; };
  if (key.empty()) return "is empty";
  if (!std::ranges::all_of(key, is_key_character)) {
    return "has a character outside 0-9 a-z _ - .";
  }
  if (is_reserved_key(key)) return "is reserved for the protocol";
  if (!is_binary_key(key) && !std::ranges::all_of(value, is_printable)) {
    return "value is not printable ASCII (a key ending in -bin takes bytes)";
  }
  return {};
}

}  // namespace nearcall::inline v0::detail
