// SPDX-License-Identifier: Apache-2.0
// The encodings that messages may have, and what becomes of those in another one.
#pragma once

#include "base/quote.hpp"

#include <nearcall/status.hpp>

#include <string_view>

namespace nearcall::inline v0::detail::grpc {

/// What `grpc-accept-encoding` says, of both sides.
inline constexpr std::string_view accepted_encodings = "identity";

/// Whether messages in this `grpc-encoding` can be read; empty: the peer named none. One that
/// cannot be read fails the call only with the first message that has it: a peer that names it may
/// compress nothing at all (compression.md).
inline bool is_accepted_encoding(std::string_view encoding) noexcept {
  return encoding.empty() || encoding == accepted_encodings;
}

/// How a server ends a call whose client sends a message that it cannot read.
inline Status unknown_request_encoding(std::string_view encoding) {
  return Status::unimplemented(quote("unsupported grpc-encoding", encoding));
}
/// The same at a client, whose server used what was not offered.
inline Status unknown_reply_encoding(std::string_view encoding) {
  return Status::internal(quote("the server used a grpc-encoding that was not offered:", encoding));
}

}  // namespace nearcall::inline v0::detail::grpc
