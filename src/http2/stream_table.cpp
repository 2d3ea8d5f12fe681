// SPDX-License-Identifier: Apache-2.0
// StreamTable: adding and removing streams.
#include "http2/stream_table.hpp"

#include "base/check.hpp"

#include <algorithm>
#include <utility>

namespace nearcall::inline v0::detail::http2 {
namespace {

constexpr std::size_t first_block = 1;
constexpr std::size_t largest_block = 256;
constexpr std::size_t first_entries = 4;

}  // namespace

Stream& StreamTable::add(StreamId id) {
  if ((size_ + 1) * 2 > entries_.size()) grow();
  if (free_.empty()) add_block();
  Stream& stream = *free_.back();
  free_.pop_back();
  stream.id_ = id;
  insert(id, &stream);
  ++size_;
  return stream;
}

void StreamTable::insert(StreamId id, Stream* stream) noexcept {
  std::size_t at = home_of(id);
  while (entries_[at].id != 0) {
    at = (at + 1) & (entries_.size() - 1);
  }
  entries_[at] = {id, stream};
}

void StreamTable::remove(Stream& stream) noexcept {
  const std::size_t mask = entries_.size() - 1;
  std::size_t hole = home_of(stream.id_);
  while (entries_[hole].stream != &stream) {
    hole = (hole + 1) & mask;
  }
  // Close the hole: move each entry behind it that may stand there.
  for (std::size_t at = (hole + 1) & mask; entries_[at].id != 0; at = (at + 1) & mask) {
    const std::size_t distance = (at - home_of(entries_[at].id)) & mask;
    if (distance < ((at - hole) & mask)) continue;
    entries_[hole] = entries_[at];
    hole = at;
  }
  entries_[hole] = {};
  --size_;
  static_assert(sizeof(void*) != 8 || sizeof(Stream) == Stream::size_known_to_renew,
                "a new member of Stream is renewed, too");
  stream.renew();
  free_.push_back(&stream);  // has room: see add_block()
}

void StreamTable::grow() {
  const std::size_t size = std::max(entries_.size() * 2, first_entries);
  const std::vector<Entry> old = std::exchange(entries_, std::vector<Entry>(size));
  shift_ = 32U - static_cast<std::uint32_t>(std::countr_zero(size));
  for (const Entry& entry : old) {
    if (entry.id != 0) insert(entry.id, entry.stream);
  }
}

void StreamTable::add_block() {
  const std::size_t size =
      blocks_.empty() ? first_block : std::min(blocks_.back().size * 2, largest_block);
  blocks_.push_back({std::make_unique<Stream[]>(size), size});
  std::size_t total = 0;
  for (const Block& block : blocks_) {
    total += block.size;
  }
  free_.reserve(total);
  Stream* const streams = blocks_.back().streams.get();
  for (std::size_t i = size; i > 0; --i) {
    free_.push_back(&streams[i - 1]);
  }
}

void StreamTable::trim() noexcept {
  if (size_ != 0) return;
  entries_ = std::vector<Entry>();
  blocks_ = std::vector<Block>();
  free_ = std::vector<Stream*>();
}

}  // namespace nearcall::inline v0::detail::http2
