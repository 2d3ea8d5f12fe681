// SPDX-License-Identifier: Apache-2.0
// A pair of Transports in memory: a transport inside one process.
#pragma once

#include <nearcall/transport.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

namespace nearcall::inline v0::detail {

using InprocPipe = std::pair<std::unique_ptr<Transport>, std::unique_ptr<Transport>>;

/// Two transports, each the peer of the other, with `capacity` bytes of buffer in each direction
/// (rounded up to a power of 2). Neither locks nor makes a system call while both sides are awake,
/// or on one loop.
///
/// The peer is this very process, and peer() says so: PeerIdentity::own() at `address`.
/// Thread safety: as Transport says; the two ends may be on different threads.
/// Fails with RESOURCE_EXHAUSTED when there are no descriptors left (it takes four).
Result<InprocPipe> make_inproc_pipe(std::size_t capacity = 65'536,
                                    const std::string& address = "inproc:");

}  // namespace nearcall::inline v0::detail
