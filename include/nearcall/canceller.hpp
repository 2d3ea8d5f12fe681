// SPDX-License-Identifier: Apache-2.0
// Canceller: cancels calls from where next to nothing is allowed, a signal handler.
#pragma once

#include <nearcall/access.hpp>

#include <memory>
#include <stop_token>

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0 {

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
/// What a stop does is more than a handler may. So the stop is requested by a thread that waits:
/// one that is blocked in a call, or in sync_wait(), or that runs an EventLoop, whichever is first.
/// A call that begins later finds it requested. Code that does neither asks is_cancelled().
///
/// It is of the process that made it: in a forked child it cancels nothing.
///
/// Thread safety: any thread.
class Canceller {
 public:
  /// Throws std::system_error if the process is short of descriptors: all Cancellers share one,
  /// which the first one opens and none closes.
  Canceller();
  Canceller(const Canceller&) = delete;
  Canceller& operator=(const Canceller&) = delete;
  /// REQUIRES: no handler calls cancel() any more.
  ~Canceller();

  /// Has a stop requested, soon, by a thread that waits. Async-signal-safe; once is enough.
  void cancel() noexcept;
  /// Whether cancel() was called. Async-signal-safe.
  [[nodiscard]] bool is_cancelled() const noexcept;
  /// For CallOptions::cancellation(), sleep_for() and whatever else takes one.
  [[nodiscard]] std::stop_token token() const noexcept;

 private:
  std::unique_ptr<detail::CancelNote> note_;
};

}  // namespace nearcall::inline v0

#pragma GCC visibility pop
