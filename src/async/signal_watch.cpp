// SPDX-License-Identifier: Apache-2.0
// A signal handler that writes to an eventfd.
#include "async/signal_watch.hpp"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

/// The eventfd of the one SignalWatch there is, or -1. Set and reset by it; read by the handler.
std::atomic<int> watched_event{-1};
/// The process of that SignalWatch. Set by it; read by the handler.
std::atomic<pid_t> watching_process{0};
/// 0: nobody has attached, and none came. A signal's number: it came, and waits. -1: somebody has
/// attached. The handler moves 0 to a number, attach() anything to -1, a new SignalWatch all to 0.
std::atomic<int> kept_signal{0};
/// How many signals came to the SignalWatch. The handler adds, a new SignalWatch sets to 0.
std::atomic<int> signals_that_came{0};
/// The one that ends the program, whatever its loop does.
constexpr int last_signal = 3;

// Atomics without locks, write, signal, raise and getpid: all allowed in a handler.
void on_signal_number(int number) {
  const int saved = errno;
  const int event = watched_event.load(std::memory_order_relaxed);
  int kept = 0;
  if (event < 0 || watching_process.load(std::memory_order_relaxed) != ::getpid()) {
    die_of_signal(number);  // a SignalSet that outlived the watch put this handler back
  } else if (!kept_signal.compare_exchange_strong(kept, number) && kept > 0) {
    die_of_signal(number);
  } else if (signals_that_came.fetch_add(1) + 1 >= last_signal) {
    die_of_signal(number);
  } else {
    const std::uint64_t one = 1;
    static_cast<void>(!::write(event, &one, sizeof one));
  }
  errno = saved;
}

bool is_ours(const struct sigaction& action) noexcept {
  return (action.sa_flags & SA_SIGINFO) == 0 && action.sa_handler == &on_signal_number;
}

bool is_default(const struct sigaction& action) noexcept {
  return (action.sa_flags & SA_SIGINFO) == 0 && action.sa_handler == SIG_DFL;
}

}  // namespace

void die_of_signal(int number) noexcept {
  ::signal(number, SIG_DFL);
  ::raise(number);  // comes when the handler has returned
}

SignalWatch::SignalWatch() {
  UniqueFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  int none = -1;
  if (!event || !watched_event.compare_exchange_strong(none, event.get())) return;
  event_ = std::move(event);
  watching_process.store(::getpid(), std::memory_order_relaxed);
  kept_signal.store(0);
  signals_that_came.store(0);
  constexpr std::array<int, 2> signals = {SIGINT, SIGTERM};
  for (std::size_t i = 0; i < signals.size(); ++i) {
    struct sigaction before {};
    if (::sigaction(signals[i], nullptr, &before) != 0) continue;
    if (!is_default(before) && !is_ours(before)) continue;
    struct sigaction ours {};
    ours.sa_handler = &on_signal_number;
    ours.sa_flags = SA_RESTART;
    if (::sigaction(signals[i], &ours, nullptr) == 0) replaced_[i] = signals[i];
  }
}

SignalWatch::~SignalWatch() {
  if (!event_ || !fork_mark_.is_in_maker()) return;
  for (const int number : replaced_) {
    struct sigaction now {};
    if (number != 0 && ::sigaction(number, nullptr, &now) == 0 && is_ours(now))
      ::signal(number, SIG_DFL);
  }
  if (core_ != nullptr) core_->remove(event_.get(), *this);
  watched_event.store(-1, std::memory_order_relaxed);
  const int kept = kept_signal.exchange(0);
  if (kept > 0) ::raise(kept);
}

void SignalWatch::attach(LoopCore& core, UniqueFunction<void()> on_signal) {
  if (!event_) return;
  on_signal_ = std::move(on_signal);
  if (core.add(event_.get(), EPOLLIN, *this)) return;
  core_ = &core;
  kept_signal.store(-1);
}

void SignalWatch::on_fd_events(std::uint32_t /*epoll_events*/) {
  std::uint64_t count = 0;
  static_cast<void>(!::read(event_.get(), &count, sizeof count));
  for (; count > 0; --count)
    on_signal_();
}

}  // namespace nearcall::inline v0::detail
