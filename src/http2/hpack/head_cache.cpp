// SPDX-License-Identifier: Apache-2.0
// HeadCache: finding the leading run of a block, and keeping its fields.
#include "http2/hpack/head_cache.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <utility>

namespace nearcall::inline v0::detail::http2 {
namespace {

constexpr std::uint64_t every_low_bit = 0x0101'0101'0101'0101U;
constexpr std::uint64_t every_high_bit = every_low_bit << 7U;

/// How many of the eight bytes, from the lowest, have the top bit set and are not 0xff (an index
/// that goes on in the next byte).
unsigned run_length(std::uint64_t word) noexcept {
  const std::uint64_t inverse = ~word;
  const std::uint64_t is_ff = (inverse - every_low_bit) & word;  // exact up to the first one
  const std::uint64_t ends = (inverse | is_ff) & every_high_bit;
  return static_cast<unsigned>(std::countr_zero(ends)) / 8U;  // 64 zeros make 8
}

template <class Word>
std::uint64_t load(const std::byte* from) noexcept {
  Word word;
  std::memcpy(&word, from, sizeof word);
  return word;
}

/// The block's first 16 bytes as two words, zeros where it ends before. Overlapping loads instead
/// of a copy of `size` bytes, which would cost more than all the rest of a look-up.
std::pair<std::uint64_t, std::uint64_t> first_sixteen(ByteSpan block) noexcept {
  const std::byte* const from = block.data();
  const std::size_t size = block.size();
  using std::uint32_t;
  using std::uint64_t;
  if (size >= 16) return {load<uint64_t>(from), load<uint64_t>(from + 8)};
  if (size > 8) return {load<uint64_t>(from), load<uint64_t>(from + size - 8) >> (8 * (16 - size))};
  if (size == 8) return {load<uint64_t>(from), 0};
  if (size >= 4)
    return {load<uint32_t>(from) | load<uint32_t>(from + size - 4) << (8 * (size - 4)), 0};
  uint64_t low = 0;
  for (std::size_t i = 0; i < size; ++i) {
    low |= std::to_integer<uint64_t>(from[i]) << (8 * i);
  }
  return {low, 0};
}

std::uint64_t first_bytes(std::uint64_t word, unsigned count) noexcept {
  return count == 8 ? word : word & ((std::uint64_t{1} << (8U * count)) - 1U);
}

}  // namespace

HeadKey HeadKey::of(ByteSpan block) noexcept {
  const auto [low, high] = first_sixteen(block);
  const unsigned low_run = run_length(low);
  const unsigned high_run = low_run == 8 ? run_length(high) : 0;
  return {first_bytes(low, low_run), first_bytes(high, high_run), low_run + high_run};
}

DecodedHead::DecodedHead(std::span<const HeaderView> fields, std::uint32_t token)
    : fields_(fields.begin(), fields.end()), token_(token) {
  std::size_t total = 0;
  for (const HeaderView& field : fields_) {
    total += field_size(field);
  }
  list_size_ = static_cast<std::uint32_t>(total);
  text_ = std::make_unique_for_overwrite<char[]>(total - field_overhead * fields_.size());
  char* to = text_.get();
  const auto move_in = [&to](std::string_view& text) {
    const char* const begin = to;
    to = std::ranges::copy(text, to).out;
    text = {begin, text.size()};
  };
  for (HeaderView& field : fields_) {
    move_in(field.name);
    move_in(field.value);
  }
}

std::size_t HeadCache::position_of(const HeadKey& key) const noexcept {
  if (last_found_ < slots_.size() && slots_[last_found_].key.matches(key)) return last_found_;
  std::size_t position = 0;
  while (position < slots_.size() && !slots_[position].key.matches(key)) {
    ++position;
  }
  return position;
}

const HeadRef* HeadCache::find_whole(ByteSpan block, std::uint64_t generation) const noexcept {
  if (generation != generation_ || block.size() > 2 * sizeof(std::uint64_t)) return nullptr;
  const auto [low, high] = first_sixteen(block);
  for (const Slot& slot : slots_) {
    const bool is_block = slot.key.low == low && slot.key.high == high;
    if (is_block && slot.key.size == block.size()) return slot.head ? &slot.head : nullptr;
  }
  return nullptr;
}

HeadCache::Found HeadCache::find(const HeadKey& key, std::uint64_t generation) {
  if (generation != generation_) {
    slots_.clear();
    next_victim_ = 0;
    generation_ = generation;
  }
  const std::size_t position = position_of(key);
  if (position < slots_.size()) {
    last_found_ = position;
    const HeadRef& head = slots_[position].head;
    return {head ? &head : nullptr, Sighting::repeated};
  }
  if (slots_.size() < slot_count) {
    slots_.push_back({key, {}});
  } else {
    slots_[next_victim_] = {key, {}};
    next_victim_ = (next_victim_ + 1) % slot_count;
  }
  return {};
}

void HeadCache::store(const HeadKey& key, std::span<const HeaderView> fields) {
  if (last_token_ == std::numeric_limits<std::uint32_t>::max()) return;
  std::size_t text_size = 0;
  for (const HeaderView& field : fields) {
    text_size += field_size(field) - field_overhead;
  }
  if (text_size > max_text) return;
  slots_[position_of(key)].head = HeadRef(new DecodedHead(fields, ++last_token_));
}

}  // namespace nearcall::inline v0::detail::http2
