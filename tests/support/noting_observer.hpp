// SPDX-License-Identifier: Apache-2.0
// NotingObserver: notes what it is told of calls.
#pragma once

#include "connection/observer.hpp"

#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace nearcall::test {

/// Notes what it is told of calls, in words: "client Unary: begun". Thread safety: any thread.
class NotingObserver final : public detail::Observer {
 public:
  using Lines = std::vector<std::string>;

  void on_call_begun(Side side, const Method& method) noexcept override {
    note(side, method, "begun");
  }
  void on_attempt_ended(const Method& method,
                        const Status& /*how*/,
                        AttemptEnd then) noexcept override {
    if (then == AttemptEnd::repeated) note(Side::client, method, "repeated");
    if (then == AttemptEnd::retried) note(Side::client, method, "retried");
  }
  void on_call_ended(Side side, const Method& method, const Status& how) noexcept override {
    note(side, method, std::string(to_string(how.code())));
  }
  /// Since the last time.
  Lines take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(lines_, {});
  }

 private:
  void note(Side side, const Method& method, const std::string& what) {
    const std::string path = method.path;
    const std::lock_guard lock(mutex_);
    lines_.push_back((side == Side::client ? "client " : "server ") +
                     path.substr(path.rfind('/') + 1) + ": " + what);
  }

  std::mutex mutex_;
  Lines lines_;
};

}  // namespace nearcall::test
