// SPDX-License-Identifier: Apache-2.0
// The Cancellers of a process, and the eventfd that tells of them.
#include "async/cancel_event.hpp"
#include "base/fork_mark.hpp"
#include "base/unique_fd.hpp"

#include <nearcall/canceller.hpp>

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <mutex>
#include <stop_token>
#include <system_error>
#include <vector>

namespace nearcall::inline v0::detail {

/// A Canceller, as its process knows it. Thread safety: any thread.
class CancelNote {
 public:
  /// Throws std::system_error if there is no descriptor left.
  CancelNote();
  CancelNote(const CancelNote&) = delete;
  CancelNote& operator=(const CancelNote&) = delete;
  ~CancelNote();

  /// Async-signal-safe.
  void cancel() noexcept;
  bool is_cancelled() const noexcept { return is_cancelled_.load(); }
  std::stop_token token() const noexcept { return stop_.get_token(); }

 private:
  friend class CancelBoard;

  std::atomic<bool> is_cancelled_{false};
  std::stop_source stop_;
  CancelBoard* const board_;
};

/// The Cancellers of one process. Never destroyed, its descriptor never closed: a signal handler
/// may be looking at it, and loops have it in their sets. A forked child makes one of its own:
/// another process must not take what was meant for this one.
class CancelBoard {
 public:
  /// That of this process, or null.
  static CancelBoard* here() noexcept {
    CancelBoard* const newest = CancelEvent::newest_.load(std::memory_order_acquire);
    return newest != nullptr && newest->made_in_.is_in_maker() ? newest : nullptr;
  }
  static CancelBoard& make() {
    CancelBoard* before = CancelEvent::newest_.load(std::memory_order_acquire);
    while (before == nullptr || !before->made_in_.is_in_maker()) {
      auto made = std::make_unique<CancelBoard>();
      if (!made->event_) throw std::system_error(errno, std::system_category(), "eventfd");
      if (CancelEvent::newest_.compare_exchange_strong(before, made.get())) return *made.release();
    }
    return *before;
  }

  int descriptor() const noexcept { return event_.get(); }

  void add(CancelNote& note) {
    const std::lock_guard lock(mutex_);
    notes_.push_back(&note);
  }
  /// A forked child leaves it: the mutex may have been held at the fork.
  void remove(CancelNote& note) noexcept {
    if (!made_in_.is_in_maker()) return;
    const std::lock_guard lock(mutex_);
    std::erase(notes_, &note);
  }

  // Atomics without a lock, and write: allowed in a handler.
  void tell() noexcept {
    CancelEvent::is_pending_.store(true);
    const std::uint64_t one = 1;
    if (made_in_.is_in_maker()) static_cast<void>(!::write(event_.get(), &one, sizeof one));
  }
  /// What is told meanwhile makes the descriptor readable again, or is delivered here.
  void deliver() noexcept {
    std::uint64_t count = 0;
    static_cast<void>(!::read(event_.get(), &count, sizeof count));
    CancelEvent::is_pending_.store(false);
    for (std::stop_source stop = next(); stop.stop_possible(); stop = next())
      stop.request_stop();
  }

 private:
  /// One of those that are cancelled, which leaves; none if there is none.
  std::stop_source next() noexcept {
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find_if(notes_, &CancelNote::is_cancelled);
    if (found == notes_.end()) return std::stop_source(std::nostopstate);
    std::stop_source stop = (*found)->stop_;
    notes_.erase(found);
    return stop;
  }

  const ForkMark made_in_;
  const UniqueFd event_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::mutex mutex_;
  /// Those whose stop was not requested yet.
  std::vector<CancelNote*> notes_;
};

static_assert(std::atomic<bool>::is_always_lock_free);

CancelNote::CancelNote() : board_(&CancelBoard::make()) {
  board_->add(*this);
}

CancelNote::~CancelNote() {
  board_->remove(*this);
  if (is_cancelled()) stop_.request_stop();
}

void CancelNote::cancel() noexcept {
  const int saved = errno;
  if (!is_cancelled_.exchange(true)) board_->tell();
  errno = saved;
}

int CancelEvent::descriptor_here() noexcept {
  const CancelBoard* const board = CancelBoard::here();
  return board != nullptr ? board->descriptor() : -1;
}

void CancelEvent::deliver() noexcept {
  if (CancelBoard* const board = CancelBoard::here()) return board->deliver();
  is_pending_.store(false);  // of the process that this one was forked from
}

}  // namespace nearcall::inline v0::detail

namespace nearcall::inline v0 {

Canceller::Canceller() : note_(std::make_unique<detail::CancelNote>()) {
}

Canceller::~Canceller() = default;

void Canceller::cancel() noexcept {
  note_->cancel();
}

bool Canceller::is_cancelled() const noexcept {
  return note_->is_cancelled();
}

std::stop_token Canceller::token() const noexcept {
  return note_->token();
}

}  // namespace nearcall::inline v0
