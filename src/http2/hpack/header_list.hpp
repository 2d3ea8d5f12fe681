// SPDX-License-Identifier: Apache-2.0
// HeaderList: the fields of one decoded header block.
#pragma once

#include "http2/hpack/head_cache.hpp"
#include "http2/hpack/header_field.hpp"
#include "http2/hpack/text_arena.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace nearcall::inline v0::detail::http2 {

/// The fields of a header block, in order, as views that stay good until the list is cleared or
/// decoded into again; what happens to the decoder does not matter to them. Meant to be used again
/// and again: then it does not allocate. Names and values are as they came, unchecked: any byte may
/// occur. That a field was marked "never indexed" is not kept, since nothing here forwards fields.
///
/// Thread safety: none, and a list goes with the connection whose decoder fills it.
class HeaderList {
 public:
  HeaderList() = default;
  HeaderList(const HeaderList&) = delete;
  HeaderList& operator=(const HeaderList&) = delete;
  ~HeaderList() = default;

  std::span<const HeaderView> fields() const noexcept { return fields_; }
  auto begin() const noexcept { return fields_.begin(); }
  auto end() const noexcept { return fields_.end(); }
  std::size_t size() const noexcept { return fields_.size(); }
  bool empty() const noexcept { return fields_.empty(); }
  const HeaderView& operator[](std::size_t position) const noexcept { return fields_[position]; }

  /// The block held more than the limits allow (RFC 9113 section 10.5.1). No field was kept, but
  /// the decoder is in step with the peer: only this stream has to go.
  bool is_truncated() const noexcept { return is_truncated_; }
  /// The sum of field_size() over the fields.
  std::size_t list_size() const noexcept { return list_size_; }

  /// A number that stands for exactly the first head_count() fields, or 0. The same decoder gives
  /// it only to those fields, in this order, so what follows from them may be kept under it. It
  /// changes when the peer's dynamic table does; numbers of different decoders have nothing to do
  /// with each other.
  std::uint32_t head_token() const noexcept { return head_ ? head_->token() : 0; }
  std::size_t head_count() const noexcept { return head_ ? head_->fields().size() : 0; }

  void clear() noexcept;
  /// The same, and gives its memory back.
  void trim() noexcept;

 private:
  friend class BlockDecoder;
  friend class HpackDecoder;

  /// Drops what was there and begins with the fields of `head`, which the list then keeps alive.
  void start_with(const HeadRef& head);
  void add(const HeaderView& field);
  void truncate() noexcept;

  std::span<const HeaderView> fields_;  // own_, or those of head_ where nothing follows them
  std::vector<HeaderView> own_;
  std::size_t list_size_ = 0;
  TextArena arena_;
  HeadRef head_;
  bool is_truncated_ = false;
};

}  // namespace nearcall::inline v0::detail::http2
