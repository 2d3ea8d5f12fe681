// SPDX-License-Identifier: Apache-2.0
// ListenerOptions: how a listener of ours is set up.
#pragma once

#include <sys/types.h>

#include <optional>

namespace nearcall {

/// Mode, owner and group concern the socket file of a "unix:" endpoint; other kinds ignore them.
struct ListenerOptions {
  /// Exactly this, whatever the umask. Connecting needs write permission.
  mode_t mode = 0600;
  /// Only root may give a file away.
  std::optional<uid_t> owner;
  /// A group that the process belongs to, unless it is root.
  std::optional<gid_t> group;
  /// How many connections may wait to be accepted; the kernel caps it (net.core.somaxconn).
  int backlog = 1024;
};

}  // namespace nearcall
