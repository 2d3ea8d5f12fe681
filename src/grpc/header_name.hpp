// SPDX-License-Identifier: Apache-2.0
// HeaderName: the header names that mean something to the protocol, told apart quickly.
#pragma once

#include <cstdint>
#include <string_view>

namespace nearcall::inline v0::detail::grpc {

/// A header name of HTTP/2 or gRPC that applications neither set nor see, or `custom`: metadata.
enum class HeaderName : std::uint8_t {
  custom,
  authority,
  content_length,
  content_type,
  grpc_accept_encoding,
  grpc_encoding,
  grpc_message,
  grpc_message_type,
  grpc_status,
  grpc_status_details,
  grpc_timeout,
  host,
  method,
  path,
  reserved,
  scheme,
  status,
  te,
  unknown_pseudo,
  user_agent,
};

/// Which one `name` (in lower case) is. `reserved`: one of the protocol's that means nothing to us
/// (`grpc-trace-bin`, `http2-settings`); Metadata promises not to hold it.
HeaderName header_name(std::string_view name) noexcept;

}  // namespace nearcall::inline v0::detail::grpc
