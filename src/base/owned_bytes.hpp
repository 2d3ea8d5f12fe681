// SPDX-License-Identifier: Apache-2.0
// OwnedBytes: bytes and who keeps them where they are, handed on without a copy.
#pragma once

#include "base/bytes.hpp"
#include "base/heap_block.hpp"

#include <cstddef>
#include <cstring>
#include <new>
#include <utility>

namespace nearcall::inline v0::detail {

/// What keeps bytes where they are, as long as somebody refers to them.
///
/// Thread safety: none; those that refer to it are on one thread, or hold one lock.
class BytesOwner {
 public:
  BytesOwner(const BytesOwner&) = delete;
  BytesOwner& operator=(const BytesOwner&) = delete;

  void add_reference() noexcept { ++references_; }
  void release_reference() noexcept {
    if (--references_ == 0) on_unreferenced();
  }
  std::size_t references() const noexcept { return references_; }

 protected:
  /// One reference, the maker's.
  BytesOwner() noexcept = default;
  ~BytesOwner() = default;

 private:
  /// Nobody refers to the bytes any more.
  virtual void on_unreferenced() noexcept = 0;

  std::size_t references_ = 1;
};

/// Bytes that stay where they are while it exists: a block of its own, or a part of something else
/// that a BytesOwner keeps. What it is made with is not cleared first.
///
/// Thread safety: none; those that share bytes are on one thread, too.
class OwnedBytes {
 public:
  OwnedBytes() noexcept = default;
  explicit OwnedBytes(std::size_t size) : OwnedBytes(Block::make(size), size) {}
  /// A part of what `owner` keeps.
  OwnedBytes(BytesOwner& owner, ByteSpan part) noexcept : owner_(&owner), bytes_(part) {
    owner.add_reference();
  }
  OwnedBytes(OwnedBytes&& other) noexcept
      : owner_(std::exchange(other.owner_, nullptr)), bytes_(std::exchange(other.bytes_, {})) {}
  OwnedBytes& operator=(OwnedBytes&& other) noexcept {
    std::swap(owner_, other.owner_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~OwnedBytes() {
    if (owner_ != nullptr) owner_->release_reference();
  }

  static OwnedBytes copy_of(ByteSpan bytes) {
    OwnedBytes copy(bytes.size());
    if (!bytes.empty()) std::memcpy(copy.writable(), bytes.data(), bytes.size());
    return copy;
  }
  /// The same bytes, not a copy: they go with their last owner. Nobody may change them any more.
  OwnedBytes share() const noexcept { return share(0, size()); }
  /// `count` of them, from `begin` on. REQUIRES: they are there.
  OwnedBytes share(std::size_t begin, std::size_t count) const noexcept {
    if (owner_ == nullptr) return {};
    return {*owner_, bytes_.subspan(begin, count)};
  }

  /// To fill it. REQUIRES: it was made with its size.
  std::byte* writable() noexcept { return const_cast<std::byte*>(bytes_.data()); }
  const std::byte* data() const noexcept { return bytes_.data(); }
  std::size_t size() const noexcept { return bytes_.size(); }
  bool empty() const noexcept { return bytes_.empty(); }
  ByteSpan span() const noexcept { return bytes_; }
  bool is_kept_by(const BytesOwner& owner) const noexcept { return owner_ == &owner; }
  /// Null if there are no bytes.
  const BytesOwner* owner() const noexcept { return owner_; }

 private:
  /// A block on the heap; its bytes lie behind it.
  class alignas(std::max_align_t) Block final : public BytesOwner {
   public:
    static Block* make(std::size_t size) {
      const std::size_t whole = sizeof(Block) + size;
      if (whole < HeapBlock::large) return ::new (::operator new(whole)) Block(0);
      HeapBlock memory(whole);
      const std::size_t heap_block = memory.size();
      return ::new (memory.release()) Block(heap_block);
    }
    std::byte* bytes() noexcept { return reinterpret_cast<std::byte*>(this + 1); }

   private:
    explicit Block(std::size_t heap_block) noexcept : heap_block_(heap_block) {}
    void on_unreferenced() noexcept override {
      if (const std::size_t size = heap_block_; size > 0) {
        HeapBlock::adopt(reinterpret_cast<std::byte*>(this), size);
      } else {
        ::operator delete(this);
      }
    }

    const std::size_t heap_block_;  // its size, if it is one
  };

  OwnedBytes(Block* block, std::size_t size) noexcept
      : owner_(block), bytes_(block->bytes(), size) {}

  BytesOwner* owner_ = nullptr;
  ByteSpan bytes_;
};

}  // namespace nearcall::inline v0::detail
