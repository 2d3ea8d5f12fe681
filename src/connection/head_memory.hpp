// SPDX-License-Identifier: Apache-2.0
// HeadMemory: what header blocks that repeat came to, so that they are read once.
#pragma once

#include "http2/hpack/header_list.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace nearcall::inline v0::detail {

/// What the leading fields of header lists came to, kept under HeaderList::head_token(). Views of
/// those fields may be kept too: a list with the same token keeps the same strings alive.
///
/// One for each decoder. At most 16 heads; none is kept before its block was seen three times, so a
/// peer that never repeats itself costs nothing. Thread safety: none.
template <class Meaning>
class HeadMemory {
 public:
  /// What keep() was told of the head of `list`, or null.
  Meaning* find(const http2::HeaderList& list) noexcept {
    const std::uint32_t token = list.head_token();
    if (token == 0) return nullptr;
    Slot* const slot = slots_[token % slot_count].get();
    return slot != nullptr && slot->token == token ? &slot->meaning : nullptr;
  }
  /// REQUIRES: list.head_token() != 0.
  Meaning& keep(const http2::HeaderList& list, Meaning meaning) {
    const std::uint32_t token = list.head_token();
    std::unique_ptr<Slot>& slot = slots_[token % slot_count];
    if (slot == nullptr) slot = std::make_unique<Slot>();
    slot->token = token;
    slot->meaning = std::move(meaning);
    return slot->meaning;
  }
  void clear() noexcept { slots_ = {}; }

 private:
  static constexpr std::size_t slot_count = 16;
  struct Slot {
    std::uint32_t token = 0;
    Meaning meaning;
  };
  std::array<std::unique_ptr<Slot>, slot_count> slots_;
};

}  // namespace nearcall::inline v0::detail
