// SPDX-License-Identifier: Apache-2.0
// StreamTable: the streams of a session, by id, at addresses that do not change.
#pragma once

#include "http2/stream.hpp"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace nearcall::inline v0::detail::http2 {

/// Streams in blocks of growing size, and a hash table with open addressing from ids to them.
/// Adding, finding and removing take constant time; in a steady state nothing is allocated, and an
/// unused table owns no memory.
///
/// Thread safety: none.
class StreamTable {
 public:
  StreamTable() = default;
  StreamTable(const StreamTable&) = delete;
  StreamTable& operator=(const StreamTable&) = delete;
  ~StreamTable() = default;

  Stream* find(StreamId id) const noexcept {
    if (entries_.empty()) return nullptr;
    for (std::size_t at = home_of(id);; at = (at + 1) & (entries_.size() - 1)) {
      const Entry& entry = entries_[at];
      if (entry.id == id) return entry.stream;
      if (entry.id == 0) return nullptr;
    }
  }
  /// REQUIRES: id > 0, and no stream has it.
  Stream& add(StreamId id);
  void remove(Stream& stream) noexcept;
  std::size_t size() const noexcept { return size_; }

  /// Calls visit(Stream&) for each stream, about in the order of their making where none has gone.
  /// `visit` may remove the stream that it is given, and no other one; it must not add any.
  template <class Visit>
  void for_each(Visit&& visit) {
    for (const Block& block : blocks_) {
      for (std::size_t i = 0; i < block.size; ++i) {
        if (block.streams[i].id_ != 0) visit(block.streams[i]);
      }
    }
  }
  /// The other way round. For those who free much: what lies at the heap's end goes first then, and
  /// not last, with all that is free below it at once.
  template <class Visit>
  void for_each_from_newest(Visit&& visit) {
    for (auto block = blocks_.rbegin(); block != blocks_.rend(); ++block) {
      for (std::size_t i = block->size; i-- > 0;) {
        if (block->streams[i].id_ != 0) visit(block->streams[i]);
      }
    }
  }
  /// Gives memory back that an empty table does not need.
  void trim() noexcept;

 private:
  struct Entry {
    StreamId id = 0;  // 0: unused
    Stream* stream = nullptr;
  };
  struct Block {
    std::unique_ptr<Stream[]> streams;
    std::size_t size;
  };

  std::size_t home_of(StreamId id) const noexcept {
    return static_cast<std::uint32_t>(id * 0x9e37'79b1U) >> shift_;
  }
  void insert(StreamId id, Stream* stream) noexcept;
  void grow();
  void add_block();

  std::vector<Entry> entries_;  // a power of two, at most half full
  std::uint32_t shift_ = 0;     // 32 - log2(entries_.size())
  std::size_t size_ = 0;
  std::vector<Block> blocks_;
  std::vector<Stream*> free_;
};

}  // namespace nearcall::inline v0::detail::http2
