// SPDX-License-Identifier: Apache-2.0
// PathWatch: tells a loop that something has come to be at a path.
#pragma once

#include "async/loop_core.hpp"
#include "async/run_member.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nearcall::inline v0::detail {

class PathWatchBoard;

/// Tells a loop that something has come to be at a path, by inotify(7): on the path's directory or,
/// while there is none, on the nearest one above that there is.
///
/// A process has one instance, which all loops share: it is made for the first path that is
/// watched, and goes with the last. Whichever loop finds it readable reads for all of them. A
/// directory is watched once, however many watch something in it; at most `most_directories`. Where
/// others fill directories with what nobody waits for, `most_idle_events` in a second, nothing is
/// watched for a second.
///
/// What it cannot see: that a directory further up was renamed, and what a symbolic link at the
/// path leads to. In a forked child a watch of the parent's sees nothing.
///
/// Thread safety: the loop's thread.
class PathWatch {
 public:
  static constexpr std::size_t most_directories = 128;
  static constexpr std::size_t most_idle_events = 1000;

  using Callback = void (*)(void*) noexcept;

  /// `path` as it is given to connect(2); a relative one starts at the current directory. One that
  /// ends with a '/' is a directory in which anything may come.
  PathWatch(LoopCore& loop, std::string_view path, Callback on_change, void* argument);
  PathWatch(const PathWatch&) = delete;
  PathWatch& operator=(const PathWatch&) = delete;
  ~PathWatch();

  enum class Armed : std::uint8_t {
    before,      // nothing was missed since the last time
    now,         // what came before this was not seen: look for yourself
    impossible,  // it will see nothing
  };
  /// From now on `on_change` is called when something has come to the path, or may have.
  Armed arm();
  void disarm() noexcept;
  /// Whether there is anything at the path, of whatever kind.
  bool is_there() const noexcept;

 private:
  friend class PathWatchBoard;

  static constexpr int none = -1;

  void tell();
  /// Whether it is that name, in the directory that is watched.
  bool waits_for(std::string_view name) const noexcept {
    return steps_[step_].name.empty() || steps_[step_].name == name;
  }

  const std::string path_;
  LoopCore* loop_;
  Callback on_change_;
  void* argument_;
  /// The directories above the path, the nearest first, and what has to come to be in each.
  struct Step {
    std::string directory;
    std::string name;
  };
  std::vector<Step> steps_;
  RunMember<&PathWatch::tell> tell_{*this};

  /// Null where nothing is watched.
  PathWatchBoard* board_ = nullptr;

  // Under the board's lock.

  int wd_ = none;
  std::size_t step_ = 0;
  bool is_told_ = false;
};

}  // namespace nearcall::inline v0::detail
