// SPDX-License-Identifier: Apache-2.0
// HeaderName: length and one character leave at most one name to compare with.
#include "grpc/header_name.hpp"

#include "base/metadata_rules.hpp"

#include <cstddef>

namespace nearcall::inline v0::detail::grpc {
namespace {

/// Tells the names of the protocol apart; the compiler refuses two cases with the same key.
/// REQUIRES: at least two characters.
constexpr std::size_t key(std::string_view name) {
  return name.size() * 256 + static_cast<unsigned char>(name[name.size() - 2]);
}

/// What a name is that the protocol does not list.
HeaderName unlisted(std::string_view name) {
  if (name.starts_with(':')) return HeaderName::unknown_pseudo;
  return detail::is_reserved_key(name) ? HeaderName::reserved : HeaderName::custom;
}

/// Inlined, so that the comparison is with a constant: a few instructions instead of a memcmp.
[[gnu::always_inline]] inline HeaderName confirmed(std::string_view name,
                                                   std::string_view expected,
                                                   HeaderName meaning) {
  return name == expected ? meaning : unlisted(name);
}

}  // namespace

HeaderName header_name(std::string_view name) noexcept {
  if (name.size() < 2) return unlisted(name);
  switch (key(name)) {
    case key(":authority"):
      return confirmed(name, ":authority", HeaderName::authority);
    case key("content-length"):
      return confirmed(name, "content-length", HeaderName::content_length);
    case key("content-type"):
      return confirmed(name, "content-type", HeaderName::content_type);
    case key("grpc-accept-encoding"):
      return confirmed(name, "grpc-accept-encoding", HeaderName::grpc_accept_encoding);
    case key("grpc-encoding"):
      return confirmed(name, "grpc-encoding", HeaderName::grpc_encoding);
    case key("grpc-message"):
      return confirmed(name, "grpc-message", HeaderName::grpc_message);
    case key("grpc-message-type"):
      return confirmed(name, "grpc-message-type", HeaderName::grpc_message_type);
    case key("grpc-status"):
      return confirmed(name, "grpc-status", HeaderName::grpc_status);
    case key("grpc-status-details-bin"):
      return confirmed(name, "grpc-status-details-bin", HeaderName::grpc_status_details);
    case key("grpc-timeout"):
      return confirmed(name, "grpc-timeout", HeaderName::grpc_timeout);
    case key("host"):
      return confirmed(name, "host", HeaderName::host);
    case key(":method"):
      return confirmed(name, ":method", HeaderName::method);
    case key(":path"):
      return confirmed(name, ":path", HeaderName::path);
    case key(":scheme"):
      return confirmed(name, ":scheme", HeaderName::scheme);
    case key(":status"):
      return confirmed(name, ":status", HeaderName::status);
    case key("te"):
      return confirmed(name, "te", HeaderName::te);
    case key("user-agent"):
      return confirmed(name, "user-agent", HeaderName::user_agent);
    default:
      return unlisted(name);
  }
}

}  // namespace nearcall::inline v0::detail::grpc
