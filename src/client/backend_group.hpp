// SPDX-License-Identifier: Apache-2.0
// BackendGroup: the backends of a channel that has several, as their front sees them.
#pragma once

#include "client/server_wait.hpp"

#include <nearcall/status.hpp>

namespace nearcall::inline v0::detail {

/// The backends of a channel that has several: what the front, which has no server, is asked as
/// any Backend is (Balancer).
///
/// Thread safety: any thread.
class BackendGroup : public AwaitedServer {
 public:
  virtual ~BackendGroup() = default;
  virtual Status ensure_connection(TimePoint until) = 0;
  virtual ConnectivityState state() = 0;
  virtual Duration look_interval() = 0;
  virtual bool wait_for_state_change(ConnectivityState from, TimePoint until) = 0;
  virtual void close_idle() = 0;
  virtual void drain() = 0;
};

}  // namespace nearcall::inline v0::detail
