// SPDX-License-Identifier: Apache-2.0
// HeaderList: how it begins again.
#include "http2/hpack/header_list.hpp"

namespace nearcall::inline v0::detail::http2 {

void HeaderList::clear() noexcept {
  fields_ = {};
  list_size_ = 0;
  arena_.reset();
  head_ = {};
  is_truncated_ = false;
}

void HeaderList::trim() noexcept {
  clear();
  own_ = std::vector<HeaderView>();
  arena_ = TextArena();
}

void HeaderList::start_with(const HeadRef& head) {
  if (head_.get() != head.get()) head_ = head;
  fields_ = head->fields();
  list_size_ = head->list_size();
  arena_.reset();
  is_truncated_ = false;
}

void HeaderList::add(const HeaderView& field) {
  if (fields_.data() != own_.data()) own_.assign(fields_.begin(), fields_.end());
  own_.push_back(field);
  fields_ = own_;
  list_size_ += field_size(field);
}

void HeaderList::truncate() noexcept {
  clear();
  is_truncated_ = true;
}

}  // namespace nearcall::inline v0::detail::http2
