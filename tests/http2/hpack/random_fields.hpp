// SPDX-License-Identifier: Apache-2.0
// RandomFields: header lists for tests, the same ones for the same seed.
#pragma once

#include "http2/hpack/header_field.hpp"
#include "http2/hpack/static_table.hpp"

#include <cstdint>
#include <deque>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace nearcall::inline v0::detail::http2 {

/// Makes lists that repeat names and values often enough for the tables to matter. The fields'
/// strings live as long as this.
class RandomFields {
 public:
  explicit RandomFields(std::uint32_t seed) : random_(seed) {
    for (int i = 0; i < 40; ++i) {
      pool_.push_back(text(1 + below(12), /*any_octet=*/false));
    }
    for (int i = 0; i < 40; ++i) {
      pool_.push_back(text(below(60), /*any_octet=*/i % 4 == 0));
    }
  }

  int below(int bound) {
    return std::uniform_int_distribution<int>(0, bound < 1 ? 0 : bound - 1)(random_);
  }
  bool one_in(int count) { return below(count) == 0; }
  std::uint32_t table_size() {
    constexpr std::uint32_t common[] = {0, 32, 64, 100, 256, 1000, 4096};
    if (one_in(2)) return common[below(7)];
    return static_cast<std::uint32_t>(below(4097));
  }

  /// Up to 15 fields with all kinds of indexing.
  std::vector<HeaderField> fields() {
    std::vector<HeaderField> made;
    for (int count = below(16); count > 0; --count) {
      const int choice = below(10);
      made.push_back(field(choice < 6   ? Indexing::incremental
                           : choice < 9 ? Indexing::without
                                        : Indexing::never));
    }
    return made;
  }
  std::vector<HeaderField> fields(Indexing indexing, int count) {
    std::vector<HeaderField> made;
    for (; count > 0; --count) {
      made.push_back(field(indexing));
    }
    return made;
  }
  /// Few enough bytes that a dozen such lists find room in a table together.
  std::vector<HeaderField> small_list() {
    for (;;) {
      std::vector<HeaderField> made = fields(Indexing::incremental, 4);
      std::size_t size = 0;
      for (const HeaderField& field : made) {
        size += field_size({field.name, field.value});
      }
      if (size <= 300) return made;
    }
  }
  /// What stands behind such a list: up to two fields, now and then some that are remembered.
  std::vector<HeaderField> varying_fields() {
    const int count = below(3);
    return fields(one_in(100) ? Indexing::incremental : Indexing::without, count);
  }

 private:
  HeaderField field(Indexing indexing) {
    const HeaderView known = static_table_entry(static_cast<std::uint32_t>(1 + below(61)));
    const std::string_view name = one_in(2) ? known.name : pooled(40);
    if (one_in(4)) return {known.name, known.value, indexing};
    if (one_in(10)) {
      const int size = below(one_in(20) ? 4100 : 100);
      fresh_.push_back(text(size, one_in(3)));
      return {name, fresh_.back(), indexing};
    }
    return {name, pooled(80), indexing};
  }
  std::string_view pooled(int bound) { return pool_[static_cast<std::size_t>(below(bound))]; }
  std::string text(int size, bool any_octet) {
    std::string made(static_cast<std::size_t>(size), '\0');
    for (char& c : made) {
      c = static_cast<char>(any_octet ? below(256) : 'a' + below(26));
    }
    return made;
  }

  std::mt19937 random_;
  std::vector<std::string> pool_;
  std::deque<std::string> fresh_;
};

}  // namespace nearcall::inline v0::detail::http2
