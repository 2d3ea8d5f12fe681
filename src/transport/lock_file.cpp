// SPDX-License-Identifier: Apache-2.0
// Opening, locking and removing of lock files without a race.
#include "transport/lock_file.hpp"

#include "transport/exiting_process.hpp"
#include "transport/system_error.hpp"

#include <sys/file.h>

#include <array>
#include <charconv>
#include <optional>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

/// Each further round means that a holder released it in between.
constexpr int max_rounds = 100;

/// Opens the file, and makes it where it is missing. In a sticky directory the kernel may refuse
/// O_CREAT on a file of another user (fs.protected_regular), hence two steps. errno on failure.
UniqueFd open_or_create(int directory, const std::string& name) noexcept {
  constexpr int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
  for (int round = 0; round < max_rounds; ++round) {
    UniqueFd existing(::openat(directory, name.c_str(), flags));
    if (existing || errno != ENOENT) return existing;
    UniqueFd created(::openat(directory, name.c_str(), flags | O_CREAT | O_EXCL, 0600));
    // Whatever the umask is: a successor of the same user must be able to open it.
    if (created) ::fchmod(created.get(), 0600);
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

/// Who wrote itself into the file, 0 if it is empty; none for a text that no holder writes.
std::optional<pid_t> holder_of(int fd) noexcept {
  std::array<char, 16> text{};  // more than a pid and the line's end
  const ssize_t count = ::pread(fd, text.data(), text.size(), 0);
  if (count == 0) return 0;
  pid_t holder = 0;
  const char* const end = text.data() + count;
  const auto [stop, error] = std::from_chars(text.data(), end, holder);
  if (count < 0 || error != std::errc() || holder <= 0 || end - stop != 1 || *stop != '\n') {
    return std::nullopt;
  }
  return holder;
}

/// If that fails, nobody waits for us when we die.
void write_holder(int fd) noexcept {
  const std::string text = std::to_string(::getpid()) + "\n";
  if (::ftruncate(fd, 0) != 0) return;
  static_cast<void>(!::pwrite(fd, text.data(), text.size(), 0));
}

Status busy(const std::string& subject, const std::string& path) {
  std::string message = subject;
  message.append(": address in use: another server holds ").append(path);
  return Status::unavailable(std::move(message)).with_reason(StatusReason::address_in_use);
}

Status busy_until_exit(const std::string& subject, const std::string& path) {
  std::string message = subject;
  message.append(": address in use: the process that holds ").append(path).append(" is exiting");
  return Status::unavailable(std::move(message)).with_reason(StatusReason::server_stopping);
}

Status not_a_plain_file(const std::string& subject, const std::string& path) {
  std::string message = subject;
  message.append(": ").append(path).append(" is not a plain file");
  return {StatusCode::failed_precondition, std::move(message)};
}

/// OK for a file that can be a lock, and that nobody but root and this user can hold: another one
/// is neither written to nor removed.
Status check_lock(int fd,
                  const struct stat& file,
                  const std::string& subject,
                  const std::string& path) {
  if (!S_ISREG(file.st_mode)) return not_a_plain_file(subject, path);
  if (file.st_uid != 0 && file.st_uid != ::geteuid()) {
    return with_owner(listen_status(subject, "use " + path, EACCES), file.st_uid);
  }
  if (file.st_nlink > 1 || !holder_of(fd)) {
    return Status::failed_precondition(subject + ": " + path +
                                       " is in the way: it is another file than a server's lock, "
                                       "so it is left as it is");
  }
  return Status();
}

Status cannot_open(int directory,
                   const std::string& name,
                   const std::string& subject,
                   const std::string& path) {
  const int number = errno;
  // Of a symbolic link, a directory and a socket.
  if (number == ELOOP || number == EISDIR || number == ENXIO)
    return not_a_plain_file(subject, path);
  Status refused = listen_status(subject, "open " + path, number);
  struct stat status {};
  if (number != EACCES || ::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    return refused;
  }
  return with_owner(refused, status.st_uid);
}

}  // namespace

Result<std::unique_ptr<LockFile>> LockFile::acquire(int directory,
                                                    std::string name,
                                                    const std::string& subject,
                                                    const std::string& path,
                                                    Duration longest_wait) {
  ExitWait exit(longest_wait);
  for (int round = 0; round < max_rounds;) {
    UniqueFd fd = open_or_create(directory, name);
    if (!fd) return cannot_open(directory, name, subject, path);
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) return listen_status(subject, "stat " + path, errno);
    if (Status usable = check_lock(fd.get(), status, subject, path); !usable.ok()) return usable;
    if (lock_now(fd.get()) != 0) {
      if (errno != EWOULDBLOCK) {
        return listen_status(subject, "flock " + path, errno);
      }
      if (exit.wait_for(holder_of(fd.get()).value_or(0))) continue;
      return exit.saw_exiting() ? busy_until_exit(subject, path) : busy(subject, path);
    }
    const FileId locked = file_id(status);
    if (file_id_at(directory, name) == locked) {
      write_holder(fd.get());
      return std::unique_ptr<LockFile>(
          new LockFile(directory, std::move(name), std::move(fd), locked, /*is_owner=*/true));
    }
    ++round;  // its holder has just removed it
  }
  return busy(subject, path);
}

Result<std::unique_ptr<LockFile>> LockFile::share(int directory,
                                                  std::string name,
                                                  UniqueFd fd,
                                                  const std::string& subject) {
  struct stat status {};
  const bool is_the_lock = ::fstat(fd.get(), &status) == 0 && S_ISREG(status.st_mode) &&
                           file_id_at(directory, name) == file_id(status);
  if (!is_the_lock || lock_now(fd.get()) != 0) {
    return Status::failed_precondition(subject + ": what was offered is not the lock " + name);
  }
  return std::unique_ptr<LockFile>(
      new LockFile(directory, std::move(name), std::move(fd), file_id(status), /*is_owner=*/false));
}

void LockFile::set_owner(bool is_owner) noexcept {
  if (is_owner) write_holder(fd_.get());
  is_owner_ = is_owner;
}

LockFile::LockFile(int directory, std::string name, UniqueFd fd, FileId id, bool is_owner) noexcept
    : directory_(directory),
      name_(std::move(name)),
      fd_(std::move(fd)),
      id_(id),
      is_owner_(is_owner) {
}

LockFile::~LockFile() {
  if (!made_in_.is_in_maker() || !is_owner_) return;
  if (is_in_place()) ::unlinkat(directory_, name_.c_str(), 0);
}

}  // namespace nearcall::inline v0::detail
