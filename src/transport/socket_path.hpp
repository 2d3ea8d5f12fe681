// SPDX-License-Identifier: Apache-2.0
// Paths of Unix sockets that are longer than a socket's address.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace nearcall::inline v0::detail {

/// What fits into a sockaddr_un.
inline constexpr std::size_t max_path_in_address = 107;
/// PATH_MAX without the NUL.
inline constexpr std::size_t max_socket_path = 4095;
/// NAME_MAX: of each part of a path.
inline constexpr std::size_t max_part_of_path = 255;

/// Why a path cannot be a Unix socket's: too long, or a part of it; empty if it can.
std::string socket_path_problem(std::string_view path);

/// "/proc/self/fd/5": leads to the file behind a descriptor, where /proc is mounted.
std::string path_of_fd(int fd);
bool is_proc_mounted() noexcept;

/// 16 hexadecimal digits, the same each time (FNV-1a): to tell long names apart in short ones.
std::string short_hash(std::string_view text);

}  // namespace nearcall::inline v0::detail
