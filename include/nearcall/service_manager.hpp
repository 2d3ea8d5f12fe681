// SPDX-License-Identifier: Apache-2.0
// What a daemon tells the service manager that started it: systemd's sd_notify(3).
#pragma once

#include <nearcall/result.hpp>

#include <chrono>
#include <optional>
#include <string_view>

#pragma GCC visibility push(default)  // what a shared library exports

/// All of these send one datagram to $NOTIFY_SOCKET and do not wait. False: nobody wants to hear,
/// as the process was not started by a service manager. UNAVAILABLE: the manager does not take it
/// now, or is not there; INVALID_ARGUMENT: the variable names no socket of the file system or
/// abstract one. Thread safety: any thread, as long as nobody changes the environment.
namespace nearcall::inline v0::service_manager {

/// READY=1: the service has started (Type=notify), or has reloaded. After listen() connections are
/// taken, so before Server::run().
Result<bool> notify_ready();
/// STOPPING=1: the service begins to stop.
Result<bool> notify_stopping();
/// RELOADING=1 with the time of CLOCK_MONOTONIC (Type=notify-reload); then notify_ready().
Result<bool> notify_reloading();
/// WATCHDOG=1: the service is alive. Due more often than watchdog_interval().
Result<bool> notify_alive();
/// FDSTORE=1: the manager keeps a copy of the descriptor, and passes it to the next process of this
/// service under that name (FileDescriptorStoreMax=): 1 to 255 bytes of printable ASCII, no colon.
Result<bool> store_descriptor(int fd, std::string_view name);
/// FDSTOREREMOVE=1: it no longer keeps those of that name.
Result<bool> remove_descriptors(std::string_view name);

/// How long the manager waits for notify_alive() before it ends the process (WatchdogSec=); none if
/// it does not.
std::optional<std::chrono::microseconds> watchdog_interval();

}  // namespace nearcall::inline v0::service_manager

#pragma GCC visibility pop
