// SPDX-License-Identifier: Apache-2.0
// A transport's handshake, awaited.
#pragma once

#include <nearcall/transport.hpp>

namespace nearcall::inline v0::detail {

/// Does the handshake of a transport that a connector made. UNAVAILABLE with the reason if it
/// fails or the deadline passes, CANCELLED if nobody wants it any more. `transport` outlives the
/// task.
Task<Result<void>> finish_handshake(Transport& transport, ConnectContext context);

}  // namespace nearcall::inline v0::detail
