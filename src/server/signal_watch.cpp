// SPDX-License-Identifier: Apache-2.0
// A signal handler that writes to an eventfd.
#include "server/signal_watch.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <utility>

namespace nearcall::detail {
namespace {

/// The eventfd of the one SignalWatch there is, or -1. Set and reset by it; read by the handler.
std::atomic<int> watched_event{-1};

void on_signal_number(int /*number*/) {
  const int saved = errno;
  const int event = watched_event.load(std::memory_order_relaxed);
  const std::uint64_t one = 1;
  if (event >= 0) static_cast<void>(!::write(event, &one, sizeof one));
  errno = saved;
}

}  // namespace

SignalWatch::SignalWatch(LoopCore& core, std::function<void()> on_signal)
    : core_(&core), on_signal_(std::move(on_signal)) {
  UniqueFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  int none = -1;
  if (!event || !watched_event.compare_exchange_strong(none, event.get())) return;
  event_ = std::move(event);
  if (core_->add(event_.get(), EPOLLIN, *this)) return;
  constexpr std::array<int, 2> signals = {SIGINT, SIGTERM};
  for (std::size_t i = 0; i < signals.size(); ++i) {
    struct sigaction before {};
    if (::sigaction(signals[i], nullptr, &before) != 0 || before.sa_handler != SIG_DFL) continue;
    struct sigaction ours {};
    ours.sa_handler = &on_signal_number;
    ours.sa_flags = SA_RESTART;
    if (::sigaction(signals[i], &ours, nullptr) == 0) replaced_[i] = {signals[i], before};
  }
}

SignalWatch::~SignalWatch() {
  if (!event_) return;
  for (const Replaced& replaced : replaced_) {
    if (replaced.signal != 0) ::sigaction(replaced.signal, &replaced.before, nullptr);
  }
  core_->remove(event_.get(), *this);
  watched_event.store(-1, std::memory_order_relaxed);
}

void SignalWatch::on_fd_events(std::uint32_t /*epoll_events*/) {
  std::uint64_t count = 0;
  static_cast<void>(!::read(event_.get(), &count, sizeof count));
  on_signal_();
}

}  // namespace nearcall::detail
