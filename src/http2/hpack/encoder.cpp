// SPDX-License-Identifier: Apache-2.0
// HpackEncoder: the choice of a representation, and writing it.
#include "http2/hpack/encoder.hpp"

#include "base/check.hpp"
#include "http2/hpack/huffman.hpp"
#include "http2/hpack/integer.hpp"
#include "http2/hpack/static_table.hpp"

#include <algorithm>
#include <cstring>

namespace nearcall::inline v0::detail::http2 {
namespace {

/// The first byte of each representation (RFC 7541 section 6), and how many of its bits are the
/// prefix of an integer.
struct Pattern {
  std::byte bits;
  unsigned prefix_bits;
};
constexpr Pattern indexed{std::byte{0x80}, 7};
constexpr Pattern size_update{std::byte{0x20}, 5};
constexpr Pattern huffman_string{std::byte{0x80}, 7};
constexpr Pattern plain_string{std::byte{0x00}, 7};

constexpr Pattern literal(Indexing indexing) noexcept {
  switch (indexing) {
    case Indexing::incremental:
      return {std::byte{0x40}, 6};
    case Indexing::without:
      return {std::byte{0x00}, 4};
    case Indexing::never:
      return {std::byte{0x10}, 4};
  }
  return {std::byte{0x10}, 4};
}

std::byte* write_integer(std::byte* to, Pattern pattern, std::size_t value) noexcept {
  return encode_integer(to, pattern.bits, pattern.prefix_bits, static_cast<std::uint32_t>(value));
}

std::byte* write_plain(std::byte* to, std::string_view text) noexcept {
  to = write_integer(to, plain_string, text.size());
  return std::ranges::copy(as_bytes(text), to).out;
}

/// Never longer than plain.
std::byte* write_shortest(std::byte* to, std::string_view text) noexcept {
  const std::size_t coded_size = huffman_encoded_size(text);
  if (coded_size >= text.size()) return write_plain(to, text);
  to = write_integer(to, huffman_string, coded_size);
  return huffman_encode(text, to);
}

/// Appends what `write` writes, given room for `bound` bytes; it returns the end of it.
template <class Write>
void append(std::vector<std::byte>& out, std::size_t bound, Write write) {
  const std::size_t before = out.size();
  out.resize(before + bound);
  std::byte* const begin = out.data() + before;
  out.resize(before + static_cast<std::size_t>(write(begin) - begin));
}

void append_integer(std::vector<std::byte>& out, Pattern pattern, std::uint32_t value) {
  if (value < (1U << pattern.prefix_bits) - 1U) {  // nearly always
    out.push_back(pattern.bits | static_cast<std::byte>(value));
    return;
  }
  append(out, max_encoded_integer_size,
         [&](std::byte* to) { return write_integer(to, pattern, value); });
}

}  // namespace

void HpackEncoder::encode(std::span<const HeaderField> fields, std::vector<std::byte>& out) {
  if (size_change_) write_size_updates(out);
  for (const HeaderField& field : fields) {
    write_field(field, out);
  }
}

void HpackEncoder::encode(std::span<const HeaderView> fields,
                          Indexing indexing,
                          std::vector<std::byte>& out) {
  if (size_change_) write_size_updates(out);
  for (const HeaderView& field : fields) {
    write_field({field.name, field.value, indexing}, out);
  }
}

void HpackEncoder::encode(std::span<const HeaderField> fields,
                          EncodedBlock& cache,
                          std::vector<std::byte>& out) {
  if (size_change_) write_size_updates(out);
  const std::uint64_t generation = table_.generation();
  if (cache.generation_ == generation && cache.encoder_ == this) {
    out.insert(out.end(), cache.bytes_.begin(), cache.bytes_.begin() + cache.size_);
    return;
  }
  const std::size_t before = out.size();
  for (const HeaderField& field : fields) {
    write_field(field, out);
  }
  const std::size_t size = out.size() - before;
  if (table_.generation() != generation || size > EncodedBlock::max_size) return;
  cache.encoder_ = this;
  cache.generation_ = generation;
  cache.size_ = static_cast<std::uint32_t>(size);
  std::copy_n(out.data() + before, size, cache.bytes_.begin());
}

void HpackEncoder::set_peer_max_table_size(std::uint32_t size) noexcept {
  const std::uint32_t used = std::min(size, max_table_size);
  if (size_change_) {
    size_change_ = SizeChange{std::min(size_change_->least, used), used};
  } else if (used != table_.max_size()) {
    size_change_ = SizeChange{used, used};
  }
}

void HpackEncoder::write_size_updates(std::vector<std::byte>& out) {
  const SizeChange change = *size_change_;
  size_change_.reset();
  append_integer(out, size_update, change.least);
  table_.set_max_size(change.least);
  if (change.last == change.least) return;
  append_integer(out, size_update, change.last);
  table_.set_max_size(change.last);
}

void HpackEncoder::write_field(const HeaderField& field, std::vector<std::byte>& out) {
  CHECK(field.name.size() <= max_text_size && field.value.size() <= max_text_size);
  const bool may_remember = field.indexing == Indexing::incremental &&
                            field_size({field.name, field.value}) <= table_.max_size();
  TableMatch match = find_in_static_table(field.name, field.value);
  if (may_remember && !match.is_exact) {
    const DynamicTable::Match seen = table_.find(field.name, field.value);
    if (seen.is_exact || (seen.found && match.index == 0)) {
      match = {static_table_size + 1 + seen.position, seen.is_exact};
    }
  }
  if (match.is_exact && field.indexing != Indexing::never) {
    append_integer(out, indexed, match.index);
    return;
  }
  const Pattern pattern =
      literal(field.indexing == Indexing::incremental && !may_remember ? Indexing::without
                                                                       : field.indexing);
  const auto write_string = may_remember ? write_shortest : write_plain;
  const std::size_t bound = field.name.size() + field.value.size() + 3 * max_encoded_integer_size;
  append(out, bound, [&](std::byte* to) {
    to = write_integer(to, pattern, match.index);
    if (match.index == 0) to = write_string(to, field.name);
    return write_string(to, field.value);
  });
  if (may_remember) table_.insert(field.name, field.value);
}

}  // namespace nearcall::inline v0::detail::http2
