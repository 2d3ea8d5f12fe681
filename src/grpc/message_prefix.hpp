// SPDX-License-Identifier: Apache-2.0
// The five bytes before each gRPC message: a flag and a big-endian length.
#pragma once

#include "base/bytes.hpp"

#include <cstddef>
#include <cstdint>

namespace nearcall::inline v0::detail::grpc {

inline constexpr std::size_t message_prefix_size = 5;

/// What the first byte of a prefix may be.
inline constexpr std::byte uncompressed_flag{0};
inline constexpr std::byte compressed_flag{1};

/// Writes the prefix of a message of `length` bytes. REQUIRES: room for message_prefix_size bytes.
inline void write_prefix(std::byte* to, std::byte flag, std::uint32_t length) noexcept {
  to[0] = flag;
  store_be32(to + 1, length);
}

}  // namespace nearcall::inline v0::detail::grpc
