// SPDX-License-Identifier: Apache-2.0
// Hedging: the attempts of a call that are under way at a time.
#pragma once

#include "async/loop_core.hpp"
#include "client/call_waiter.hpp"
#include "client/hedge.hpp"
#include "client/hedge_schedule.hpp"
#include "client/replay_buffer.hpp"

#include <nearcall/observer.hpp>

#include <google/protobuf/message_lite.h>

#include <cstdint>
#include <list>
#include <memory>
#include <span>
#include <utility>

namespace nearcall::inline v0::detail {

/// Whose attempts they are.
class HedgingOwner : public AttemptObserver {
 public:
  // Each has a number, from 1 on.

  /// One that is open sends a message that all get.
  virtual void on_hedge_sent(std::uint64_t number, const Observer::Message& message) = 0;
  /// So one that was sent has ended, and what becomes of the call.
  virtual void on_hedge_ended(std::uint64_t number,
                              const Status& how,
                              Observer::AttemptEnd then) = 0;
  /// It is the one that is left.
  virtual void on_hedge_chosen(std::uint64_t number) = 0;
  /// There are no more.
  virtual void on_hedges_failed(Outcome outcome) = 0;

 protected:
  ~HedgingOwner() = default;
};

/// Begins attempts beside others, where coroutines wait.
class HedgeStarter {
 public:
  virtual ~HedgeStarter() = default;
  /// There are no more.
  virtual void stop() noexcept = 0;
};

/// What a call with a hedgingPolicy has beside others (gRFC A6): attempts that are under way at a
/// time, all of which get the same requests, until one of them is answered. That one gives its
/// stream to the call's Attempt, which was idle until then, and the others are cancelled.
///
/// Requests are kept meanwhile. Where they become more than may be kept the call goes on with the
/// attempt that was first.
///
/// Thread safety: none; the call's.
class Hedging final : private HedgeOwner {
 public:
  /// What its call has, and all of which outlives it.
  struct Parts {
    HedgingOwner& owner;
    CallWaiter& waiter;
    Attempt& attempt;
    RetryPolicy& policy;
    Clock clock;
  };

  /// `throttle` is null where there is none. All outlive it.
  Hedging(const Parts& call,
          const HedgingRules& rules,
          RetryThrottle* throttle,
          ReplayBuffer& replay) noexcept
      : call_(call), schedule_(rules, throttle), replay_(&replay) {}

  const HedgeSchedule& schedule() const noexcept { return schedule_; }
  /// Where coroutines wait; null: nobody needed one yet.
  HedgeStarter* starter() const noexcept { return starter_.get(); }
  void set_starter(std::unique_ptr<HedgeStarter> starter) noexcept {
    starter_ = std::move(starter);
  }

  /// The next attempt beside others is due: whether to open it.
  bool begin_next() noexcept { return schedule_.begin_next(); }
  /// There is no room for it.
  void put_off();
  /// The call has one request, with its prefix, which stays until an attempt is answered.
  void set_only_request(ByteSpan request) noexcept { only_request_ = request; }
  /// The attempt that is beginning is sent. REQUIRES: as Attempt::open().
  void open(ClientConnection& connection,
            const http2::HeaderTemplate& head,
            std::span<const http2::HeaderField> fields,
            LoopCore* loop);
  /// It has not been sent, since its connection had gone.
  void on_unsent(Status why);
  /// It cannot be connected.
  void on_unconnected(Status why);
  /// A request is written: to all of them. False: it has to wait until one is open.
  bool take(const google::protobuf::MessageLite& message, bool may_compress);
  /// There are no more requests.
  void end_requests();
  /// The one attempt that was left has failed.
  void count(const Status& status) noexcept;
  /// The call is over, and ended so.
  void stop(const Status& how);
  bool has_open() const noexcept;

 private:
  // HedgeOwner

  void on_answer(Hedge& hedge, const http2::HeadersEvent& event) override;
  void on_failure(Hedge& hedge, Outcome outcome) override;

  bool take(ByteSpan framed, std::size_t plain_size);
  bool is_under_way() const noexcept { return schedule_.is_beginning() || has_open(); }
  Hedge& idle_one();
  /// Whether the call repeats what the server did not begin.
  bool repeats(const Outcome& outcome) noexcept;
  void repeat();
  MessageOutbox& out() const noexcept { return call_.attempt.messages().out(); }
  /// `number` is 0 if it was not sent.
  void conclude(Outcome outcome, std::uint64_t number);
  void commit(Hedge& winner);
  void cancel_all_but(const Hedge* winner, const Status& why, Observer::AttemptEnd then);

  Parts call_;
  HedgeSchedule schedule_;
  ReplayBuffer* replay_;
  ByteSpan only_request_;
  bool is_over_ = false;
  std::uint64_t opened_ = 0;
  LoopCore* loop_ = nullptr;
  /// In the order of their first use; at most as many as may be under way.
  std::list<Hedge> hedges_;
  std::unique_ptr<HedgeStarter> starter_;
};

}  // namespace nearcall::inline v0::detail
