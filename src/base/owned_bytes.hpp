// SPDX-License-Identifier: Apache-2.0
// OwnedBytes: bytes on the heap, handed on without a copy.
#pragma once

#include "base/bytes.hpp"
#include "base/heap_block.hpp"

#include <cstddef>
#include <cstring>
#include <new>
#include <utility>

namespace nearcall {

/// A block of bytes that belongs to whoever holds it. What it is made with is not cleared first.
///
/// Thread safety: none; those that share a block are on one thread, too.
class OwnedBytes {
 public:
  OwnedBytes() noexcept = default;
  explicit OwnedBytes(std::size_t size) : bytes_(make(sizeof(Block) + size)), size_(size) {}
  OwnedBytes(OwnedBytes&& other) noexcept
      : bytes_(std::exchange(other.bytes_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  OwnedBytes& operator=(OwnedBytes&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~OwnedBytes() {
    if (bytes_ != nullptr && --block()->owners == 0) let_go();
  }

  static OwnedBytes copy_of(ByteSpan bytes) {
    OwnedBytes copy(bytes.size());
    if (!bytes.empty()) std::memcpy(copy.data(), bytes.data(), bytes.size());
    return copy;
  }
  /// The same bytes, not a copy: they go with their last owner. Nobody may change them any more.
  OwnedBytes share() const noexcept {
    OwnedBytes shared;
    shared.bytes_ = bytes_;
    shared.size_ = size_;
    if (bytes_ != nullptr) ++block()->owners;
    return shared;
  }

  std::byte* data() noexcept { return bytes_; }
  const std::byte* data() const noexcept { return bytes_; }
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  ByteSpan span() const noexcept { return {data(), size_}; }
  /// Forgets all but the first `size` bytes; the memory stays as it is. REQUIRES: size <= size().
  void shrink(std::size_t size) noexcept { size_ = size; }

 private:
  /// What lies before the bytes.
  struct alignas(std::max_align_t) Block {
    std::size_t owners = 1;
    std::size_t heap_block = 0;  // its size, if it is one
    std::byte* bytes() noexcept { return reinterpret_cast<std::byte*>(this + 1); }
  };

  static std::byte* make(std::size_t size) {
    if (size < HeapBlock::large) return (::new (::operator new(size)) Block)->bytes();
    HeapBlock memory(size);
    const std::size_t whole = memory.size();
    return (::new (memory.release()) Block{1, whole})->bytes();
  }
  void let_go() noexcept {
    if (const std::size_t size = block()->heap_block; size > 0) {
      HeapBlock::adopt(reinterpret_cast<std::byte*>(block()), size);
    } else {
      ::operator delete(block());
    }
  }

  Block* block() const noexcept { return std::launder(reinterpret_cast<Block*>(bytes_) - 1); }

  std::byte* bytes_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace nearcall
