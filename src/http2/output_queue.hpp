// SPDX-License-Identifier: Apache-2.0
// OutputQueue: the bytes of a connection that wait to be sent, small ones together, big ones where
// they lie.
#pragma once

#include "base/bytes.hpp"
#include "base/owned_bytes.hpp"

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace nearcall::inline v0::detail::http2 {

/// Owned bytes that frames of the output may refer to: shared by the stream that still has some of
/// them to send, and by each piece that is on its way. Not atomic: one connection, one thread.
struct Segment {
  OwnedBytes bytes;
  std::size_t sent = 0;  // how many of them became frames
  Segment* next = nullptr;
  std::uint32_t references = 0;

  ByteSpan rest() const noexcept { return bytes.span().subspan(sent); }
};

/// Where segments come from: a free list, so that a steady flow of messages does not allocate.
class SegmentPool {
 public:
  SegmentPool() = default;
  SegmentPool(const SegmentPool&) = delete;
  SegmentPool& operator=(const SegmentPool&) = delete;
  ~SegmentPool() { trim(); }

  /// One reference, the caller's.
  Segment* make(OwnedBytes bytes);
  void drop(Segment* segment) noexcept;
  void trim() noexcept;

 private:
  Segment* free_ = nullptr;
};

/// A queue of bytes made of two kinds of pieces: what was written into it lies in a buffer, and in
/// between are references to segments. A buffer that is full becomes a segment, too, and another
/// one is begun: however much waits, no more than a block is ever copied.
///
/// Places in the buffer have a number that never changes (`mark`), also when the buffer moves. All
/// that is before a mark is sent before what is behind it.
class OutputQueue {
 public:
  explicit OutputQueue(SegmentPool& pool) noexcept : pool_(pool) {}
  OutputQueue(const OutputQueue&) = delete;
  OutputQueue& operator=(const OutputQueue&) = delete;
  ~OutputQueue();

  /// The largest buffer, unless more is reserved at once: a whole number of a HeapBlock's units
  /// with what OwnedBytes needs.
  static constexpr std::size_t block_size = std::size_t{256} * 1024 - 64;

  /// Room for `size` bytes at the end; until commit() it is not part of the queue. The pointer is
  /// good until the next reserve().
  std::byte* reserve(std::size_t size) {
    if (buffer_.size() - end_ < size) make_room(size);
    return buffer_.writable() + end_;
  }
  void commit(std::size_t size) noexcept {
    end_ += size;
    appended_ += size;
  }
  /// Refers to `bytes`, which lie in `segment`, and holds a reference to it until they are sent.
  void append(Segment& segment, ByteSpan bytes);

  /// The end of the buffer, as a mark.
  std::uint64_t end_mark() const noexcept { return base_ + end_; }
  /// Whether the bytes from this mark on have not begun to be sent, and are in the buffer.
  bool is_unsent(std::uint64_t mark) const noexcept { return mark >= base_ + begin_; }
  /// REQUIRES: is_unsent(mark).
  std::byte* at(std::uint64_t mark) noexcept { return buffer_.writable() + (mark - base_); }

  bool empty() const noexcept { return appended_ == sent_; }
  std::size_t size() const noexcept { return static_cast<std::size_t>(appended_ - sent_); }
  /// Bytes ever appended, and ever sent.
  std::uint64_t appended() const noexcept { return appended_; }
  std::uint64_t sent() const noexcept { return sent_; }
  /// For how many bytes buffers were ever made.
  std::uint64_t grown() const noexcept { return grown_; }

  /// The first pieces, at most into.size() of them; good until the queue is changed.
  std::size_t gather(std::span<iovec> into) const noexcept;
  /// The first `count` bytes were sent. REQUIRES: count <= size().
  void remove(std::size_t count) noexcept;
  /// Refers to copies instead of what `owner` keeps.
  void copy_from(const BytesOwner& owner);
  /// Gives memory back that an empty queue does not need.
  void trim() noexcept;

 private:
  struct Reference {
    std::uint64_t mark;  // goes between the buffer's bytes before and behind this
    Segment* segment;
    ByteSpan rest;
  };

  void make_room(std::size_t size);
  void begin_block(std::size_t size);
  void close_block();
  void remove_slowly(std::size_t count) noexcept;

  SegmentPool& pool_;
  OwnedBytes buffer_;
  std::size_t begin_ = 0;  // of what is unsent in the buffer
  std::size_t end_ = 0;
  std::uint64_t base_ = 0;  // the mark of buffer_[0]
  std::vector<Reference> references_;
  std::size_t first_reference_ = 0;
  std::uint64_t appended_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t grown_ = 0;
  bool had_block_ = false;  // since trim()
};

inline void OutputQueue::remove(std::size_t count) noexcept {
  if (references_.empty()) [[likely]] {
    begin_ += count;
    sent_ += count;
  } else {
    remove_slowly(count);
  }
  if (begin_ == end_) {
    base_ += end_;
    begin_ = end_ = 0;
    if (buffer_.size() >= block_size) [[unlikely]]
      buffer_ = OwnedBytes();  // of many connections, they would be much
  }
}

}  // namespace nearcall::inline v0::detail::http2
