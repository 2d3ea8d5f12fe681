// SPDX-License-Identifier: Apache-2.0
// WatcherTable: the watchers of a poller by their descriptors, and news that do not come by epoll.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace nearcall::inline v0::detail {

/// Is told what happened on a descriptor. REQUIRES: removed from the poller before it goes.
class FdWatcher {
 public:
  /// `epoll_events` as epoll_wait(2) reports them.
  virtual void on_fd_events(std::uint32_t epoll_events) = 0;

 protected:
  ~FdWatcher() = default;
};

/// Finds the watcher of a descriptor, so that what happens on the loop's own thread (a write to the
/// other end of a pipe in memory) wakes it without a system call.
///
/// By the descriptors' numbers, in pages: a process has many, and a loop may watch few of them.
/// Allocates in add() alone. Thread safety: none; owned by the loop.
class WatcherTable {
 public:
  WatcherTable() noexcept = default;
  WatcherTable(const WatcherTable&) = delete;
  WatcherTable& operator=(const WatcherTable&) = delete;

  /// REQUIRES: the descriptor has no watcher here.
  void add(int fd, FdWatcher& watcher);
  /// The watcher is not called from now on. REQUIRES: it was added.
  void remove(int fd) noexcept;
  bool empty() const noexcept { return count_ == 0; }

  /// Has call_told() call the watcher of `fd`, once. False: it has none.
  bool tell(int fd) noexcept;
  bool has_told() const noexcept { return !told_.empty(); }
  bool is_calling() const noexcept { return !being_called_.empty(); }
  /// Calls those that tell() named before, with EPOLLIN; whether there were any.
  bool call_told();

 private:
  static constexpr std::size_t page_size = 64;

  struct Entry {
    FdWatcher* watcher = nullptr;
    bool is_told = false;
  };
  using Page = std::array<Entry, page_size>;

  /// Null where no page is.
  Entry* find(int fd) noexcept;

  std::vector<std::unique_ptr<Page>> pages_;
  std::size_t count_ = 0;
  /// Both have room for each watcher, so that tell() allocates nothing.
  std::vector<int> told_;
  std::vector<int> being_called_;
};

}  // namespace nearcall::inline v0::detail
