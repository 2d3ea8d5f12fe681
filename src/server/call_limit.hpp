// SPDX-License-Identifier: Apache-2.0
// CallLimit: how many calls' handlers run at a time, and who waits for one to return.
#pragma once

#include "async/intrusive_list.hpp"
#include "async/loop_core.hpp"
#include "async/run_member.hpp"

#include <nearcall/server.hpp>
#include <nearcall/status.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace nearcall::inline v0::detail {

class CallTicket;

/// A bound on calls whose handlers have begun and have not returned, of all loops of a server, and
/// on those that wait for that, whoever came first.
///
/// Thread safety: any thread.
class CallLimit {
 public:
  enum class Entry : std::uint8_t {
    entered,  ///< release() follows
    queued,   ///< the ticket is told when there is room, unless it leaves before
    full,
  };

  /// `whose` is for people: "the server", or a method.
  CallLimit(std::string whose, std::size_t most, std::size_t most_queued);
  CallLimit(const CallLimit&) = delete;
  CallLimit& operator=(const CallLimit&) = delete;
  ~CallLimit() = default;

  Entry enter(CallTicket& ticket);
  /// A call that has entered is over: the first one that waits enters.
  void release() noexcept;
  /// One that waits does not any more.
  void leave(CallTicket& ticket) noexcept;
  /// RESOURCE_EXHAUSTED, with the limit's name.
  Status refusal() const;

 private:
  const std::string whose_;
  const std::size_t most_;
  const std::size_t most_queued_;
  std::mutex mutex_;
  // Guarded by mutex_.
  std::size_t count_ = 0;
  std::size_t queued_ = 0;
  IntrusiveList<CallTicket> waiting_;
};

/// Whose turn it is.
class TicketOwner {
 public:
  /// On its loop: all limits have room, and the ticket has entered them.
  virtual void on_admitted() = 0;
  /// On its loop: a limit is full behind the one that was waited for.
  virtual void on_refused(const Status& why) = 0;

 protected:
  ~TicketOwner() = default;
};

/// One call's way past the limits of its method and of its server: it holds what it has entered
/// until it is destroyed.
///
///     enter() ──► admitted, refused
///        └──────► waits ──(release() of others, on its own loop)──► on_admitted(), on_refused()
///
/// Thread safety: its loop's thread.
class CallTicket final : public ListHook {
 public:
  enum class State : std::uint8_t { waits, admitted, refused };

  /// Null limits are none.
  CallTicket(TicketOwner& owner, LoopCore& loop, CallLimit* of_method, CallLimit* of_server)
      : owner_(&owner), loop_(&loop), limits_{of_method, of_server} {}
  CallTicket(const CallTicket&) = delete;
  CallTicket& operator=(const CallTicket&) = delete;
  ~CallTicket() { leave(); }

  /// Once.
  State enter();
  State state() const noexcept { return state_; }
  /// Why it was refused; OK otherwise.
  const Status& refusal() const noexcept { return refusal_; }
  /// Gives back what it has, and waits no more.
  void leave() noexcept;
  /// For the limit that it waits for, which has let it in: from any thread.
  void tell() noexcept { loop_->post(turn_); }

 private:
  void on_turn() noexcept;

  TicketOwner* owner_;
  LoopCore* loop_;
  std::array<CallLimit*, 2> limits_;
  std::size_t entered_ = 0;  // how many of them; behind them is what it waits for
  State state_ = State::refused;
  Status refusal_;
  RunMember<&CallTicket::on_turn> turn_{*this};
};

/// The limits of one server.
class CallLimits {
 public:
  /// Null: it has none.
  static std::unique_ptr<CallLimits> make(const ServerOptions& options);

  CallLimit* of_server() const noexcept { return of_server_.get(); }
  /// Null: it has none of its own.
  CallLimit* of_method(std::string_view path) const;

 private:
  std::unique_ptr<CallLimit> of_server_;
  std::unordered_map<std::string, std::unique_ptr<CallLimit>> of_methods_;
};

}  // namespace nearcall::inline v0::detail
