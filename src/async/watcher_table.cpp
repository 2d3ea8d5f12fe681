// SPDX-License-Identifier: Apache-2.0
// Whose descriptor it is, and who is called.
#include "async/watcher_table.hpp"

#include <sys/epoll.h>

#include <utility>

namespace nearcall::inline v0::detail {

WatcherTable::Entry* WatcherTable::find(int fd) noexcept {
  const auto number = static_cast<std::size_t>(fd);
  const std::size_t page = number / page_size;
  if (page >= pages_.size() || pages_[page] == nullptr) return nullptr;
  return &(*pages_[page])[number % page_size];
}

void WatcherTable::add(int fd, FdWatcher& watcher) {
  const std::size_t page = static_cast<std::size_t>(fd) / page_size;
  if (page >= pages_.size()) pages_.resize(page + 1);
  if (pages_[page] == nullptr) pages_[page] = std::make_unique<Page>();
  if (++count_ > told_.capacity()) {
    told_.reserve(2 * count_);
    being_called_.reserve(2 * count_);
  }
  find(fd)->watcher = &watcher;
}

void WatcherTable::remove(int fd) noexcept {
  Entry& entry = *find(fd);
  if (entry.is_told) std::erase(told_, fd);
  entry = {};
  --count_;
}

bool WatcherTable::tell(int fd) noexcept {
  Entry* const entry = find(fd);
  if (entry == nullptr || entry->watcher == nullptr) return false;
  if (!entry->is_told) told_.push_back(fd);
  entry->is_told = true;
  return true;
}

bool WatcherTable::call_told() {
  bool has_called = false;
  being_called_.clear();
  std::swap(told_, being_called_);
  for (std::size_t index = 0; index < being_called_.size(); ++index) {  // add() may move it
    Entry* const entry = find(being_called_[index]);
    if (!std::exchange(entry->is_told, false)) continue;  // it was removed meanwhile
    has_called = true;
    entry->watcher->on_fd_events(EPOLLIN);
  }
  being_called_.clear();
  return has_called;
}

}  // namespace nearcall::inline v0::detail
