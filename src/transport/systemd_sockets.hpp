// SPDX-License-Identifier: Apache-2.0
// SystemdSockets: what a service manager has passed to this process by socket activation.
#pragma once

#include "base/fork_mark.hpp"
#include "transport/inherited_socket.hpp"

#include <nearcall/result.hpp>

#include <sys/types.h>

#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace nearcall::inline v0::detail {

/// How names of sockets begin that the library stores itself (StoredSocket).
inline constexpr std::string_view stored_prefix = "nearcall-";

/// A descriptor that was stored, and its name.
struct StoredDescriptor {
  std::string name;
  UniqueFd fd;
};

/// The descriptors that LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES tell of (sd_listen_fds(3)), each
/// of which is given out once.
///
/// Nothing of the environment is believed: the process must be meant, and each number open. All
/// descriptors are close-on-exec from the first look on; the variables stay, and mean nobody else.
/// Thread safety: any thread.
class SystemdSockets {
 public:
  /// The three variables; null: not set.
  struct Environment {
    const char* pid;
    const char* count;
    const char* names;
  };

  /// Those of this process: its environment is read once.
  static SystemdSockets& of_process();

  /// `first` is the number of the first descriptor: 3.
  SystemdSockets(const Environment& environment, pid_t self, int first);

  /// Those of that name that nobody has marked as used, and that are stream sockets; of any name
  /// that is not the library's own, if it is empty. FAILED_PRECONDITION: none was passed or is
  /// left, or what the environment says is wrong.
  Result<std::vector<InheritedSocket>> find(std::string_view name);
  /// They are not found again. False, and nothing is done: one of them was marked before.
  bool mark_used(const std::vector<InheritedSocket>& sockets);
  /// Those of the library's own whose names are wanted. They are the caller's now.
  std::vector<StoredDescriptor> take_stored(
      const std::function<bool(std::string_view name)>& is_wanted);
  /// As if it had been passed.
  void put_back(StoredDescriptor stored);

 private:
  struct Passed {
    int fd;
    std::string name;
    bool is_used;
  };

  std::string read(const Environment& environment, pid_t self, int first);
  std::string why_none(std::string_view name) const;
  Passed& passed_as(int fd);

  const ForkMark made_in_;
  std::mutex mutex_;
  /// Why there is none; empty if there are some.
  std::string problem_;
  std::vector<Passed> passed_;
};

}  // namespace nearcall::inline v0::detail
