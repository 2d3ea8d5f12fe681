// SPDX-License-Identifier: Apache-2.0
// What /proc tells of our user namespace.
#include "transport/overflow_id.hpp"

#include <cstdint>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

namespace nearcall::inline v0::detail {
namespace {

constexpr id_t overflow_id = 65534;

bool maps_all_ids_here(const char* map_path) {
  std::ifstream map(map_path);
  return maps_all_ids(std::string(std::istreambuf_iterator<char>(map), {}));
}

}  // namespace

bool maps_all_ids(std::string_view map) {
  constexpr std::uint64_t all = 0xffff'ffff;  // (id_t)-1 is no id
  std::istringstream lines{std::string(map)};
  std::uint64_t inside = 0;
  std::uint64_t outside = 0;
  std::uint64_t count = 0;
  std::uint64_t mapped = 0;
  while (lines >> inside >> outside >> count)
    mapped += count;
  return mapped >= all;
}

bool may_be_any_user(uid_t uid) {
  return uid == overflow_id && !maps_all_ids_here("/proc/self/uid_map");
}

bool may_be_any_group(gid_t gid) {
  return gid == overflow_id && !maps_all_ids_here("/proc/self/gid_map");
}

}  // namespace nearcall::inline v0::detail
