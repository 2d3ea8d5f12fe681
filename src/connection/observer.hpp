// SPDX-License-Identifier: Apache-2.0
// Observer: what happens to connections and their calls, for whoever counts or times it.
#pragma once

#include "connection/end_reason.hpp"

#include <nearcall/method.hpp>
#include <nearcall/peer.hpp>
#include <nearcall/status.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace nearcall::inline v0::detail {

/// Is told what happens, right when it does: must not wait, or ask for anything. Hears of what it
/// overrides. What has begun ends, once.
///
/// Thread safety: any thread, several at once; what concerns one connection or call comes in order.
class Observer {
 public:
  enum class Side : std::uint8_t { client, server };
  enum class Refusal : std::uint8_t {
    handshake,
    policy,
    limit,
    /// Another server has the name: whoever connects again finds that one.
    successor,
  };

  enum class AttemptEnd : std::uint8_t {
    last,
    /// The server did not process it: there is another one, at once.
    repeated,
    /// There is another one, after a pause, by the retryPolicy.
    retried,
  };

  virtual void on_connection_begun(const PeerIdentity& /*peer*/) noexcept {}
  /// At a server: one that came, and was not served.
  virtual void on_connection_refused(const PeerIdentity& /*peer*/, Refusal /*why*/) noexcept {}
  /// At a client: an attempt that somebody waited for to its end.
  virtual void on_connect_failed(const Status& /*why*/) noexcept {}
  virtual void on_connection_ended(const PeerIdentity& /*peer*/, EndReason /*why*/) noexcept {}

  /// At a server: a request that names one of its methods.
  virtual void on_call_begun(Side /*side*/, const Method& /*method*/) noexcept {}
  /// At a client: an attempt of a call is opened; `number` is 0 for the first one.
  virtual void on_attempt_begun(const Method& /*method*/, int /*number*/) noexcept {}
  /// At a client: so an attempt has ended, and what becomes of the call.
  virtual void on_attempt_ended(const Method& /*method*/,
                                const Status& /*how*/,
                                AttemptEnd /*then*/) noexcept {}
  /// At a server: it was answered so, or nobody waits for its answer (CANCELLED). The handler may
  /// go on to run.
  virtual void on_call_ended(Side /*side*/,
                             const Method& /*method*/,
                             const Status& /*how*/) noexcept {}

 protected:
  ~Observer() = default;
};

/// Counts connections, and tells one observer more of them. Thread safety: any thread.
class ConnectionCounters final : public Observer {
 public:
  /// Null: nobody. Set before there is a connection.
  void set_next(Observer* next) noexcept { next_ = next; }
  Observer* next() const noexcept { return next_; }

  std::uint64_t begun() const noexcept { return begun_.load(std::memory_order_relaxed); }
  std::uint64_t failed() const noexcept { return failed_.load(std::memory_order_relaxed); }
  std::uint64_t refused(Refusal why) const noexcept { return load(refused_, why); }
  std::uint64_t ended(EndReason why) const noexcept { return load(ended_, why); }

  void on_connection_begun(const PeerIdentity& peer) noexcept override {
    begun_.fetch_add(1, std::memory_order_relaxed);
    if (next_ != nullptr) next_->on_connection_begun(peer);
  }
  void on_connection_refused(const PeerIdentity& peer, Refusal why) noexcept override {
    refused_[static_cast<std::size_t>(why)].fetch_add(1, std::memory_order_relaxed);
    if (next_ != nullptr) next_->on_connection_refused(peer, why);
  }
  void on_connect_failed(const Status& why) noexcept override {
    failed_.fetch_add(1, std::memory_order_relaxed);
    if (next_ != nullptr) next_->on_connect_failed(why);
  }
  void on_connection_ended(const PeerIdentity& peer, EndReason why) noexcept override {
    ended_[static_cast<std::size_t>(why)].fetch_add(1, std::memory_order_relaxed);
    if (next_ != nullptr) next_->on_connection_ended(peer, why);
  }

 private:
  using Counter = std::atomic<std::uint64_t>;

  template <std::size_t size, class Why>
  static std::uint64_t load(const std::array<Counter, size>& counters, Why why) noexcept {
    return counters[static_cast<std::size_t>(why)].load(std::memory_order_relaxed);
  }

  Observer* next_ = nullptr;
  Counter begun_{0};
  Counter failed_{0};
  std::array<Counter, static_cast<std::size_t>(Refusal::successor) + 1> refused_{};
  std::array<Counter, static_cast<std::size_t>(EndReason::evicted) + 1> ended_{};
};

}  // namespace nearcall::inline v0::detail
