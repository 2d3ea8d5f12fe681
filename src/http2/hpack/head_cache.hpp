// SPDX-License-Identifier: Apache-2.0
// HeadCache: the fields of recent blocks' leading bytes, as long as the dynamic table is the same.
#pragma once

#include "base/bytes.hpp"
#include "http2/hpack/header_field.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace nearcall::inline v0::detail::http2 {

/// The bytes that a block begins with, as far as each of them is a whole indexed field (RFC 7541
/// section 6.1), and at most 16. Such bytes do not change the dynamic table.
struct HeadKey {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  std::uint32_t size = 0;  // follows from the other two: no such byte is zero

  static HeadKey of(ByteSpan block) noexcept;
  bool matches(const HeadKey& other) const noexcept {
    return low == other.low && high == other.high;
  }
};

/// The decoded form of a HeadKey, which does not change any more. It keeps its own strings.
class DecodedHead {
 public:
  DecodedHead(std::span<const HeaderView> fields, std::uint32_t token);

  std::span<const HeaderView> fields() const noexcept { return fields_; }
  std::uint32_t token() const noexcept { return token_; }
  /// The sum of field_size().
  std::uint32_t list_size() const noexcept { return list_size_; }

 private:
  friend class HeadRef;

  std::vector<HeaderView> fields_;
  std::unique_ptr<char[]> text_;
  std::uint32_t token_;
  std::uint32_t list_size_ = 0;
  mutable std::uint32_t references_ = 0;
};

/// A share in a DecodedHead. Not atomic: all shares belong to one connection, which one thread
/// drives at a time.
class HeadRef {
 public:
  HeadRef() noexcept = default;
  explicit HeadRef(const DecodedHead* head) noexcept : head_(head) { ++head_->references_; }
  HeadRef(const HeadRef& other) noexcept : head_(other.head_) {
    if (head_ != nullptr) ++head_->references_;
  }
  HeadRef(HeadRef&& other) noexcept : head_(std::exchange(other.head_, nullptr)) {}
  HeadRef& operator=(HeadRef other) noexcept {
    std::swap(head_, other.head_);
    return *this;
  }
  ~HeadRef() {
    if (head_ != nullptr && --head_->references_ == 0) delete head_;
  }

  const DecodedHead* get() const noexcept { return head_; }
  const DecodedHead* operator->() const noexcept { return head_; }
  explicit operator bool() const noexcept { return head_ != nullptr; }

 private:
  const DecodedHead* head_ = nullptr;
};

/// What a decoder remembers of its recent blocks: gRPC traffic repeats, so from the third block of
/// a kind on its head need not be decoded again.
///
/// All heads are of one generation of the dynamic table and go when it changes. A key is only
/// noted when it is seen first and its head is made when it is seen again, so that a peer that
/// never repeats itself costs a scan of keys. At most `slot_count` heads with `max_text` bytes
/// each; an unused cache owns no memory.
///
/// Thread safety: none.
class HeadCache {
 public:
  static constexpr std::size_t slot_count = 32;
  static constexpr std::size_t max_text = 1024;

  enum class Sighting : std::uint8_t { first, repeated };
  struct Found {
    const HeadRef* head = nullptr;  // null: not there; good until the cache is used again
    Sighting sighting = Sighting::first;
  };

  /// The head of `key` under that generation of the table. Where there is none, notes the key;
  /// when it was noted before (`repeated`), it pays to store() its fields.
  /// REQUIRES: key.size > 0.
  Found find(const HeadKey& key, std::uint64_t generation);
  /// The head that is all of `block`, if it is there.
  const HeadRef* find_whole(ByteSpan block, std::uint64_t generation) const noexcept;
  /// Keeps the fields of `key`, unless they are too long.
  /// REQUIRES: the last find() was of this key and found it `repeated` without a head.
  void store(const HeadKey& key, std::span<const HeaderView> fields);
  /// Drops all heads. Their tokens are not given out again.
  void trim() noexcept {
    slots_ = std::vector<Slot>();
    last_found_ = next_victim_ = 0;
  }

 private:
  struct Slot {
    HeadKey key;
    HeadRef head;
  };

  /// Where the key is, or slots_.size().
  std::size_t position_of(const HeadKey& key) const noexcept;

  std::vector<Slot> slots_;  // grows with the number of different heads
  std::size_t last_found_ = 0;
  std::size_t next_victim_ = 0;
  std::uint64_t generation_ = 0;
  std::uint32_t last_token_ = 0;
};

}  // namespace nearcall::inline v0::detail::http2
