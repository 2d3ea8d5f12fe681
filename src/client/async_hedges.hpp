// SPDX-License-Identifier: Apache-2.0
// AsyncHedges: attempts of a call on a loop beside others.
#pragma once

#include "async/loop_core.hpp"
#include "client/call.hpp"
#include "client/hedging.hpp"
#include "client/loop_backend.hpp"

#include <utility>
#include <vector>

namespace nearcall::inline v0::detail {

/// Begins attempts of an awaited call while others are under way: when one is due it waits for a
/// connection, or for room, as the call itself did before.
///
/// Thread safety: the loop's thread.
class AsyncHedges final : public HedgeStarter, private WaitingCall {
 public:
  /// `call` has a hedgingPolicy, and ends before `loop` goes.
  AsyncHedges(Call& call, LoopCore& loop) noexcept
      : call_(&call), loop_(&loop), timer_(loop, &AsyncHedges::on_due, this) {}

  /// The next one is due `at` that time, while the call itself is open at `backend`.
  void set(TimePoint at, LoopBackend& backend) {
    backend_ = &backend;
    timer_.set(at);
  }
  void stop() noexcept override;

 private:
  static void on_due(void* self) noexcept { static_cast<AsyncHedges*>(self)->begin(); }
  void begin();

  // WaitingCall

  void open_on(ClientConnection& connection) override;
  void on_failed(const Status& why) override;
  void on_unsent(const Status& why) override { call_->on_unsent(why); }
  Call* picked_for() noexcept override { return call_; }
  LoopBackend* move_to(LoopBackend& there) noexcept override {
    return std::exchange(waits_at_, &there);
  }

  Call* call_;
  LoopBackend* backend_ = nullptr;
  LoopCore* loop_;
  Timer timer_;
  /// Where one is beginning; null: none is.
  LoopBackend* waits_at_ = nullptr;
  /// Where those are that were begun: each counts there as a call until this one is over.
  std::vector<LoopBackend*> begun_at_;
};

}  // namespace nearcall::inline v0::detail
