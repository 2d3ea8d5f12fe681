// SPDX-License-Identifier: Apache-2.0
// How a call ended, on the wire: trailers to Status and back, HTTP statuses and resets to Status.
#pragma once

#include "base/header_view.hpp"
#include "grpc/header_block.hpp"
#include "grpc/metadata_codec.hpp"

#include <nearcall/metadata.hpp>
#include <nearcall/status.hpp>

#include <cstdint>
#include <span>
#include <string_view>

namespace nearcall::inline v0::detail::grpc {

/// What `trailers` say. A failure carries its details and the metadata beside it. Never fails
/// itself: a missing, malformed or unknown `grpc-status` is UNKNOWN and says so in its message, and
/// details or metadata that parse_metadata() would not take are left out.
///
/// Metadata of an OK call is not looked at; parse_metadata() gives it, and decides whether the call
/// stays OK.
Status parse_trailers(std::span<const HeaderView> trailers, const MetadataLimits& limits);

/// What a response without `grpc-status` means (http-grpc-status-mapping.md). Never OK: 200 without
/// `grpc-status` is UNKNOWN.
Status status_from_http(int http_status);

/// What RST_STREAM with an HTTP/2 error code (RFC 9113 section 7) means. Never OK. The message says
/// the code's `name`.
Status status_from_reset(std::uint32_t error_code, std::string_view name);

/// Appends `grpc-status`, `grpc-message` and `grpc-status-details-bin` of `status`, then the
/// metadata that the status carries, then `metadata`. All three must live until `to` is encoded.
void append_trailers(HeaderBlock& to, const Status& status, const Metadata& metadata);

}  // namespace nearcall::inline v0::detail::grpc
