// SPDX-License-Identifier: Apache-2.0
// Metadata out of a header list and into one: what is not protocol, and base64 under -bin.
#pragma once

#include "base/header_view.hpp"
#include "grpc/header_block.hpp"

#include <nearcall/metadata.hpp>
#include <nearcall/result.hpp>

#include <cstddef>
#include <span>

namespace nearcall::inline v0::detail::grpc {

/// What metadata may hold, after joined values were taken apart: ConnectionLimits of header lists.
struct MetadataLimits {
  std::size_t max_entries = 128;
  /// The sum of the keys and values, and 32 bytes for each entry.
  std::size_t max_list_size = std::size_t{16} * 1024;
};

/// The metadata in `fields`: every field that does not belong to the protocol, in order. A `-bin`
/// value is split at its commas and decoded.
///
/// Fails where Metadata::add() would refuse an entry, or a `-bin` value is not base64: INTERNAL,
/// and the message names the key. Fails with RESOURCE_EXHAUSTED where the entries, after splitting,
/// are more than a header list may hold by `limits`: a comma costs its sender one byte, and us a
/// copy of the key. Either ends the one call and not the connection.
///
/// Not called unless someone asks for metadata: request heads and trailers are read without it.
Result<Metadata> parse_metadata(std::span<const HeaderView> fields, const MetadataLimits& limits);

/// What `metadata` comes to, counted as MetadataLimits::max_list_size is.
std::size_t list_size(const Metadata& metadata) noexcept;

/// Whether any of `fields` is metadata.
bool has_metadata(std::span<const HeaderView> fields) noexcept;

/// Appends `metadata`, with `-bin` values in base64. Other keys and values are views of `metadata`.
void append_metadata(HeaderBlock& to, const Metadata& metadata);

}  // namespace nearcall::inline v0::detail::grpc
