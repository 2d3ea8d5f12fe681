// SPDX-License-Identifier: Apache-2.0
// Membership: what one of several backends tells the channel's Balancer.
#pragma once

#include "base/clock.hpp"
#include "client/connectivity.hpp"

#include <cstdint>
#include <memory>

namespace nearcall::inline v0::detail {

class Backend;
class Balancer;

/// A backend's place among those of a Balancer, which may be gone.
///
/// Thread safety: note() and front() from any thread; what the balancer keeps here, under its lock.
class Membership {
 public:
  Membership(const std::shared_ptr<Balancer>& balancer, const std::shared_ptr<Backend>& front)
      : balancer_(balancer), front_(front), front_here_(front.get()) {}

  /// What an attempt or a connection of the backend came to.
  void note(Connectivity::Event event, const Connectivity& connectivity);
  /// The backend that calls of the channel begin with; null: nobody makes any.
  std::shared_ptr<Backend> front() const noexcept { return front_.lock(); }
  /// The same for who keeps the channel.
  Backend* front_here() const noexcept { return front_here_; }

 private:
  friend class Balancer;

  const std::weak_ptr<Balancer> balancer_;
  const std::weak_ptr<Backend> front_;
  Backend* const front_here_;

  // Of the balancer.

  ConnectivityState state_ = ConnectivityState::idle;
  /// As the channel's state counts it: a failure lasts until there is a connection.
  ConnectivityState counted_as_ = ConnectivityState::idle;
  TimePoint next_attempt_{};
  /// The number of its last failure among all.
  std::uint64_t failed_at_ = 0;
};

}  // namespace nearcall::inline v0::detail
