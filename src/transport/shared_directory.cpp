// SPDX-License-Identifier: Apache-2.0
// Reading the mode and the owner of a directory.
#include "transport/shared_directory.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdio>

namespace nearcall::inline v0::detail {

std::string why_others_may_write(const struct stat& directory, uid_t trusted) {
  if ((directory.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    std::array<char, 24> text{};
    std::snprintf(text.data(), text.size(), "mode %04o", directory.st_mode & 07777U);
    return text.data();
  }
  const uid_t owner = directory.st_uid;
  if (owner == 0 || owner == ::geteuid() || owner == trusted) return {};
  return "it belongs to uid " + std::to_string(owner);
}

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace nearcall::inline v0::detail
