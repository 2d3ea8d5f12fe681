// SPDX-License-Identifier: Apache-2.0
// Settings: what the peer allows us, and how SETTINGS frames are read (RFC 9113 section 6.5).
#pragma once

#include "base/bytes.hpp"
#include "http2/protocol.hpp"
#include "http2/violation.hpp"

#include <nearcall/result.hpp>

#include <cstddef>
#include <cstdint>

namespace nearcall::inline v0::detail::http2 {

/// One entry of a SETTINGS frame.
struct Setting {
  SettingId id{};
  std::uint32_t value = 0;

  friend bool operator==(const Setting&, const Setting&) = default;
};

/// REQUIRES: payload_size::setting bytes.
inline Setting load_setting(const std::byte* from) noexcept {
  return {static_cast<SettingId>(load_be16(from)), load_be32(from + 2)};
}
inline void store_setting(std::byte* to, Setting setting) noexcept {
  store_be16(to, static_cast<std::uint16_t>(setting.id));
  store_be32(to + 2, setting.value);
}

/// What the peer's SETTINGS say, and what holds where they say nothing.
struct PeerSettings {
  std::uint32_t header_table_size = default_setting::header_table_size;
  std::uint32_t max_concurrent_streams = 0xffff'ffff;
  std::uint32_t initial_window_size = default_setting::initial_window_size;
  std::uint32_t max_frame_size = default_setting::max_frame_size;
  std::uint32_t max_header_list_size = 0xffff'ffff;

  /// Whether the setting is one that we know, after its value was checked and taken.
  Result<bool, Violation> apply(Setting setting, bool we_are_client) noexcept;
};

}  // namespace nearcall::inline v0::detail::http2
