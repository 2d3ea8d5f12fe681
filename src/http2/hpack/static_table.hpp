// SPDX-License-Identifier: Apache-2.0
// The static table (RFC 7541 appendix A), by index and by name.
#pragma once

#include "http2/hpack/header_field.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace nearcall::inline v0::detail::http2 {

/// Indices 1 to 61 are the static table's; the dynamic table's begin after them.
inline constexpr std::uint32_t static_table_size = 61;

/// REQUIRES: 1 <= index <= static_table_size.
const HeaderView& static_table_entry(std::uint32_t index) noexcept;

/// Where an encoder finds a field in a table; index 0 where it does not.
struct TableMatch {
  std::uint32_t index = 0;
  /// The value is the same too, not only the name.
  bool is_exact = false;
};
TableMatch find_in_static_table(std::string_view name, std::string_view value) noexcept;

}  // namespace nearcall::inline v0::detail::http2
