// SPDX-License-Identifier: Apache-2.0
// NotingObserver: notes what it is told of calls.
#pragma once

#include <nearcall/observer.hpp>

#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace nearcall::test {

/// Notes what it is told of calls, in words: "client Unary: begun". Thread safety: any thread.
class NotingObserver final : public Observer {
 public:
  using Lines = std::vector<std::string>;

  void on_call_begun(const Call& call) noexcept override { note(call, "begun"); }
  void on_attempt_ended(const Call& call,
                        const Attempt& /*attempt*/,
                        const Status& /*how*/,
                        AttemptEnd then) noexcept override {
    if (then == AttemptEnd::repeated) note(call, "repeated");
    if (then == AttemptEnd::retried) note(call, "retried");
  }
  void on_call_ended(const Call& call, const Status& how) noexcept override {
    note(call, std::string(to_string(how.code())));
  }
  /// Since the last time.
  Lines take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(lines_, {});
  }

 private:
  void note(const Call& call, const std::string& what) {
    const std::string path = call.method.path;
    const std::lock_guard lock(mutex_);
    lines_.push_back((call.origin.side == Side::client ? "client " : "server ") +
                     path.substr(path.rfind('/') + 1) + ": " + what);
  }

  std::mutex mutex_;
  Lines lines_;
};

}  // namespace nearcall::test
