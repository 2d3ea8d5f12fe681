// SPDX-License-Identifier: Apache-2.0
// HpackDecoder: one pass over a block.
#include "http2/hpack/decoder.hpp"

#include "http2/hpack/huffman.hpp"
#include "http2/hpack/integer.hpp"

#include <algorithm>
#include <string_view>

namespace nearcall::inline v0::detail::http2 {
namespace {

constexpr bool has_pattern(std::byte octet, unsigned mask, unsigned pattern) noexcept {
  return (std::to_integer<unsigned>(octet) & mask) == pattern;
}

}  // namespace

/// One block on its way through the decoder. A step that finds it malformed returns false or
/// nothing; violation() says why.
class BlockDecoder {
 public:
  BlockDecoder(HpackDecoder& decoder, ByteSpan block, HeaderList& list) noexcept
      : decoder_(decoder), table_(decoder.table_), input_(block), list_(list) {}

  bool run();
  /// REQUIRES: run() failed.
  Failure<Violation> violation() const { return connection_error(code_, problem_); }

 private:
  /// A string that was read. One that is too long for the list and for the table has no text.
  struct Text {
    std::string_view text;
    std::uint64_t size = 0;
  };

  std::nullopt_t fail(std::string_view problem) noexcept {
    problem_ = problem;
    return std::nullopt;
  }
  bool refuse(std::string_view problem) noexcept {
    problem_ = problem;
    return false;
  }
  bool size_updates();
  bool fields();
  bool indexed_field();
  bool literal_field(unsigned index_bits, bool is_remembered);
  std::optional<std::uint32_t> integer(unsigned prefix_bits);
  std::optional<HeaderView> entry(std::uint32_t index);
  std::optional<Text> name(unsigned index_bits);
  std::optional<Text> string();
  std::optional<Text> huffman_string(ByteSpan coded);

  /// Strings beyond this are of no use: they fit neither the list nor the table.
  std::uint64_t useful_size() const noexcept {
    return std::max<std::uint64_t>(decoder_.limits_.max_list_size, table_.max_size());
  }
  /// Whether another field of that size is to be kept; from the first that is not, none is.
  bool has_room(std::uint64_t size) noexcept;

  HpackDecoder& decoder_;
  DynamicTable& table_;
  ByteSpan input_;
  HeaderList& list_;
  ErrorCode code_ = ErrorCode::compression_error;
  std::string_view problem_;
};

bool BlockDecoder::run() {
  const HeadKey key = decoder_.required_update_ ? HeadKey{} : HeadKey::of(input_);
  if (key.size == 0) {
    list_.clear();
    return size_updates() && fields();
  }
  const std::uint64_t generation = table_.generation();
  const HeadCache::Found found = decoder_.heads_.find(key, generation);
  if (found.head != nullptr) {
    list_.start_with(*found.head);
    input_ = input_.subspan(key.size);
    return fields();
  }
  list_.clear();
  if (!fields()) return false;
  if (found.sighting == HeadCache::Sighting::repeated && !list_.is_truncated() &&
      table_.generation() == generation) {
    decoder_.heads_.store(key, list_.fields().first(key.size));
  }
  return true;
}

/// RFC 7541 section 4.2: at most two, and only at the start of a block.
bool BlockDecoder::size_updates() {
  constexpr int max_updates = 2;
  std::optional<std::uint32_t>& required = decoder_.required_update_;
  for (int count = 0; !input_.empty() && has_pattern(input_[0], 0xe0, 0x20); ++count) {
    if (count == max_updates) return refuse("more than two dynamic table size updates");
    const std::optional<std::uint32_t> size = integer(5);
    if (!size) return false;
    if (*size > decoder_.allowed_table_size_) {
      return refuse("dynamic table size update above SETTINGS_HEADER_TABLE_SIZE");
    }
    if (required && *size > *required) break;
    required.reset();
    table_.set_max_size(*size);
  }
  if (required) {
    return refuse("no dynamic table size update after SETTINGS_HEADER_TABLE_SIZE was reduced");
  }
  return true;
}

bool BlockDecoder::fields() {
  while (!input_.empty()) {
    const std::byte octet = input_[0];
    bool is_read = false;
    if (has_pattern(octet, 0x80, 0x80)) {
      is_read = indexed_field();
    } else if (has_pattern(octet, 0xc0, 0x40)) {
      is_read = literal_field(6, /*is_remembered=*/true);
    } else if (has_pattern(octet, 0xe0, 0x00)) {  // without indexing, or never indexed
      is_read = literal_field(4, /*is_remembered=*/false);
    } else {
      return refuse("dynamic table size update after a field");
    }
    if (!is_read) return false;
  }
  return true;
}

bool BlockDecoder::indexed_field() {
  const std::optional<std::uint32_t> index = integer(7);
  if (!index) return false;
  std::optional<HeaderView> field = entry(*index);
  if (!field) return false;
  if (!has_room(field_size(*field))) return true;
  if (*index > static_table_size) {  // a later insertion may evict it
    const std::size_t name_size = field->name.size();
    const std::string_view entry_text(field->name.data(), name_size + field->value.size());
    const std::string_view kept = list_.arena_.copy(entry_text);
    field = HeaderView{kept.substr(0, name_size), kept.substr(name_size)};
  }
  list_.add(*field);
  return true;
}

bool BlockDecoder::literal_field(unsigned index_bits, bool is_remembered) {
  if (list_.is_truncated_) list_.arena_.reset();  // nothing is kept there any more
  const std::optional<Text> name_text = name(index_bits);
  if (!name_text) return false;
  const std::optional<Text> value_text = string();
  if (!value_text) return false;
  const std::uint64_t size = name_text->size + value_text->size + field_overhead;
  decoder_.literal_size_ += size;
  if (decoder_.literal_size_ > decoder_.limits_.max_literal_size) {
    code_ = ErrorCode::enhance_your_calm;
    return refuse("a header block of too many bytes, decoded (max_header_block_size)");
  }
  if (is_remembered) {
    if (size > table_.max_size()) {
      table_.clear();
    } else {
      table_.insert(name_text->text, value_text->text);
    }
  }
  if (has_room(size)) list_.add({name_text->text, value_text->text});
  return true;
}

std::optional<std::uint32_t> BlockDecoder::integer(unsigned prefix_bits) {
  const std::optional<DecodedInteger> decoded = decode_integer(input_, prefix_bits);
  if (!decoded) return fail("integer cut off or longer than 5 bytes");
  input_ = input_.subspan(decoded->size);
  return decoded->value;
}

std::optional<HeaderView> BlockDecoder::entry(std::uint32_t index) {
  if (index == 0) return fail("index 0");
  if (index <= static_table_size) return static_table_entry(index);
  const std::uint32_t position = index - static_table_size - 1;
  if (position >= table_.entry_count()) return fail("index beyond the dynamic table");
  return table_.entry(position);
}

std::optional<BlockDecoder::Text> BlockDecoder::name(unsigned index_bits) {
  const std::optional<std::uint32_t> index = integer(index_bits);
  if (!index) return std::nullopt;
  if (*index == 0) return string();
  const std::optional<HeaderView> field = entry(*index);
  if (!field) return std::nullopt;
  if (*index <= static_table_size) return Text{field->name, field->name.size()};
  return Text{list_.arena_.copy(field->name), field->name.size()};
}

std::optional<BlockDecoder::Text> BlockDecoder::string() {
  if (input_.empty()) return fail("string cut off");
  const bool is_huffman = has_pattern(input_[0], 0x80, 0x80);
  const std::optional<std::uint32_t> size = integer(7);
  if (!size) return std::nullopt;
  if (*size > input_.size()) return fail("string longer than the rest of the block");
  const ByteSpan coded = input_.first(*size);
  input_ = input_.subspan(*size);
  if (is_huffman) return huffman_string(coded);
  if (*size > useful_size()) return Text{{}, *size};
  return Text{list_.arena_.copy(as_text(coded)), *size};
}

std::optional<BlockDecoder::Text> BlockDecoder::huffman_string(ByteSpan coded) {
  constexpr std::string_view malformed = "Huffman string with bad padding or EOS";
  std::size_t room = huffman_decoded_bound(coded.size());
  if (room > useful_size()) {
    const std::optional<std::size_t> size = huffman_decoded_size(coded);
    if (!size) return fail(malformed);
    if (*size > useful_size()) return Text{{}, *size};
    room = *size;
  }
  const std::optional<std::size_t> size = huffman_decode(coded, list_.arena_.reserve(room));
  if (!size) return fail(malformed);
  return Text{list_.arena_.take(*size), *size};
}

bool BlockDecoder::has_room(std::uint64_t size) noexcept {
  if (list_.is_truncated_) return false;
  if (list_.fields_.size() < decoder_.limits_.max_fields &&
      list_.list_size_ + size <= decoder_.limits_.max_list_size) {
    return true;
  }
  list_.truncate();
  return false;
}

Result<void, Violation> HpackDecoder::decode(ByteSpan block, HeaderList& list) {
  literal_size_ = 0;
  if (!required_update_) [[likely]] {
    if (const HeadRef* const head = heads_.find_whole(block, table_.generation())) {
      list.start_with(*head);
      return {};
    }
  }
  BlockDecoder decoder(*this, block, list);
  if (decoder.run()) return {};
  list.clear();
  return decoder.violation();
}

void HpackDecoder::set_max_table_size(std::uint32_t size) noexcept {
  allowed_table_size_ = size;
  if (size < table_.max_size()) required_update_ = std::min(size, required_update_.value_or(size));
}

}  // namespace nearcall::inline v0::detail::http2
