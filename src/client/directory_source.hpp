// SPDX-License-Identifier: Apache-2.0
// DirectorySource: the backends that a directory of Unix sockets stands for.
#pragma once

#include "client/backend_source.hpp"

#include <sys/stat.h>
#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace nearcall::inline v0::detail {

/// `unix-dir:/run/app.d`: each socket in a directory is a backend, by the order of their names.
/// What is no socket, and what begins with a dot, is none; symbolic links lead nowhere. The
/// directory is asked every 10 ms at most whether it has changed, while there are calls, and read
/// if it has. Who waits for a backend is told by its path(), and looks every 100 ms all the same.
///
/// Others than this process's user and root may not write to it, or have chosen it, unless the
/// channel says who its servers are: whatever they put there would get calls.
class DirectorySource final : public BackendSource {
 public:
  /// What is looked at of a directory; beyond that entries are left out, and the log says so.
  static constexpr std::size_t most_entries = 4096;
  /// And what may be backends, by name.
  static constexpr std::size_t most_sockets = 1000;

  /// `trusts_all`: whoever may write there is believed, since servers are checked otherwise.
  DirectorySource(std::string path, bool trusts_all);

  bool look(TimePoint now) override;
  const std::vector<std::string>& targets() const noexcept override { return targets_; }
  bool is_looking() const noexcept override { return false; }
  const Status& failure() const noexcept override { return failure_; }
  TimePoint next_look() const noexcept override { return next_for_who_waits_; }
  void note_failure() override {}
  void note_change() override { next_ = next_for_who_waits_ = {}; }
  std::string path() const override { return path_ + "/"; }

 private:
  /// What a change of the directory changes.
  struct State {
    dev_t device = 0;
    ino_t number = 0;
    mode_t mode = 0;
    uid_t owner = 0;
    std::chrono::nanoseconds modified{};
    friend bool operator==(const State&, const State&) = default;
  };

  static State state_of(const struct stat& directory) noexcept;
  void read(const struct stat& directory);
  void fail(Status why);

  const std::string path_;
  const bool trusts_all_;
  std::vector<std::string> targets_;
  Status failure_;
  TimePoint next_{};
  TimePoint next_for_who_waits_{};
  State read_at_;
  /// It may have changed since within the same tick of the file system's clock.
  bool is_settled_ = false;
  bool is_said_ = false;
};

}  // namespace nearcall::inline v0::detail
