// SPDX-License-Identifier: Apache-2.0
// ManualClock: the time of a loop, which stands still until the test moves it.
#pragma once

#include <nearcall/event_loop.hpp>

#include <poll.h>

#include <chrono>

/// GoogleTest's.
namespace testing {}

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0::testing {

/// So that `testing::Test` within namespace nearcall is still GoogleTest's
/// (transport_contract.hpp).
using namespace ::testing;

/// A clock that stands still until the test moves it, and the loop that goes by it: deadlines of
/// calls, sleep_for(), a server's drain timeout and all other times of what is on that loop pass
/// when the test says so, and at no other time.
///
///     EventLoop loop;
///     ManualClock clock(loop);
///     const EventLoop::Binding binding(loop);
///     TestServer server(loop, service);
///     AsyncUnaryCall<HelloReply> call = greeter.SayHelloAsync(request, CallOptions().timeout(1h));
///     clock.settle();    // the handler has begun
///     clock.advance(1h);
///     clock.settle();    // call.status() is DEADLINE_EXCEEDED
///
/// It begins a hundred years ahead of any machine's: what asks the system's clock does not agree
/// with it, so code under test takes the time from now(), and deadlines from the ServerContext.
/// Blocking calls, and loops that others run, go by the system's clock.
///
/// Made before what goes by it, and outlives that. Thread safety: none; the loop's thread.
class ManualClock {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  /// Of no loop: for code that takes the time as an argument.
  ManualClock() noexcept = default;
  /// REQUIRES: the loop does not run, and nothing waits on it yet. It does not spin from now on.
  explicit ManualClock(EventLoop& loop) noexcept : loop_(&loop) {
    detail::set_time_source(loop, {&read, this});
  }
  ManualClock(const ManualClock&) = delete;
  ManualClock& operator=(const ManualClock&) = delete;
  /// The loop has the system's time again.
  ~ManualClock() {
    if (loop_ != nullptr) detail::set_time_source(*loop_, {});
  }

  TimePoint now() const noexcept { return now_; }
  /// It is that much later, at once: whoever waits for a time that has come goes on in the loop's
  /// next turn, and what it then waits for begins at the new time. Also from a task or handler on
  /// the loop.
  void advance(std::chrono::nanoseconds duration) {
    now_ += duration;
    if (loop_ != nullptr && EventLoop::running() == loop_) loop_->post([] {});  // has a next turn
  }
  /// Turns the loop until there is nothing more to do at this time, without waiting for anybody.
  /// REQUIRES: there is a loop, and this thread is not inside of it.
  void settle() {
    pollfd look{loop_->fd(), POLLIN, 0};
    do {
      loop_->poll();
    } while (::poll(&look, 1, 0) == 1);
  }

 private:
  static TimePoint read(const void* clock) noexcept {
    return static_cast<const ManualClock*>(clock)->now_;
  }

  EventLoop* loop_ = nullptr;
  /// No timer that the kernel has for the loop may come due.
  TimePoint now_{std::chrono::hours(24) * 365 * 100};
};

}  // namespace nearcall::inline v0::testing

#pragma GCC visibility pop
