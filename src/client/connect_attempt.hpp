// SPDX-License-Identifier: Apache-2.0
// One attempt to connect on the calling thread, and its limits.
#pragma once

#include <nearcall/transport.hpp>

#include <memory>

namespace nearcall::inline v0::detail {

/// One attempt, whatever the connector does: what it throws, now or later, no task and no
/// connection are UNAVAILABLE. Ends on the loop that it begins on, also when the connector's task
/// ends elsewhere; whoever may give it up starts it with a TaskHome.
Task<Result<std::unique_ptr<Transport>>> try_connect(std::shared_ptr<Connector> connector,
                                                     ConnectContext context);

/// Runs one attempt on the calling thread. One that is late or not wanted any more is destroyed
/// where it waits, and what it held is closed: UNAVAILABLE or CANCELLED. A connector that
/// completes without waiting costs no system call of ours.
Result<std::unique_ptr<Transport>> connect_blocking(std::shared_ptr<Connector> connector,
                                                    ConnectContext context);

}  // namespace nearcall::inline v0::detail
