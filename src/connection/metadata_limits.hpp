// SPDX-License-Identifier: Apache-2.0
// What metadata may hold, out of the limits of the connection that brings it.
#pragma once

#include "grpc/metadata_codec.hpp"

#include <nearcall/connection_limits.hpp>

namespace nearcall::inline v0::detail {

/// The budgets of header lists hold for metadata once more, after joined values were taken apart.
inline grpc::MetadataLimits metadata_limits(const ConnectionLimits& limits) noexcept {
  return {limits.max_header_fields, limits.max_header_list_size};
}

}  // namespace nearcall::inline v0::detail
