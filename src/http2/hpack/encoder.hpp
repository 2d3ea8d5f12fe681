// SPDX-License-Identifier: Apache-2.0
// HpackEncoder: header lists to header blocks (RFC 7541 section 3).
#pragma once

#include "base/bytes.hpp"
#include "http2/hpack/dynamic_table.hpp"
#include "http2/hpack/header_field.hpp"
#include "http2/protocol.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <vector>

namespace nearcall::inline v0::detail::http2 {

/// A place where an encoder remembers how it wrote some fields: one per list of fields and
/// encoder. Starts empty; what it holds is used only while it is still right.
class EncodedBlock {
 public:
  /// Enough for any list that is all indexed; longer encodings are not remembered.
  static constexpr std::size_t max_size = 40;

 private:
  friend class HpackEncoder;

  const void* encoder_ = nullptr;  // who wrote it; only compared
  std::uint64_t generation_ = 0;   // of the encoder's table
  std::uint32_t size_ = 0;
  std::array<std::byte, max_size> bytes_{};  // zeros behind the first size_
};

/// Encodes the header blocks of one direction of one connection, in the order of their sending.
///
/// Which fields the peer is to remember is the caller's choice, field by field (Indexing). What is
/// remembered is Huffman-coded where that is shorter; one-off literals are written plainly, since
/// between processes of one machine a byte costs less than coding it.
///
/// Thread safety: none.
class HpackEncoder {
 public:
  /// The most that we use of the peer's table, whatever it offers.
  static constexpr std::uint32_t max_table_size = 4096;
  /// The longest name or value that may be encoded.
  static constexpr std::size_t max_text_size = std::size_t{1} << 28U;

  HpackEncoder() = default;
  HpackEncoder(const HpackEncoder&) = delete;
  HpackEncoder& operator=(const HpackEncoder&) = delete;
  ~HpackEncoder() = default;

  /// Appends `fields` to a block. A block may be put together by several calls, with none of
  /// set_peer_max_table_size() in between, and has to be sent once it is encoded.
  /// REQUIRES: names and values of at most max_text_size bytes.
  void encode(std::span<const HeaderField> fields, std::vector<std::byte>& out);
  /// The same with one choice for all of them.
  void encode(std::span<const HeaderView> fields, Indexing indexing, std::vector<std::byte>& out);
  /// The same for fields that come again and again: from the third time on this is a copy of a few
  /// bytes, until the table changes. Fields that differ from call to call go behind them, without
  /// indexing. REQUIRES: `cache` was only ever used with these fields and this encoder.
  void encode(std::span<const HeaderField> fields,
              EncodedBlock& cache,
              std::vector<std::byte>& out);

  /// How many bytes that would append, if they are in the cache and a block may begin with them;
  /// else 0.
  std::size_t known_size(const EncodedBlock& cache) const noexcept {
    const bool is_right =
        cache.generation_ == table_.generation() && cache.encoder_ == this && !size_change_;
    return is_right ? cache.size_ : 0;
  }
  /// Copies them, and whatever is behind them, EncodedBlock::max_size bytes in all.
  static void copy_known(const EncodedBlock& cache, std::byte* to) noexcept {
    std::memcpy(to, cache.bytes_.data(), EncodedBlock::max_size);
  }

  /// The peer's SETTINGS_HEADER_TABLE_SIZE. The next block begins with the size updates that RFC
  /// 7541 section 4.2 asks for: the least value since the last block, then the one that holds.
  void set_peer_max_table_size(std::uint32_t size) noexcept;

  const DynamicTable& table() const noexcept { return table_; }

 private:
  void write_size_updates(std::vector<std::byte>& out);
  void write_field(const HeaderField& field, std::vector<std::byte>& out);

  DynamicTable table_{default_setting::header_table_size};
  /// What the table's size was set to since the last block: the least value, and the last.
  struct SizeChange {
    std::uint32_t least;
    std::uint32_t last;
  };
  std::optional<SizeChange> size_change_;
};

}  // namespace nearcall::inline v0::detail::http2
