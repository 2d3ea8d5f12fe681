// SPDX-License-Identifier: Apache-2.0
// HeaderTemplate: its own copy of the fields, and its number.
#include "http2/header_template.hpp"

#include <atomic>
#include <cstring>
#include <utility>

namespace nearcall::inline v0::detail::http2 {
namespace {

std::uint64_t next_id() noexcept {
  /// The last number given out. Only grows; nothing is ordered by it.
  static std::atomic<std::uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

}  // namespace

const HeaderTemplate& HeaderTemplate::none() {
  static const HeaderTemplate empty(std::span<const HeaderField>{});
  return empty;
}

void TemplateCache::take_in(std::uint64_t id) {
  static constexpr std::size_t first_slots = 2;
  if (slots_.empty()) slots_.resize(first_slots);
  while (slot_of(id).id != 0 && slots_.size() < most_slots) {
    std::vector<Slot> larger(2 * slots_.size());
    for (Slot& slot : slots_) {
      if (slot.id != 0) larger[slot.id & (larger.size() - 1)] = std::move(slot);
    }
    slots_ = std::move(larger);
  }
  slot_of(id) = Slot{id, {}};
}

HeaderTemplate::HeaderTemplate(std::span<const HeaderField> fields) : id_(next_id()) {
  std::size_t size = 0;
  for (const HeaderField& field : fields) {
    size += field.name.size() + field.value.size();
  }
  list_size_ = size + fields.size() * field_overhead;
  text_ = std::make_unique_for_overwrite<char[]>(size);
  char* end = text_.get();
  const auto keep = [&end](std::string_view text) {
    if (!text.empty()) std::memcpy(end, text.data(), text.size());
    const std::string_view kept(end, text.size());
    end += text.size();
    return kept;
  };
  fields_.reserve(fields.size());
  for (const HeaderField& field : fields) {
    fields_.push_back({keep(field.name), keep(field.value), field.indexing});
  }
}

}  // namespace nearcall::inline v0::detail::http2
