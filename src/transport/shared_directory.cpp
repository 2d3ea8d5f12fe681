// SPDX-License-Identifier: Apache-2.0
// Reading the modes and the owners of directories.
#include "transport/shared_directory.hpp"

#include "base/unique_fd.hpp"
#include "transport/system_error.hpp"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

constexpr int most_links = 40;  // as path_resolution(7)

bool is_ours(const struct stat& entry) noexcept {
  return entry.st_uid == 0 || entry.st_uid == ::geteuid();
}

/// Why others may have put the entry there; empty if they may not.
std::string why_entry_is_doubtful(const struct stat& directory,
                                  const struct stat& entry,
                                  uid_t trusted) {
  const bool is_sticky = (directory.st_mode & S_ISVTX) != 0;
  const bool is_owners_trusted = is_ours(directory) || directory.st_uid == trusted;
  if (is_sticky && is_owners_trusted && is_ours(entry)) return {};
  return why_others_may_write(directory, trusted);
}

/// Goes the way of a path, one name a step.
class PathWalk {
 public:
  explicit PathWalk(std::string path) : rest_(std::move(path)) { start_at_root(); }

  /// Why others may have chosen the next entry; empty if not, or at the end.
  std::string step(uid_t trusted) {
    const std::string name = rest_.substr(0, rest_.find('/'));
    rest_.erase(0, name.size());
    UniqueFd next(::openat(directory_.get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    struct stat directory {};
    struct stat entry {};
    if (!next || ::fstat(directory_.get(), &directory) != 0 || ::fstat(next.get(), &entry) != 0) {
      return name + " cannot be looked at in the directory " + name_ + " (" +
             system_error(errno).message() + ")";
    }
    const std::string why = why_entry_is_doubtful(directory, entry, trusted);
    if (!why.empty()) return "others may write to the directory " + name_ + " (" + why + ")";
    if (S_ISLNK(entry.st_mode)) return follow(next.get());
    directory_ = std::move(next);
    name_ += (name_.ends_with('/') ? "" : "/") + name;
    return {};
  }
  bool is_at_end() {
    rest_.erase(0, rest_.find_first_not_of('/'));
    return rest_.empty();
  }

 private:
  void start_at_root() {
    directory_ = UniqueFd(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
    name_ = "/";
  }
  std::string follow(int link) {
    std::array<char, PATH_MAX> target{};
    const ssize_t size = ::readlinkat(link, "", target.data(), target.size());
    if (size <= 0 || ++links_ > most_links) {
      return "there are too many symbolic links in the directory " + name_;
    }
    rest_.insert(0, std::string(target.data(), static_cast<std::size_t>(size)));
    if (rest_.starts_with('/')) start_at_root();
    return {};
  }

  std::string rest_;
  UniqueFd directory_;
  std::string name_;
  int links_ = 0;
};

/// From "/" on; empty if the current directory has no name.
std::string absolute(const std::string& path) {
  if (path.starts_with('/')) return path;
  std::array<char, PATH_MAX> current{};
  if (::getcwd(current.data(), current.size()) == nullptr || current[0] != '/') return {};
  return std::string(current.data()) + "/" + path;
}

}  // namespace

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

std::string why_others_may_choose(const std::string& path, uid_t trusted) {
  const std::string from_root = absolute(path);
  if (from_root.empty()) return "the current directory is gone";
  for (PathWalk walk(from_root); !walk.is_at_end();) {
    std::string why = walk.step(trusted);
    if (!why.empty()) return why;
  }
  return {};
}

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace nearcall::inline v0::detail
