// SPDX-License-Identifier: Apache-2.0
// Our HPACK against nghttp2's, both ways, on random lists while the table size changes.
#include "hex.hpp"
#include "http2/hpack/decoder.hpp"
#include "http2/hpack/encoder.hpp"
#include "http2/hpack/huffman.hpp"
#include "random_fields.hpp"

#include <gtest/gtest.h>
#include <nghttp2/nghttp2.h>

#include <memory>
#include <optional>
#include <utility>

namespace nearcall::inline v0::detail::http2 {
namespace {

using OwnedField = std::pair<std::string, std::string>;

std::uint8_t* octets(std::string_view text) {
  // nghttp2_nv takes pointers to non-const and does not write through them.
  return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
}

class Deflater {
 public:
  Deflater() { EXPECT_EQ(nghttp2_hd_deflate_new(&deflater_, 4096), 0); }
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;
  ~Deflater() { nghttp2_hd_deflate_del(deflater_); }

  void change_table_size(std::uint32_t size) {
    ASSERT_EQ(nghttp2_hd_deflate_change_table_size(deflater_, size), 0);
  }
  Bytes encode(std::span<const HeaderField> fields) {
    std::vector<nghttp2_nv> pairs;
    for (const HeaderField& field : fields) {
      const auto flags = static_cast<std::uint8_t>(
          field.indexing == Indexing::never ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE);
      pairs.push_back(
          {octets(field.name), octets(field.value), field.name.size(), field.value.size(), flags});
    }
    Bytes block(nghttp2_hd_deflate_bound(deflater_, pairs.data(), pairs.size()));
    const auto written =
        nghttp2_hd_deflate_hd(deflater_, reinterpret_cast<std::uint8_t*>(block.data()),
                              block.size(), pairs.data(), pairs.size());
    EXPECT_GE(written, 0);
    return {block.begin(), block.begin() + written};
  }
  std::size_t entry_count() const {
    return nghttp2_hd_deflate_get_num_table_entries(deflater_) - 61;
  }
  std::size_t table_size() const { return nghttp2_hd_deflate_get_dynamic_table_size(deflater_); }

 private:
  nghttp2_hd_deflater* deflater_ = nullptr;
};

class Inflater {
 public:
  Inflater() { EXPECT_EQ(nghttp2_hd_inflate_new(&inflater_), 0); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() { nghttp2_hd_inflate_del(inflater_); }

  void change_table_size(std::uint32_t size) {
    ASSERT_EQ(nghttp2_hd_inflate_change_table_size(inflater_, size), 0);
  }
  /// Nothing when nghttp2 refuses the block.
  std::optional<std::vector<OwnedField>> decode(ByteSpan block) {
    std::vector<OwnedField> fields;
    const auto* input = reinterpret_cast<const std::uint8_t*>(block.data());
    std::size_t left = block.size();
    for (;;) {
      nghttp2_nv pair;
      int flags = 0;
      const auto read = nghttp2_hd_inflate_hd2(inflater_, &pair, &flags, input, left, 1);
      if (read < 0) return std::nullopt;
      input += read;
      left -= static_cast<std::size_t>(read);
      if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
        fields.emplace_back(std::string(reinterpret_cast<char*>(pair.name), pair.namelen),
                            std::string(reinterpret_cast<char*>(pair.value), pair.valuelen));
      }
      if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) {
        nghttp2_hd_inflate_end_headers(inflater_);
        return fields;
      }
    }
  }
  std::size_t entry_count() const {
    return nghttp2_hd_inflate_get_num_table_entries(inflater_) - 61;
  }
  std::size_t table_size() const { return nghttp2_hd_inflate_get_dynamic_table_size(inflater_); }

 private:
  nghttp2_hd_inflater* inflater_ = nullptr;
};

std::vector<OwnedField> owned(std::span<const HeaderField> fields) {
  std::vector<OwnedField> made;
  for (const HeaderField& field : fields) {
    made.emplace_back(field.name, field.value);
  }
  return made;
}
std::vector<OwnedField> owned(const HeaderList& list) {
  std::vector<OwnedField> made;
  for (const HeaderView& field : list) {
    made.emplace_back(field.name, field.value);
  }
  return made;
}

TEST(HpackAgainstNghttp2, OurDecoderReadsItsBlocks) {
  for (std::uint32_t seed = 0; seed < 5; ++seed) {
    RandomFields random(seed);
    Deflater deflater;
    HpackDecoder decoder;
    HeaderList list;
    for (int i = 0; i < 2'000; ++i) {
      if (random.one_in(20)) {
        for (int changes = random.below(3); changes >= 0; --changes) {
          const std::uint32_t size = random.table_size();
          decoder.set_max_table_size(size);
          deflater.change_table_size(size);
        }
      }
      const std::vector<HeaderField> fields = random.fields();

      const auto decoded = decoder.decode(deflater.encode(fields), list);

      ASSERT_TRUE(decoded) << decoded.error().what;
      ASSERT_EQ(owned(list), owned(fields));
      ASSERT_EQ(decoder.table().entry_count(), deflater.entry_count());
      ASSERT_EQ(decoder.table().size(), deflater.table_size());
    }
  }
}

TEST(HpackAgainstNghttp2, ItReadsTheBlocksOfOurEncoder) {
  for (std::uint32_t seed = 0; seed < 5; ++seed) {
    RandomFields random(100 + seed);
    HpackEncoder encoder;
    Inflater inflater;
    for (int i = 0; i < 2'000; ++i) {
      if (random.one_in(20)) {
        for (int changes = random.below(3); changes >= 0; --changes) {
          const std::uint32_t size = random.table_size();
          inflater.change_table_size(size);
          encoder.set_peer_max_table_size(size);
        }
      }
      const std::vector<HeaderField> fields = random.fields();
      Bytes block;
      encoder.encode(fields, block);

      const auto decoded = inflater.decode(block);

      ASSERT_TRUE(decoded) << to_hex(block);
      ASSERT_EQ(*decoded, owned(fields));
      ASSERT_EQ(inflater.entry_count(), encoder.table().entry_count());
      ASSERT_EQ(inflater.table_size(), encoder.table().size());
    }
  }
}

TEST(HpackAgainstNghttp2, ItReadsOurCachedBlocks) {
  RandomFields random(200);
  HpackEncoder encoder;
  Inflater inflater;
  std::vector<std::pair<std::vector<HeaderField>, EncodedBlock>> templates(8);
  for (auto& [fields, cache] : templates) {
    fields = random.small_list();
  }
  for (int i = 0; i < 5'000; ++i) {
    if (random.one_in(500)) {
      const std::uint32_t size = random.table_size();
      inflater.change_table_size(size);
      encoder.set_peer_max_table_size(size);
    }
    auto& [fields, cache] = templates[static_cast<std::size_t>(random.below(8))];
    const std::vector<HeaderField> varying = random.varying_fields();
    Bytes block;
    encoder.encode(fields, cache, block);
    encoder.encode(varying, block);

    const auto decoded = inflater.decode(block);

    ASSERT_TRUE(decoded) << to_hex(block);
    std::vector<OwnedField> expected = owned(fields);
    for (const OwnedField& field : owned(varying)) {
      expected.push_back(field);
    }
    ASSERT_EQ(*decoded, expected);
  }
}

TEST(HpackAgainstNghttp2, BothUnderstandDamagedBlocksTheSameWay) {
  RandomFields random(300);
  int both_refused = 0;
  int both_decoded = 0;
  for (int round = 0; round < 3'000; ++round) {
    Deflater deflater;
    HpackDecoder decoder({.max_list_size = 1'000'000, .max_fields = 100'000});
    Inflater inflater;
    HeaderList list;
    for (int i = 0; i < 10; ++i) {
      Bytes block = deflater.encode(random.fields());
      for (int flips = random.below(2); flips > 0 && !block.empty(); --flips) {
        block[static_cast<std::size_t>(random.below(static_cast<int>(block.size())))] =
            static_cast<std::byte>(random.below(256));
      }
      const bool is_decoded = decoder.decode(block, list).ok();
      const auto theirs = inflater.decode(block);
      ASSERT_EQ(is_decoded, theirs.has_value()) << to_hex(block);
      if (!is_decoded) {
        ++both_refused;
        break;
      }
      ++both_decoded;
      ASSERT_EQ(owned(list), *theirs);
    }
  }
  EXPECT_GT(both_refused, 100);
  EXPECT_GT(both_decoded, 100);
}

TEST(HpackAgainstNghttp2, BothReadRandomHuffmanStringsTheSameWay) {
  RandomFields random(400);
  for (int i = 0; i < 20'000; ++i) {
    // Mostly ones, so that long codes, padding and EOS are common.
    Bytes coded(static_cast<std::size_t>(random.below(12)));
    for (std::byte& octet : coded) {
      octet = static_cast<std::byte>(random.one_in(2) ? 0xff : random.below(256));
    }
    std::vector<char> text(huffman_decoded_bound(coded.size()));
    const auto ours = huffman_decode(coded, text.data());
    Bytes block = from_hex("00 01 6e");
    block.push_back(static_cast<std::byte>(0x80U | coded.size()));
    block.insert(block.end(), coded.begin(), coded.end());

    const auto theirs = Inflater().decode(block);

    ASSERT_EQ(ours.has_value(), theirs.has_value()) << to_hex(coded);
    if (ours) {
      ASSERT_EQ(theirs->front().second, std::string(text.data(), *ours));
    }
  }
}

}  // namespace
}  // namespace nearcall::inline v0::detail::http2
