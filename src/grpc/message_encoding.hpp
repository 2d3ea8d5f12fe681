// SPDX-License-Identifier: Apache-2.0
// What becomes of messages in an encoding that nobody knows.
#pragma once

#include "base/quote.hpp"

#include <nearcall/status.hpp>

#include <string>
#include <string_view>

namespace nearcall::inline v0::detail::grpc {

/// Whether a `grpc-encoding` says that no message is compressed; empty: the peer named none. One
/// that cannot be read fails the call only with the first message that has it: a peer that names it
/// may compress nothing at all (compression.md).
inline bool is_plain_encoding(std::string_view encoding) noexcept {
  return encoding.empty() || encoding == "identity";
}

/// How a server ends a call whose client sends a message that it cannot read.
inline Status unknown_request_encoding(std::string_view encoding, std::string_view accepted) {
  return Status::unimplemented(quote("unsupported grpc-encoding", encoding) + "; supported are " +
                               std::string(accepted));
}
/// The same at a client, whose server used what was not offered.
inline Status unknown_reply_encoding(std::string_view encoding, std::string_view accepted) {
  return Status::internal(quote("the server used a grpc-encoding that was not offered:", encoding) +
                          "; offered were " + std::string(accepted));
}

}  // namespace nearcall::inline v0::detail::grpc
