// SPDX-License-Identifier: Apache-2.0
// The content-type of gRPC: application/grpc, and what may follow it.
#pragma once

#include <optional>
#include <string_view>

namespace nearcall::inline v0::detail::grpc {

inline constexpr std::string_view grpc_content_type = "application/grpc";

/// What `value` says after "application/grpc": "proto" for "application/grpc+proto", empty for
/// "application/grpc" and "application/grpc;charset=utf-8". Nothing when it is another type, as
/// "application/grpc-web" is.
std::optional<std::string_view> content_subtype(std::string_view value) noexcept;

}  // namespace nearcall::inline v0::detail::grpc
