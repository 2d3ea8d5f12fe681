// SPDX-License-Identifier: Apache-2.0
// SignalSet and wait_signal(): signals as something that a task waits for.
#pragma once

#include <nearcall/task.hpp>

#include <concepts>
#include <cstdint>
#include <initializer_list>

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0 {

/// As long as it lives, the signals that it names come to it and do nothing else:
///
///     SignalSet signals(SIGHUP, SIGTERM);
///     while (co_await signals.wait() == SIGHUP) reload();
///
/// Several sets may name the same signal; each gets it. What the signal did before, it does again
/// when the last of them has gone: one that came and that nobody waited for is raised then. While a
/// set names SIGINT or SIGTERM, Server::run() does not stop for it. A forked child has none of it.
///
/// Thread safety: any thread, one at a time; one task waits at a time.
class SignalSet {
 public:
  /// REQUIRES: numbers of signals that can be handled.
  template <std::same_as<int>... Numbers>
  requires(sizeof...(Numbers) > 0) explicit SignalSet(Numbers... numbers)
      : SignalSet(std::initializer_list<int>{numbers...}) {}
  SignalSet(const SignalSet&) = delete;
  SignalSet& operator=(const SignalSet&) = delete;
  ~SignalSet();

  /// `int number = co_await signals.wait();` the next one; of several that have come the one with
  /// the smallest number. The same one twice before anybody looks counts once. Short of descriptors
  /// it looks every 10 ms. REQUIRES: the thread has an EventLoop.
  Task<int> wait();

 private:
  explicit SignalSet(std::initializer_list<int> numbers);

  detail::SignalSlot* slot_;
  std::uint64_t wanted_ = 0;
};

namespace detail {
template <class... Numbers>
Task<int> wait_for_signal(Numbers... numbers) {
  SignalSet signals(numbers...);
  co_return co_await signals.wait();
}
}  // namespace detail

/// `int number = co_await wait_signal(SIGINT, SIGTERM);` until one of them comes. Before and after
/// that they do what they did before: a second Ctrl-C ends the program. To wait again and again,
/// keep a SignalSet. REQUIRES: the thread has an EventLoop.
template <std::same_as<int>... Numbers>
requires(sizeof...(Numbers) > 0) Task<int> wait_signal(Numbers... numbers) {
  return detail::wait_for_signal(numbers...);
}

}  // namespace nearcall::inline v0

#pragma GCC visibility pop
