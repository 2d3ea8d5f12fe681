// SPDX-License-Identifier: Apache-2.0
// Canceller: cancels calls from where next to nothing is allowed, a signal handler.
#pragma once

#include <nearcall/version.hpp>

#include <memory>
#include <stop_token>

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0 {

namespace detail {
class CancellerCore;
}  // namespace detail

/// A std::stop_source whose request_stop() a signal handler may call:
///
///     Canceller* on_interrupt = nullptr;
///     extern "C" void interrupted(int) { on_interrupt->cancel(); }
///     …
///     Canceller canceller;
///     on_interrupt = &canceller;
///     std::signal(SIGINT, interrupted);
///     auto reply = greeter.SayHello(request, CallOptions().cancellation(canceller.token()));
///
/// A thread of its own, in which all signals are blocked, sleeps until then and requests the stop:
/// what that does is more than a handler may. Where calls are awaited, wait_signal() needs none.
///
/// Thread safety: any thread.
class Canceller {
 public:
  /// Throws std::system_error if no thread can be started.
  Canceller();
  Canceller(const Canceller&) = delete;
  Canceller& operator=(const Canceller&) = delete;
  /// REQUIRES: no handler calls cancel() any more.
  ~Canceller();

  /// Has a stop requested, soon. Async-signal-safe; once is enough.
  void cancel() noexcept;
  /// Whether cancel() was called. Async-signal-safe.
  [[nodiscard]] bool is_cancelled() const noexcept;
  /// For CallOptions::cancellation(), sleep_for() and whatever else takes one.
  [[nodiscard]] std::stop_token token() const noexcept;

 private:
  std::unique_ptr<detail::CancellerCore> core_;
};

}  // namespace nearcall::inline v0

#pragma GCC visibility pop
