// SPDX-License-Identifier: Apache-2.0
// HeaderBlock: scratch memory in chunks, so that views of it stay valid.
#include "grpc/header_block.hpp"

#include <algorithm>
#include <cstring>

namespace nearcall::inline v0::detail::grpc {

char* HeaderBlock::scratch(std::size_t size) {
  if (size > free_size_) {
    const std::size_t chunk = std::max(size, 4 * inline_size);
    chunks_.push_back(std::make_unique_for_overwrite<char[]>(chunk));
    free_ = chunks_.back().get();
    free_size_ = chunk;
  }
  char* const taken = free_;
  free_ += size;
  free_size_ -= size;
  return taken;
}

std::string_view HeaderBlock::keep(std::string_view text) {
  if (text.empty()) return {};
  char* const to = scratch(text.size());
  std::memcpy(to, text.data(), text.size());
  return {to, text.size()};
}

std::size_t HeaderBlock::list_size() const noexcept {
  constexpr std::size_t field_overhead = 32;
  std::size_t size = 0;
  for (const HeaderView& field : fields_)
    size += field.name.size() + field.value.size() + field_overhead;
  return size;
}

void HeaderBlock::set(std::string_view name, std::string_view value) {
  const auto found = std::ranges::find(fields_, name, &HeaderView::name);
  if (found == fields_.end()) return add(name, value);
  found->value = value;
}

void HeaderBlock::clear() noexcept {
  if (fields_.capacity() > kept_fields) {
    fields_ = std::vector<HeaderView>();  // `{}` would keep the memory
  } else {
    fields_.clear();
  }
  chunks_.clear();
  free_ = inline_.data();
  free_size_ = inline_size;
}

}  // namespace nearcall::inline v0::detail::grpc
