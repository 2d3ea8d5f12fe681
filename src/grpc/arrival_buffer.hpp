// SPDX-License-Identifier: Apache-2.0
// ArrivalBuffer: the bytes of one message while they arrive.
#pragma once

#include "base/bytes.hpp"
#include "base/heap_block.hpp"

#include <cstddef>
#include <utility>

namespace nearcall::inline v0::detail::grpc {

/// The bytes of one message whose length was announced and whose bytes are still arriving.
///
/// Memory follows what has arrived, never what was announced: a peer that promises 4 MiB and sends
/// nothing costs nothing, and at any moment
///     capacity() <= max(first_capacity, 2 * size()),
/// except that it may be a block that this thread has kept from an earlier message: that costs
/// nothing either, and the bytes of a large message need no second place while they come.
/// Bytes come in by append(), or are read by the caller straight into free_tail().
///
/// Thread safety: none. Views end with the next call that is not const.
class ArrivalBuffer {
 public:
  static constexpr std::size_t first_capacity = 4096;
  /// What is kept between messages.
  static constexpr std::size_t idle_capacity = 1024;

  ArrivalBuffer() noexcept = default;
  ArrivalBuffer(ArrivalBuffer&& other) noexcept
      : block_(std::move(other.block_)),
        size_(std::exchange(other.size_, 0)),
        length_(std::exchange(other.length_, 0)) {}
  ArrivalBuffer& operator=(ArrivalBuffer&& other) noexcept {
    block_ = std::move(other.block_);
    size_ = std::exchange(other.size_, 0);
    length_ = std::exchange(other.length_, 0);
    return *this;
  }
  ~ArrivalBuffer() = default;

  /// Starts over with a message of `length` bytes. Keeps the memory of the last one for it, up to
  /// idle_capacity: a stream may wait for its next message for long.
  void expect(std::size_t length) noexcept;

  /// Takes as much of `bytes` as the message misses; returns how many bytes that were.
  std::size_t append(ByteSpan bytes);

  /// Where the next bytes of the message may be written; empty only when none is missing. Follow
  /// with advance().
  MutableByteSpan free_tail();
  /// Counts `count` bytes written to free_tail() as arrived. REQUIRES: count <= its size.
  void advance(std::size_t count);

  ByteSpan bytes() const noexcept { return {block_.data(), size_}; }
  std::size_t size() const noexcept { return size_; }
  std::size_t missing() const noexcept { return length_ - size_; }
  std::size_t length() const noexcept { return length_; }
  std::size_t capacity() const noexcept { return block_.size(); }

 private:
  /// Makes room for `arrived` bytes and, below the announced length, for some that follow.
  void grow(std::size_t arrived);

  HeapBlock block_;
  std::size_t size_ = 0;
  std::size_t length_ = 0;
};

}  // namespace nearcall::inline v0::detail::grpc
