// SPDX-License-Identifier: Apache-2.0
// CallWaiter: who waits for a call.
#pragma once

#include "base/clock.hpp"

#include <optional>

namespace nearcall::inline v0::detail {

class ClientConnection;

/// Who waits for a call: threads or coroutines.
class CallWaiter {
 public:
  /// Headers came, or it is over.
  virtual void on_change() = 0;
  /// It is to be opened once more, not in here: at once, elsewhere, since the server did not
  /// process it, or `at` that time.
  virtual void on_repeat(std::optional<TimePoint> at) = 0;
  /// With a hedgingPolicy: while attempts are under way, the next one is due `at` that time.
  virtual void on_next_hedge(TimePoint /*at*/) {}
  /// The same: from now on there is the one that is on `connection`.
  virtual void on_committed(ClientConnection& /*connection*/) {}

 protected:
  ~CallWaiter() = default;
};

}  // namespace nearcall::inline v0::detail
