// SPDX-License-Identifier: Apache-2.0
// ConnectionCounters: how many connections there were, and how they ended.
#pragma once

#include "base/clock.hpp"
#include "connection/observed.hpp"

#include <nearcall/observer.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace nearcall::inline v0::detail {

/// What observers are told of one connection: as it is when it begins.
struct ObservedConnection {
  /// 0: nobody is told.
  std::uint64_t id = 0;
  TimePoint begun;
};

/// Counts the connections of a backend or a server, and tells observers of them. Thread safety: any
/// thread.
class ConnectionCounters {
 public:
  using Refusal = Observer::Refusal;

  /// Null: nobody. It outlives this. Set before there is a connection.
  void set_observed(const Observed* observed) noexcept { observed_ = observed; }
  const Observed* observed() const noexcept { return observed_; }

  std::uint64_t begun() const noexcept { return begun_.load(std::memory_order_relaxed); }
  std::uint64_t failed() const noexcept { return failed_.load(std::memory_order_relaxed); }
  std::uint64_t refused(Refusal why) const noexcept { return load(refused_, why); }
  std::uint64_t ended(EndReason why) const noexcept { return load(ended_, why); }

  ObservedConnection note_begun(const PeerIdentity& peer) noexcept {
    begun_.fetch_add(1, std::memory_order_relaxed);
    if (observed_ == nullptr) return {};
    const ObservedConnection made{Observed::next_id(), SteadyClock::now()};
    observed_->observer().on_connection_begun({observed_->origin(), made.id, peer, made.begun});
    return made;
  }
  /// At a server.
  void note_refused(const PeerIdentity& peer, Refusal why) noexcept {
    refused_[static_cast<std::size_t>(why)].fetch_add(1, std::memory_order_relaxed);
    if (observed_ == nullptr) return;
    observed_->observer().on_connection_refused(observed_->origin(), peer, why);
  }
  /// At a client: an attempt that somebody waited for to its end.
  void note_failed(const Status& why) noexcept {
    failed_.fetch_add(1, std::memory_order_relaxed);
    if (observed_ != nullptr) observed_->observer().on_connect_failed(observed_->origin(), why);
  }
  void note_ended(const ObservedConnection& connection,
                  const PeerIdentity& peer,
                  EndReason why) noexcept {
    ended_[static_cast<std::size_t>(why)].fetch_add(1, std::memory_order_relaxed);
    if (observed_ == nullptr) return;
    observed_->observer().on_connection_ended(
        {observed_->origin(), connection.id, peer, connection.begun}, why);
  }

 private:
  using Counter = std::atomic<std::uint64_t>;

  template <std::size_t size, class Why>
  static std::uint64_t load(const std::array<Counter, size>& counters, Why why) noexcept {
    return counters[static_cast<std::size_t>(why)].load(std::memory_order_relaxed);
  }

  const Observed* observed_ = nullptr;
  Counter begun_{0};
  Counter failed_{0};
  std::array<Counter, static_cast<std::size_t>(Refusal::successor) + 1> refused_{};
  std::array<Counter, static_cast<std::size_t>(EndReason::evicted) + 1> ended_{};
};

}  // namespace nearcall::inline v0::detail
