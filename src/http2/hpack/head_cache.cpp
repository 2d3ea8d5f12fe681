// SPDX-License-Identifier: Apache-2.0
// HeadCache: finding the leading run of a block, and keeping its fields.
#include "http2/hpack/head_cache.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

namespace nearcall::http2 {
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

std::uint64_t first_bytes(std::uint64_t word, unsigned count) noexcept {
  return count == 8 ? word : word & ((std::uint64_t{1} << (8U * count)) - 1U);
}

}  // namespace

HeadKey HeadKey::of(ByteSpan block) noexcept {
  std::array<std::uint64_t, 2> words{};
  if (block.size() >= sizeof words) {
    std::memcpy(words.data(), block.data(), sizeof words);
  } else if (!block.empty()) {
    std::memcpy(words.data(), block.data(), block.size());
  }
  const unsigned low_run = run_length(words[0]);
  const unsigned high_run = low_run == 8 ? run_length(words[1]) : 0;
  return {first_bytes(words[0], low_run), first_bytes(words[1], high_run), low_run + high_run};
}

DecodedHead::DecodedHead(std::span<const HeaderView> fields, std::uint32_t token)
    : fields_(fields.begin(), fields.end()), token_(token) {
  std::size_t total = 0;
  for (const HeaderView& field : fields_)
    total += field_size(field);
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

HeadCache::Found HeadCache::find(const HeadKey& key, std::uint64_t generation) {
  if (!sets_) sets_ = std::make_unique<Sets>();
  if (generation != generation_) {
    *sets_ = {};
    generation_ = generation;
  }
  Set& set = set_of(key);
  for (const Slot& slot : set.slots) {
    if (!slot.key.matches(key)) continue;
    if (slot.head) return {&slot.head, Sighting::repeated};
    return {nullptr, Sighting::repeated};
  }
  set.slots[set.next_victim] = {key, {}};
  set.next_victim = (set.next_victim + 1) % way_count;
  return {};
}

void HeadCache::store(const HeadKey& key, std::span<const HeaderView> fields) {
  if (last_token_ == std::numeric_limits<std::uint32_t>::max()) return;
  std::size_t text_size = 0;
  for (const HeaderView& field : fields)
    text_size += field_size(field) - field_overhead;
  if (text_size > max_text) return;
  for (Slot& slot : set_of(key).slots) {
    if (!slot.key.matches(key)) continue;
    slot.head = HeadRef(new DecodedHead(fields, ++last_token_));
    return;
  }
}

}  // namespace nearcall::http2
