// SPDX-License-Identifier: Apache-2.0
// HeaderList: how it begins again.
#include "http2/hpack/header_list.hpp"

namespace nearcall::http2 {

void HeaderList::clear() noexcept {
  fields_.clear();
  list_size_ = 0;
  arena_.reset();
  head_ = {};
  is_truncated_ = false;
}

void HeaderList::trim() noexcept {
  clear();
  fields_ = std::vector<HeaderView>();
  arena_ = TextArena();
}

void HeaderList::start_with(const HeadRef& head) {
  if (head_.get() == head.get()) {  // they are there already, in front
    fields_.resize(head->fields().size());
  } else {
    fields_.assign(head->fields().begin(), head->fields().end());
    head_ = head;
  }
  list_size_ = head->list_size();
  arena_.reset();
  is_truncated_ = false;
}

void HeaderList::truncate() noexcept {
  clear();
  is_truncated_ = true;
}

}  // namespace nearcall::http2
