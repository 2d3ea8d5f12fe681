// SPDX-License-Identifier: Apache-2.0
// Telling a peer that is not served why, at accept.
#pragma once

#include <nearcall/transport.hpp>

#include <string_view>

namespace nearcall::inline v0::detail {

/// Sends an empty SETTINGS and GOAWAY(INADEQUATE_SECURITY) with the name of the policy, in one
/// write that may fail: a client of any implementation then learns more than that it was closed.
/// Nothing is read and nothing is kept for the peer. At most 200 bytes of the name are sent.
void send_refusal_notice(Transport& transport, std::string_view policy);
/// The same with GOAWAY(NO_ERROR): nothing of the peer was taken, and what it asks for is served
/// where it connects anew.
void send_move_notice(Transport& transport);

}  // namespace nearcall::inline v0::detail
