// SPDX-License-Identifier: Apache-2.0
// One connect() driven by hand, for the tests of connectors.
#pragma once

#include <nearcall/event_loop.hpp>
#include <nearcall/spawn.hpp>
#include <nearcall/sync_wait.hpp>
#include <nearcall/transport.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>

namespace nearcall::test {

using ConnectResult = Result<std::unique_ptr<Transport>>;

inline ConnectContext no_hurry(std::stop_token stop = {}) {
  return ConnectContext("test", std::chrono::steady_clock::time_point::max(), std::move(stop));
}
/// The deadline has passed already.
inline ConnectContext no_time() {
  return ConnectContext("test", std::chrono::steady_clock::time_point::min(), {});
}

inline ConnectResult connect_now(Connector& connector, ConnectContext context = no_hurry()) {
  return sync_wait(connector.connect(std::move(context)));
}

/// A connect() on a loop that the test turns.
class PendingConnect {
 public:
  PendingConnect(Connector& connector, ConnectContext context) {
    spawn(loop_, run(connector, std::move(context), *this));
  }
  PendingConnect(const PendingConnect&) = delete;
  PendingConnect& operator=(const PendingConnect&) = delete;

  /// Does what is due, and says whether it has ended.
  bool is_done_after_a_turn() {
    loop_.poll();
    return result_.has_value();
  }
  /// Turns the loop until it has ended.
  ConnectResult take() {
    is_awaited_ = true;
    if (!result_) loop_.run();
    return std::move(*result_);
  }

 private:
  static Task<void> run(Connector& connector, ConnectContext context, PendingConnect& self) {
    auto result = co_await connector.connect(std::move(context));
    self.result_ = std::move(result);
    if (self.is_awaited_) self.loop_.stop();
  }

  std::optional<ConnectResult> result_;
  bool is_awaited_ = false;
  EventLoop loop_;
};

}  // namespace nearcall::test
