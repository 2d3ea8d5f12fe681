// SPDX-License-Identifier: Apache-2.0
// One attempt to connect on the calling thread, and its limits.
#pragma once

#include <nearcall/transport.hpp>

#include <memory>

namespace nearcall::detail {

/// Runs one attempt on the calling thread. One that is late or not wanted any more is destroyed
/// where it waits, and what it held is closed: DEADLINE_EXCEEDED or CANCELLED. A connector that
/// completes without waiting costs no system call of ours.
Result<std::unique_ptr<Connection>> connect_blocking(Connector& connector, ConnectContext context);

}  // namespace nearcall::detail
