// SPDX-License-Identifier: Apache-2.0
// The headers that begin a response: written by the server, checked and read by the client.
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

/// What a header block that arrives before any message means to a client.
struct ResponseHead {
  enum class Kind : std::uint8_t {
    interim,  ///< 1xx: not the response yet, wait for the next block
    begun,    ///< messages and trailers follow
    ended,    ///< Trailers-Only: the call is over, `status` says how (it may be OK)
    refused,  ///< not a gRPC response: `status` says why; the stream is of no further use
  };

  Kind kind = Kind::refused;
  int http_status = 0;
  std::string_view content_subtype;  ///< "proto" in "application/grpc+proto"
  Status status;
  std::string_view encoding;  ///< of its compressed messages, known or not; often there are none
};

/// Reads a response's header block. `end_stream`: whether the block ended the stream. The metadata
/// is left to parse_metadata(), but for what a failure carries; that keeps to `limits`.
ResponseHead parse_response_head(std::span<const HeaderView> fields,
                                 bool end_stream,
                                 const MetadataLimits& limits);

/// Appends a whole response that is over before any message (Trailers-Only). The block ends the
/// stream. `status` and `metadata` must live until `to` is encoded.
void append_trailers_only(HeaderBlock& to, const Status& status, const Metadata& metadata);

}  // namespace nearcall::inline v0::detail::grpc
