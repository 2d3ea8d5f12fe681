// SPDX-License-Identifier: Apache-2.0
// TextArena: how it grows, and what it keeps.
#include "http2/hpack/text_arena.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace nearcall::inline v0::detail::http2 {

std::string_view TextArena::copy(std::string_view text) {
  if (text.empty()) return {};
  std::memcpy(reserve(text.size()), text.data(), text.size());
  return take(text.size());
}

void TextArena::add_chunk(std::size_t size) {
  constexpr std::size_t first_size = 256;
  const std::size_t doubled = chunks_.empty() ? first_size : 2 * chunks_.back().size;
  const std::size_t chunk_size = std::max(size, doubled);
  chunks_.push_back({std::make_unique_for_overwrite<char[]>(chunk_size), chunk_size});
  next_ = chunks_.back().memory.get();
  limit_ = next_ + chunk_size;
  first_ = chunks_.front().memory.get();
  must_trim_ = chunks_.size() > 1 || chunk_size > max_kept;
}

void TextArena::trim() noexcept {
  while (!chunks_.empty() && chunks_.back().size > max_kept) {
    chunks_.pop_back();
  }
  if (chunks_.size() > 1) chunks_.erase(chunks_.begin(), chunks_.end() - 1);
  must_trim_ = false;
  first_ = chunks_.empty() ? nullptr : chunks_.front().memory.get();
  limit_ = chunks_.empty() ? nullptr : first_ + chunks_.front().size;
}

}  // namespace nearcall::inline v0::detail::http2
