// SPDX-License-Identifier: Apache-2.0
// How long a path may be, and the way around that.
#include "transport/socket_path.hpp"

#include <limits.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>

namespace nearcall::inline v0::detail {
namespace {

static_assert(max_path_in_address == sizeof(sockaddr_un::sun_path) - 1);
static_assert(max_socket_path == PATH_MAX - 1 && max_part_of_path == NAME_MAX);

std::string over(std::string_view what, std::size_t size, std::size_t limit) {
  std::string problem(what);
  problem.append(" has ").append(std::to_string(size));
  return problem.append(" bytes, the limit is ").append(std::to_string(limit));
}

}  // namespace

std::string socket_path_problem(std::string_view path) {
  if (path.size() > max_socket_path) return over("the path", path.size(), max_socket_path);
  while (!path.empty()) {
    const std::size_t size = std::min(path.find('/'), path.size());
    if (size > max_part_of_path) return over("a part of the path", size, max_part_of_path);
    path.remove_prefix(std::min(size + 1, path.size()));
  }
  return {};
}

std::string path_of_fd(int fd) {
  return "/proc/self/fd/" + std::to_string(fd);
}

bool is_proc_mounted() noexcept {
  return ::access("/proc/self/fd", F_OK) == 0;
}

std::string short_hash(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char c : text)
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  std::array<char, 17> digits{};
  std::snprintf(digits.data(), digits.size(), "%016llx", static_cast<unsigned long long>(hash));
  return digits.data();
}

}  // namespace nearcall::inline v0::detail
