// SPDX-License-Identifier: Apache-2.0
// MessagePieces: a message as it is sent, with what is large in it where it lies.
#pragma once

#include "base/bytes.hpp"
#include "base/owned_bytes.hpp"
#include "grpc/outgoing_message.hpp"

#include <google/protobuf/io/zero_copy_stream.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace nearcall::inline v0::detail::grpc {

/// A message with its prefix in pieces that together are what it is sent as: large `bytes` and
/// `string` fields where they lie in the message, the rest serialised. (protobuf copies those of
/// repeated fields.)
///
/// Where that is less than half of the message nothing is left in it: it may be many times as large
/// as what limits and windows know of it, and is not to be kept for little.
class MessagePieces final : private google::protobuf::io::ZeroCopyOutputStream {
 public:
  /// Smaller fields are copied: cheaper than a piece of their own.
  static constexpr std::size_t min_field = std::size_t{8} * 1024;
  /// Smaller messages are better serialised in one piece.
  static constexpr std::size_t min_message = std::size_t{32} * 1024;

  static bool suit(const OutgoingMessage& message) noexcept {
    return message.size() >= message_prefix_size + min_message;
  }

  /// `owner` keeps the message as it is while pieces refer to it. REQUIRES: message.check() is OK.
  MessagePieces(const OutgoingMessage& message, BytesOwner& owner);

  /// All of them, to be taken. None is empty.
  std::span<OwnedBytes> all() noexcept { return pieces_; }

 private:
  // ZeroCopyOutputStream
  bool Next(void** data, int* size) override;
  void BackUp(int count) override;
  std::int64_t ByteCount() const override;
  bool WriteAliasedRaw(const void* data, int size) override;
  bool AllowsAliasing() const override { return true; }

  MutableByteSpan next_chunk();
  void copy(ByteSpan bytes);
  /// What was written since the last piece becomes one.
  void finish_piece();
  void copy_fields();

  BytesOwner& owner_;
  const std::size_t size_;  // with the prefix
  std::vector<OwnedBytes> pieces_;
  std::size_t ended_ = 0;      // bytes in pieces_
  std::size_t in_fields_ = 0;  // of those, in the message
  /// Where bytes are written: up to block_begin_ they are in pieces_, up to block_end_ they are
  /// not.
  OwnedBytes block_;
  std::size_t block_begin_ = 0;
  std::size_t block_end_ = 0;
};

}  // namespace nearcall::inline v0::detail::grpc
