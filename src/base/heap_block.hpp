// SPDX-License-Identifier: Apache-2.0
// HeapBlock: memory whose large pieces a thread keeps for its next large messages.
#pragma once

#include <cstddef>
#include <utility>

namespace nearcall::inline v0::detail {

/// A piece of memory, not cleared. Each thread keeps a few large ones that were released on it: a
/// flow of large messages then neither asks the system for memory nor touches fresh pages, whatever
/// the host's malloc gives back in between.
///
/// Thread safety: as any value; it may be released on another thread than it was made on.
class HeapBlock {
 public:
  /// Blocks of this size or more are kept; they are multiples of it.
  static constexpr std::size_t large = std::size_t{64} * 1024;
  /// What one thread keeps, at most.
  static constexpr std::size_t max_kept_blocks = 4;
  static constexpr std::size_t max_kept_bytes = std::size_t{8} * 1024 * 1024;

  HeapBlock() noexcept = default;
  /// At least `size` bytes. REQUIRES: size > 0.
  explicit HeapBlock(std::size_t size);
  HeapBlock(HeapBlock&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  HeapBlock& operator=(HeapBlock&& other) noexcept {
    HeapBlock old = std::move(*this);
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
    return *this;
  }
  ~HeapBlock() {
    if (data_ != nullptr) keep_or_free(data_, size_);
  }

  /// A block of at least `size` bytes, and not many times as large, that this thread has kept; else
  /// an empty one.
  static HeapBlock kept(std::size_t size) noexcept;
  /// Frees what this thread has kept.
  static void trim() noexcept;
  /// The same if none of it came or went since the last call, for whoever calls it now and then.
  static void trim_unused() noexcept;
  /// How much that is.
  static std::size_t kept_bytes() noexcept;

  /// Makes it at least `size` bytes large; what is in it stays. REQUIRES: size >= this->size().
  void grow(std::size_t size);
  /// Lets somebody else own it, until adopt() of the same data and size.
  std::byte* release() noexcept {
    size_ = 0;
    return std::exchange(data_, nullptr);
  }
  static HeapBlock adopt(std::byte* data, std::size_t size) noexcept {
    HeapBlock block;
    block.data_ = data;
    block.size_ = size;
    return block;
  }

  std::byte* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }

 private:
  static void keep_or_free(std::byte* data, std::size_t size) noexcept;

  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace nearcall::inline v0::detail
