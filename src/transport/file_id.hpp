// SPDX-License-Identifier: Apache-2.0
// FileId: which file a name leads to.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include <optional>
#include <string>

namespace nearcall::inline v0::detail {

/// The identity of a file. A number is used again once the file is gone and nothing holds it open,
/// so whoever compares later keeps a descriptor of it. A value.
struct FileId {
  dev_t device = 0;
  ino_t inode = 0;

  friend bool operator==(const FileId&, const FileId&) = default;
};

inline FileId file_id(const struct stat& status) noexcept {
  return {status.st_dev, status.st_ino};
}

/// The file itself that `name` in `directory` leads to: a symbolic link is not followed.
inline std::optional<FileId> file_id_at(int directory, const std::string& name) noexcept {
  struct stat status {};
  if (::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return std::nullopt;
  return file_id(status);
}

}  // namespace nearcall::inline v0::detail
