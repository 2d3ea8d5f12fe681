// SPDX-License-Identifier: Apache-2.0
// Metadata out of a header list and into one: what is not protocol, and base64 under -bin.
#pragma once

#include "base/header_view.hpp"
#include "grpc/header_block.hpp"

#include <nearcall/metadata.hpp>
#include <nearcall/result.hpp>

#include <span>

namespace nearcall::grpc {

/// The metadata in `fields`: every field that does not belong to the protocol, in order. A `-bin`
/// value is split at its commas and decoded; one that is not base64 fails with INTERNAL and names
/// the key, which ends the one call and not the connection.
///
/// Not called unless someone asks for metadata: request heads and trailers are read without it.
Result<Metadata> parse_metadata(std::span<const HeaderView> fields);

/// Whether any of `fields` is metadata.
bool has_metadata(std::span<const HeaderView> fields) noexcept;

/// Appends `metadata`, with `-bin` values in base64. Other keys and values are views of `metadata`.
void append_metadata(HeaderBlock& to, const Metadata& metadata);

}  // namespace nearcall::grpc
