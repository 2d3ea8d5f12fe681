// SPDX-License-Identifier: Apache-2.0
// HeaderName: the length leaves at most three names to compare with.
#include "grpc/header_name.hpp"

namespace nearcall::grpc {

HeaderName header_name(std::string_view name) noexcept {
  switch (name.size()) {
    case 2:
      if (name == "te") return HeaderName::te;
      break;
    case 4:
      if (name == "host") return HeaderName::host;
      break;
    case 5:
      if (name == ":path") return HeaderName::path;
      break;
    case 7:
      if (name == ":method") return HeaderName::method;
      if (name == ":scheme") return HeaderName::scheme;
      if (name == ":status") return HeaderName::status;
      break;
    case 10:
      if (name == ":authority") return HeaderName::authority;
      if (name == "user-agent") return HeaderName::user_agent;
      break;
    case 11:
      if (name == "grpc-status") return HeaderName::grpc_status;
      break;
    case 12:
      if (name == "content-type") return HeaderName::content_type;
      if (name == "grpc-timeout") return HeaderName::grpc_timeout;
      if (name == "grpc-message") return HeaderName::grpc_message;
      break;
    case 13:
      if (name == "grpc-encoding") return HeaderName::grpc_encoding;
      break;
    case 14:
      if (name == "content-length") return HeaderName::content_length;
      break;
    case 17:
      if (name == "grpc-message-type") return HeaderName::grpc_message_type;
      break;
    case 20:
      if (name == "grpc-accept-encoding") return HeaderName::grpc_accept_encoding;
      break;
    case 23:
      if (name == "grpc-status-details-bin") return HeaderName::grpc_status_details;
      break;
    default:
      break;
  }
  return name.starts_with(':') ? HeaderName::unknown_pseudo : HeaderName::custom;
}

}  // namespace nearcall::grpc
