// SPDX-License-Identifier: Apache-2.0
// The dynamic table (RFC 7541 sections 2.3.2 and 4): what was sent before, newest first.
#pragma once

#include "http2/hpack/header_field.hpp"
#include "http2/hpack/static_table.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace nearcall::inline v0::detail::http2 {

/// A first-in-first-out table of fields, bounded by the sum of their sizes.
///
/// The strings of an entry lie side by side in one buffer that is filled from front to back; when
/// the end is reached what lives moves to the front. Both the buffer and the ring of entries grow
/// with use, to at most 4 × max_size() together; an unused table owns no memory.
///
///  (1) size() <= max_size(), and size() is the sum of field_size() over the entries.
///  (2) While generation() stays the same, every index means the same field.
///
/// Thread safety: none.
class DynamicTable {
 public:
  explicit DynamicTable(std::uint32_t max_size) noexcept : max_size_(max_size) {}

  std::uint32_t max_size() const noexcept { return max_size_; }
  std::uint32_t size() const noexcept { return size_; }
  std::uint32_t entry_count() const noexcept { return count_; }
  std::uint64_t generation() const noexcept { return generation_; }

  /// Entry 0 is the newest. The views are good until the table is changed; the value lies right
  /// behind the name.
  /// REQUIRES: position < entry_count().
  HeaderView entry(std::uint32_t position) const noexcept {
    const Entry& found = entries_[(newest_ - position) & (entries_.size() - 1)];
    const char* text = bytes_.get() + (found.begin - base_);
    return {{text, found.name_size}, {text + found.name_size, found.value_size}};
  }
  /// The newest entry with this name and value, else the newest with this name. The match's index
  /// counts as entry() does, from 0; `found` is false when there is none.
  struct Match {
    bool found = false;
    bool is_exact = false;
    std::uint32_t position = 0;
  };
  Match find(std::string_view name, std::string_view value) const noexcept;

  /// Adds an entry and evicts the oldest ones to make room; one larger than max_size() empties the
  /// table and is not kept (section 4.4). REQUIRES: the views are not of this table.
  void insert(std::string_view name, std::string_view value);
  void clear() noexcept;
  /// Changes the bound, and evicts what does not fit any more (section 4.3).
  void set_max_size(std::uint32_t max_size) noexcept;

 private:
  struct Entry {
    std::uint64_t begin;  // counted over the whole life of the table; see base_
    std::uint32_t name_size;
    std::uint32_t value_size;
  };

  void evict_down_to(std::uint64_t size) noexcept;
  void make_room(std::size_t text_size);
  void grow_ring();
  const Entry& oldest() const noexcept {
    return entries_[(newest_ + 1 - count_) & (entries_.size() - 1)];
  }

  std::uint32_t max_size_;
  std::uint32_t size_ = 0;
  std::uint32_t count_ = 0;
  std::uint32_t newest_ = 0;    // counts insertions; its low bits are the position in entries_
  std::vector<Entry> entries_;  // a ring; its size is a power of two
  std::unique_ptr<char[]> bytes_;
  std::size_t capacity_ = 0;
  std::uint64_t base_ = 0;  // what Entry::begin would be at bytes_[0]
  std::uint64_t end_ = 0;   // where the next entry begins
  std::uint64_t generation_ = 1;
};

}  // namespace nearcall::inline v0::detail::http2
