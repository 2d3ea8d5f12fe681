// SPDX-License-Identifier: Apache-2.0
// What protobuf writes, into blocks; what it lets us refer to, as it is.
#include "grpc/message_pieces.hpp"

#include "base/check.hpp"

#include <google/protobuf/io/coded_stream.h>

#include <algorithm>
#include <cstring>

namespace nearcall::inline v0::detail::grpc {
namespace {

// The first block is enough for what stands around a few large fields.
constexpr std::size_t min_block = 512;
constexpr std::size_t max_block = std::size_t{128} * 1024;

}  // namespace

MessagePieces::MessagePieces(const OutgoingMessage& message, BytesOwner& owner)
    : owner_(owner), size_(message.size()), block_(min_block) {
  message.write_prefix(block_.writable());
  block_end_ = message_prefix_size;
  {
    google::protobuf::io::CodedOutputStream coded(static_cast<ZeroCopyOutputStream*>(this));
    coded.EnableAliasing(true);
    message.message().SerializeWithCachedSizes(&coded);
  }
  finish_piece();
  CHECK(ended_ == size_ && "a message must not change while it is sent", ended_, size_);
  if (in_fields_ < size_ / 2) copy_fields();
}

/// A larger one than the last, but none for more than is still to come.
MutableByteSpan MessagePieces::next_chunk() {
  if (block_end_ == block_.size()) {
    const std::size_t larger = std::min(block_.size() * 2, max_block);
    finish_piece();
    const std::size_t left = size_ - std::min(size_, ended_);
    block_ = OwnedBytes(std::clamp(left, std::size_t{1}, larger));
    block_begin_ = block_end_ = 0;
  }
  // protobuf offers a field that does not fit into its chunk, and copies one that does.
  const std::size_t count = std::min(block_.size() - block_end_, min_field);
  std::byte* const chunk = block_.writable() + block_end_;
  block_end_ += count;
  return {chunk, count};
}

void MessagePieces::finish_piece() {
  if (block_begin_ == block_end_) return;
  pieces_.push_back(block_.share(block_begin_, block_end_ - block_begin_));
  ended_ += block_end_ - block_begin_;
  block_begin_ = block_end_;
}

void MessagePieces::copy(ByteSpan bytes) {
  while (!bytes.empty()) {
    const MutableByteSpan chunk = next_chunk();
    const std::size_t count = std::min(chunk.size(), bytes.size());
    std::memcpy(chunk.data(), bytes.data(), count);
    block_end_ -= chunk.size() - count;
    bytes = bytes.subspan(count);
  }
}

void MessagePieces::copy_fields() {
  for (OwnedBytes& piece : pieces_) {
    if (piece.is_kept_by(owner_)) piece = OwnedBytes::copy_of(piece.span());
  }
}

bool MessagePieces::Next(void** data, int* size) {
  const MutableByteSpan chunk = next_chunk();
  *data = chunk.data();
  *size = static_cast<int>(chunk.size());
  return true;
}

void MessagePieces::BackUp(int count) {
  block_end_ -= static_cast<std::size_t>(count);
}

std::int64_t MessagePieces::ByteCount() const {
  return static_cast<std::int64_t>(ended_ + block_end_ - block_begin_);
}

bool MessagePieces::WriteAliasedRaw(const void* data, int size) {
  const ByteSpan field(static_cast<const std::byte*>(data), static_cast<std::size_t>(size));
  if (field.size() < min_field) {
    copy(field);
    return true;
  }
  finish_piece();
  pieces_.emplace_back(owner_, field);
  ended_ += field.size();
  in_fields_ += field.size();
  return true;
}

}  // namespace nearcall::inline v0::detail::grpc
