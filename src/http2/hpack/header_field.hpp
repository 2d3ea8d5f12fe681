// SPDX-License-Identifier: Apache-2.0
// HeaderField: a field to be sent, and what may remember it on the way; how large fields count.
#pragma once

#include "base/header_view.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace nearcall::inline v0::detail::http2 {

/// Whether a field goes into the dynamic table (RFC 7541 section 6.2).
enum class Indexing : std::uint8_t {
  incremental,  // 6.2.1: remembered on both sides; for what comes again as it is
  without,      // 6.2.2: written out; for what differs from call to call
  never,        // 6.2.3: written out, and so by every hop after us; for secrets
};

/// A field to be sent, as views of bytes that somebody else keeps. The name is in lower case.
struct HeaderField {
  std::string_view name;
  std::string_view value;
  Indexing indexing = Indexing::incremental;

  friend bool operator==(const HeaderField&, const HeaderField&) = default;
};

/// What an entry or field costs beside its bytes (RFC 7541 section 4.1, RFC 9113 section 6.5.2).
inline constexpr std::size_t field_overhead = 32;

constexpr std::size_t field_size(const HeaderView& field) noexcept {
  return field.name.size() + field.value.size() + field_overhead;
}

}  // namespace nearcall::inline v0::detail::http2
