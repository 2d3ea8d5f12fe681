// SPDX-License-Identifier: Apache-2.0
// SpawnOptions: how Channel::spawn() starts a child, and how long that may take to end.
#pragma once

#include <nearcall/version.hpp>

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0 {

/// How Channel::spawn() starts a child, and how long that may take to end. A value; fluent.
class SpawnOptions {
 public:
  SpawnOptions() = default;

  /// What the child prints, on standard output and standard error, goes to `fd`: a file, a socket,
  /// or a pipe that the program reads. It has to be open during spawn(), and stays the caller's. By
  /// default both go where this program's go.
  SpawnOptions& output(int fd) & {
    output_ = fd;
    drops_output_ = false;
    return *this;
  }
  SpawnOptions output(int fd) && { return std::move(output(fd)); }
  /// What the child prints goes nowhere.
  SpawnOptions& drop_output() & {
    drops_output_ = true;
    return *this;
  }
  SpawnOptions drop_output() && { return std::move(drop_output()); }
  /// How long the child may take to end once its channel has gone, until it gets SIGTERM, and then
  /// until SIGKILL: 500 ms by default, up to a minute. Where the channel goes on a thread that runs
  /// an EventLoop, which stands still meanwhile, 50 ms at most.
  SpawnOptions& grace(std::chrono::nanoseconds duration) & {
    constexpr std::chrono::nanoseconds most = std::chrono::minutes(1);
    grace_ = std::min(std::max(duration, std::chrono::nanoseconds::zero()), most);
    return *this;
  }
  SpawnOptions grace(std::chrono::nanoseconds duration) && { return std::move(grace(duration)); }

  std::optional<int> output() const noexcept { return output_; }
  bool drops_output() const noexcept { return drops_output_; }
  std::chrono::nanoseconds grace() const noexcept { return grace_; }

 private:
  std::optional<int> output_;
  bool drops_output_ = false;
  std::chrono::nanoseconds grace_ = std::chrono::milliseconds(500);
};

}  // namespace nearcall::inline v0

#pragma GCC visibility pop
