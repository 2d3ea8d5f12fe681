// SPDX-License-Identifier: Apache-2.0
// How many descriptors this process has open.
#pragma once

#include <cstddef>
#include <filesystem>

namespace nearcall::test {

inline std::ptrdiff_t open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return std::distance(begin(all), end(all));
}

}  // namespace nearcall::test
