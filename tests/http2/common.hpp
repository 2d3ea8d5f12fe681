// SPDX-License-Identifier: Apache-2.0
// Names that tests of the engine have in common.
#pragma once

#include "http2/protocol.hpp"
#include "http2/session_options.hpp"

#include <nearcall/connection_limits.hpp>

#include <cstdint>

namespace nearcall::test {

namespace http2 = detail::http2;

/// The defaults.
inline const ConnectionLimits limits;

inline constexpr http2::Role client = http2::Role::client;
inline constexpr http2::Role server = http2::Role::server;

/// Of a HEADERS frame that is a whole message without a body.
inline constexpr std::uint8_t end_both =
    http2::frame_flag::end_headers | http2::frame_flag::end_stream;

}  // namespace nearcall::test
