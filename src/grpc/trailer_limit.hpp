// SPDX-License-Identifier: Apache-2.0
// How the end of a call is told within a limit: what is for people gives way first, the code never.
#pragma once

#include "grpc/header_block.hpp"

#include <cstddef>
#include <cstdint>

namespace nearcall::inline v0::detail::grpc {

/// What had to give way.
enum class LeftOut : std::uint8_t {
  nothing,
  text,     ///< the end of `grpc-message`, which says so
  metadata  ///< details and metadata, and of the message as much as had to
};

/// Makes a block that ends a call (append_trailers() and its like wrote it) count at most `most`
/// bytes (RFC 9113 section 6.5.2), if that is possible: the status code stays whatever happens.
LeftOut limit_trailers(HeaderBlock& block, std::size_t most);

}  // namespace nearcall::inline v0::detail::grpc
