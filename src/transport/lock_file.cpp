// SPDX-License-Identifier: Apache-2.0
// Opening, locking and removing of lock files without a race.
#include "transport/lock_file.hpp"

#include "transport/system_error.hpp"

#include <sys/file.h>

#include <utility>

namespace nearcall {
namespace {

/// Each further round means that a holder let go in between.
constexpr int max_rounds = 100;

/// Opens the file, and makes it where it is missing. In a sticky directory the kernel may refuse
/// O_CREAT on a file of another user (fs.protected_regular), hence two steps. errno on failure.
UniqueFd open_or_create(int directory, const std::string& name) noexcept {
  constexpr int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
  for (int round = 0; round < max_rounds; ++round) {
    UniqueFd existing(::openat(directory, name.c_str(), flags));
    if (existing || errno != ENOENT) return existing;
    UniqueFd created(::openat(directory, name.c_str(), flags | O_CREAT | O_EXCL, 0600));
    if (created || errno != EEXIST) return created;
  }
  errno = EAGAIN;
  return {};
}

int lock_now(int fd) noexcept {
  int result = 0;
  do {
    result = ::flock(fd, LOCK_EX | LOCK_NB);
  } while (result != 0 && errno == EINTR);
  return result;
}

Status busy(const std::string& subject, const std::string& path) {
  std::string message = subject;
  message.append(": address in use: another server holds ").append(path);
  return {StatusCode::unavailable, std::move(message)};
}

Status not_a_plain_file(const std::string& subject, const std::string& path) {
  std::string message = subject;
  message.append(": ").append(path).append(" is not a plain file");
  return {StatusCode::failed_precondition, std::move(message)};
}

}  // namespace

Result<std::unique_ptr<LockFile>> LockFile::acquire(int directory,
                                                    std::string name,
                                                    const std::string& subject,
                                                    const std::string& path) {
  for (int round = 0; round < max_rounds; ++round) {
    UniqueFd fd = open_or_create(directory, name);
    if (!fd) return system_status(local_failure_code(errno), subject, "open " + path, errno);
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
      return not_a_plain_file(subject, path);
    }
    if (lock_now(fd.get()) != 0) {
      if (errno == EWOULDBLOCK) return busy(subject, path);
      return system_status(local_failure_code(errno), subject, "flock " + path, errno);
    }
    const FileId locked = file_id(status);
    if (file_id_at(directory, name) != locked) continue;  // its holder has just removed it
    return std::unique_ptr<LockFile>(
        new LockFile(directory, std::move(name), std::move(fd), locked));
  }
  return busy(subject, path);
}

LockFile::LockFile(int directory, std::string name, UniqueFd fd, FileId id) noexcept
    : directory_(directory), name_(std::move(name)), fd_(std::move(fd)), id_(id) {
}

LockFile::~LockFile() {
  if (!made_in_.is_in_maker()) return;
  if (file_id_at(directory_, name_) == id_) ::unlinkat(directory_, name_.c_str(), 0);
}

}  // namespace nearcall
