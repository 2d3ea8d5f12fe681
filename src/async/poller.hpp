// SPDX-License-Identifier: Apache-2.0
// Poller: one epoll set with its watchers, a wake-up and a timer in it.
#pragma once

#include "async/watcher_table.hpp"
#include "base/clock.hpp"
#include "base/fork_mark.hpp"
#include "base/unique_fd.hpp"

#include <sys/epoll.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <system_error>

namespace nearcall::inline v0::detail {

/// Makes no system call before open() or the first add().
///
/// The eventfd and the timerfd are in the set edge-triggered and never read: each write and each
/// expiry is an edge, so a wake-up costs one system call, and the set's own descriptor stays
/// readable until wait() has collected it.
///
/// In a forked child it does nothing, and has no descriptor added: the set, the eventfd and the
/// timerfd are its parent's.
///
/// Thread safety: signal() from any thread once it is open; the rest from the loop's thread.
class Poller {
 public:
  Poller() noexcept = default;
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  /// Makes the descriptors, if they are not there; or says why they cannot be had. All of them have
  /// numbers above those of the standard streams.
  std::error_code open();
  bool is_open() const noexcept { return static_cast<bool>(epoll_); }
  /// Whether this is a forked child of the process that opened it, whose set it is.
  bool is_inherited() const noexcept { return is_open() && !made_in_.is_in_maker(); }
  /// The epoll set itself. REQUIRES: is_open().
  int fd() const noexcept { return epoll_.get(); }

  /// Makes host_fd(): readable when the set is, unless hidden. REQUIRES: is_open().
  std::error_code open_host_fd();
  int host_fd() const noexcept { return host_.get(); }
  /// Hides what happens in the set from host_fd(), or shows it again.
  void set_hidden(bool is_hidden) noexcept;

  /// `events` as for epoll_ctl(2), with EPOLLET if edges are wanted.
  std::error_code add(int fd, std::uint32_t events, FdWatcher& watcher);
  std::error_code modify(int fd, std::uint32_t events, FdWatcher& watcher);
  /// The watcher is not called from now on, even if its event was collected already. The descriptor
  /// must still be open.
  void remove(int fd, FdWatcher& watcher) noexcept;
  /// Whether a watcher has been added and not removed.
  bool has_watchers() const noexcept { return !table_.empty(); }

  /// Has dispatch() tell the watcher of `fd` that it is readable, as if the kernel had said so.
  /// False: nobody watches it here.
  bool tell(int fd) noexcept { return table_.tell(fd); }
  bool has_told() const noexcept { return table_.has_told(); }
  /// Whether a watcher is being called for tell().
  bool is_telling() const noexcept { return table_.is_calling(); }
  /// Tells those whom tell() named; whether there were any.
  bool dispatch_told() { return table_.has_told() && table_.call_told(); }

  /// Makes the set readable.
  void signal() const noexcept;
  /// Makes the set readable at `deadline`, or earlier. Asks the kernel only if that is earlier than
  /// what it was told before; an expiry that came too early costs one empty turn.
  void arm(TimePoint deadline, TimePoint now) noexcept;

  /// Has CancelEvent::descriptor() in the set, if there is one. REQUIRES: is_open().
  void watch_cancel_event() noexcept;
  /// Collects what happened, after waiting for something if `may_block`. REQUIRES: is_open().
  void wait(bool may_block) noexcept;
  /// Tells the watchers of what tell() was told, and of what wait() collected; whether there were
  /// any.
  bool dispatch();

 private:
  static constexpr std::size_t batch_size = 64;

  ForkMark made_in_;  // is_open(): by whom it was opened
  UniqueFd epoll_;
  /// A set that holds the set, so that a host can watch something that can be switched off.
  UniqueFd host_;
  bool is_hidden_ = false;
  UniqueFd wake_;
  UniqueFd timer_;
  /// The descriptor that watch_cancel_event() has added, or -1.
  int cancel_event_ = -1;
  /// What the timer is set to; no_deadline when it is not set or has expired.
  TimePoint armed_ = no_deadline;
  WatcherTable table_;
  std::size_t batch_count_ = 0;
  std::array<epoll_event, batch_size> batch_;
};

}  // namespace nearcall::inline v0::detail
