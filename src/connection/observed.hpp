// SPDX-License-Identifier: Apache-2.0
// Observed: a channel or a server that observers are told of.
#pragma once

#include <nearcall/observer.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace nearcall::inline v0::detail {

/// A channel or a server that observers are told of: that it is there, from the first to the last
/// that is of it, and whom its connections and calls tell what.
///
/// Thread safety: any thread.
class Observed {
 public:
  using Observers = std::vector<std::shared_ptr<Observer>>;

  /// Null: there are no observers.
  static std::shared_ptr<const Observed> make(Observer::Side side,
                                              std::string target,
                                              const Observers& observers);
  Observed(std::shared_ptr<Observer> observer, Observer::Side side, std::string target);
  Observed(const Observed&) = delete;
  Observed& operator=(const Observed&) = delete;
  ~Observed();

  /// All of them.
  Observer& observer() const noexcept { return *observer_; }
  const Observer::Origin& origin() const noexcept { return origin_; }
  /// Another one each time, in the whole process.
  static std::uint64_t next_id() noexcept;

 private:
  const std::shared_ptr<Observer> observer_;
  const Observer::Origin origin_;
};

}  // namespace nearcall::inline v0::detail
