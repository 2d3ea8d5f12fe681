// SPDX-License-Identifier: Apache-2.0
// The dynamic table: insertion, eviction, and the buffer behind the entries.
#include "http2/hpack/dynamic_table.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

namespace nearcall::inline v0::detail::http2 {

DynamicTable::Match DynamicTable::find(std::string_view name,
                                       std::string_view value) const noexcept {
  Match match;
  for (std::uint32_t position = 0; position < count_; ++position) {
    const HeaderView field = entry(position);
    if (field.name != name) continue;
    if (field.value == value) return {/*found=*/true, /*is_exact=*/true, position};
    if (!match.found) match = {/*found=*/true, /*is_exact=*/false, position};
  }
  return match;
}

void DynamicTable::insert(std::string_view name, std::string_view value) {
  const std::uint64_t added = field_size({name, value});
  if (added > max_size_) {
    clear();
    return;
  }
  evict_down_to(max_size_ - added);
  make_room(name.size() + value.size());
  if (count_ == entries_.size()) grow_ring();

  char* text = bytes_.get() + (end_ - base_);
  std::ranges::copy(name, text);
  std::ranges::copy(value, text + name.size());
  ++newest_;
  entries_[newest_ & (entries_.size() - 1)] = {end_, static_cast<std::uint32_t>(name.size()),
                                               static_cast<std::uint32_t>(value.size())};
  end_ += name.size() + value.size();
  size_ += static_cast<std::uint32_t>(added);
  ++count_;
  ++generation_;
}

void DynamicTable::clear() noexcept {
  evict_down_to(0);
}

void DynamicTable::set_max_size(std::uint32_t max_size) noexcept {
  max_size_ = max_size;
  evict_down_to(max_size);
}

void DynamicTable::evict_down_to(std::uint64_t size) noexcept {
  if (size_ <= size) return;
  while (size_ > size) {
    const Entry& gone = oldest();
    size_ -= gone.name_size + gone.value_size + static_cast<std::uint32_t>(field_overhead);
    --count_;
  }
  ++generation_;
}

/// Makes bytes_ hold `text_size` more bytes behind end_. At least half of the buffer is free after
/// a move, so that an insertion moves a bounded number of bytes on average.
void DynamicTable::make_room(std::size_t text_size) {
  if (end_ - base_ + text_size <= capacity_) return;
  const std::uint64_t begin = count_ == 0 ? end_ : oldest().begin;
  const std::size_t live = end_ - begin;
  const char* from = bytes_.get() + (begin - base_);
  if (const std::size_t wanted = 2 * (live + text_size); wanted > capacity_) {
    constexpr std::size_t first_capacity = 256;
    capacity_ = std::max(first_capacity, std::bit_ceil(wanted));
    auto grown = std::make_unique_for_overwrite<char[]>(capacity_);
    if (live != 0) std::memcpy(grown.get(), from, live);
    bytes_ = std::move(grown);
  } else if (live != 0) {
    std::memmove(bytes_.get(), from, live);
  }
  base_ = begin;
}

/// Doubles the ring. Every entry is filed again: its position is its number modulo the size.
void DynamicTable::grow_ring() {
  constexpr std::size_t first_count = 8;
  std::vector<Entry> grown(std::max(first_count, 2 * entries_.size()));
  for (std::uint32_t i = 0; i < count_; ++i) {
    const std::uint32_t number = newest_ - i;
    grown[number & (grown.size() - 1)] = entries_[number & (entries_.size() - 1)];
  }
  entries_ = std::move(grown);
}

}  // namespace nearcall::inline v0::detail::http2
