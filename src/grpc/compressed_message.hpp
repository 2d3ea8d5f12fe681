// SPDX-License-Identifier: Apache-2.0
// CompressedMessage: a message as it is sent by a call that compresses.
#pragma once

#include "base/bytes.hpp"
#include "base/heap_block.hpp"
#include "grpc/outgoing_message.hpp"

#include <nearcall/codec.hpp>

#include <cstddef>

namespace nearcall::inline v0::detail::grpc {

/// One message, serialised, and compressed if that makes it smaller: what is sent is never larger
/// than the message itself.
///
/// Thread safety: none.
class CompressedMessage {
 public:
  /// REQUIRES: message.check() is OK.
  CompressedMessage(const OutgoingMessage& message, const Codec& codec);

  /// All of it, with its prefix.
  ByteSpan bytes() const noexcept { return bytes_; }

 private:
  HeapBlock plain_;
  HeapBlock compressed_;
  ByteSpan bytes_;
};

}  // namespace nearcall::inline v0::detail::grpc
