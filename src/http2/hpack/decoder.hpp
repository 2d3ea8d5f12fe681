// SPDX-License-Identifier: Apache-2.0
// HpackDecoder: header blocks to header lists (RFC 7541 section 3).
#pragma once

#include "base/bytes.hpp"
#include "http2/hpack/dynamic_table.hpp"
#include "http2/hpack/head_cache.hpp"
#include "http2/hpack/header_list.hpp"
#include "http2/protocol.hpp"
#include "http2/violation.hpp"

#include <nearcall/result.hpp>

#include <cstdint>
#include <optional>

namespace nearcall::inline v0::detail::http2 {

/// What a peer may make us keep of one header block.
struct DecoderLimits {
  /// The sum of field_size(); what SETTINGS_MAX_HEADER_LIST_SIZE tells the peer.
  std::uint32_t max_list_size = 16 * 1024;
  std::uint32_t max_fields = 128;
  /// The sum of field_size() over a block's literal fields, kept or not: beyond it the block is a
  /// connection error. Two bytes can stand for a name as long as the dynamic table.
  std::uint64_t max_literal_size = std::uint64_t{256} * 1024;
};

/// Decodes the header blocks of one direction of one connection, in the order of their arrival.
///
/// A block beyond the limits is decoded all the same, without keeping its fields, so that the
/// dynamic table stays in step: HeaderList::is_truncated(). A block that breaks RFC 7541 is a
/// connection error COMPRESSION_ERROR, one whose literals are too much ENHANCE_YOUR_CALM, and the
/// decoder must not be used any more.
///
/// Memory: the dynamic table, up to 4 × its size, and a HeadCache; nothing before the first block.
/// Work: in proportion to the block's bytes and literal_size().
///
/// Thread safety: none.
class HpackDecoder {
 public:
  explicit HpackDecoder(DecoderLimits limits = {}) noexcept : limits_(limits) {}

  /// Decodes a whole block (HEADERS and its CONTINUATIONs put together) into `list`, in place of
  /// what was there; after a violation the list is empty.
  Result<void, Violation> decode(ByteSpan block, HeaderList& list);

  /// The peer has acknowledged our SETTINGS_HEADER_TABLE_SIZE. When that is less than what its
  /// encoder uses, its next block must begin with a size update (RFC 9113 section 4.3.1).
  void set_max_table_size(std::uint32_t size) noexcept;

  /// Gives memory back that the peer's next blocks can do without.
  void trim() noexcept { heads_.trim(); }

  const DynamicTable& table() const noexcept { return table_; }
  /// What the literal fields of the last block came to: about how many bytes were copied, twice.
  std::uint64_t literal_size() const noexcept { return literal_size_; }

 private:
  friend class BlockDecoder;

  DecoderLimits limits_;
  std::uint64_t literal_size_ = 0;
  std::uint32_t allowed_table_size_ = default_setting::header_table_size;
  /// The next block must begin with an update to this or less.
  std::optional<std::uint32_t> required_update_;
  DynamicTable table_{default_setting::header_table_size};
  HeadCache heads_;
};

}  // namespace nearcall::inline v0::detail::http2
