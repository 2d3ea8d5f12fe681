// SPDX-License-Identifier: Apache-2.0
// Waiter: what a suspended sleep_for() or wait_readable() has registered with its loop.
#pragma once

#include "async/loop_core.hpp"
#include "async/resume_later.hpp"
#include "async/run_member.hpp"

#include <nearcall/wait.hpp>

#include <coroutine>
#include <cstdint>
#include <optional>
#include <stop_token>

namespace nearcall::inline v0::detail {

/// Resumes one coroutine on its loop when the first of three things happens: the deadline comes,
/// the descriptor is ready, a stop is requested. Lives inside a WaitAwaiter, while that is
/// suspended.
///
/// Thread safety: the loop's thread, but for the stop callback, which only posts.
class Waiter final : public FdWatcher {
 public:
  Waiter(WaitState& state, LoopCore& core, std::coroutine_handle<> waiting) noexcept;
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;
  ~Waiter();

  /// False if there is nothing to wait for, and the coroutine goes on at once.
  bool start();
  void on_fd_events(std::uint32_t epoll_events) override;

 private:
  using Outcome = WaitState::Outcome;

  class OnStop {
   public:
    explicit OnStop(Waiter& waiter) noexcept : waiter_(&waiter) {}
    void operator()() const noexcept { waiter_->core_->post(waiter_->stopped_); }

   private:
    Waiter* waiter_;
  };

  /// no: there is nothing to watch. refused: the system is short of descriptors or memory, and is
  /// asked again soon.
  enum class Watch : std::uint8_t { no, yes, refused };

  static void on_timer(void* self) noexcept;
  /// False if the descriptor cannot be watched at all.
  bool watch();
  void set_timer();
  /// The first outcome counts.
  void settle(Outcome outcome) noexcept;
  void on_stopped() noexcept { settle(Outcome::stopped); }

  WaitState* state_;
  LoopCore* core_;
  Timer timer_;
  ResumeLater resume_;
  RunMember<&Waiter::on_stopped> stopped_{*this};
  /// A duplicate, where somebody else on the loop waits for the same descriptor.
  UniqueFd duplicate_;
  Watch watch_ = Watch::no;
  std::optional<std::stop_callback<OnStop>> on_stop_;
};

}  // namespace nearcall::inline v0::detail
