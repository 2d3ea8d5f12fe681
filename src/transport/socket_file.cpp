// SPDX-License-Identifier: Apache-2.0
// The steps from a path to a listening socket of that name.
#include "transport/socket_file.hpp"

#include "base/log.hpp"
#include "transport/connect_socket.hpp"
#include "transport/exiting_process.hpp"
#include "transport/peer_credentials.hpp"
#include "transport/shared_directory.hpp"
#include "transport/socket_address.hpp"
#include "transport/socket_path.hpp"
#include "transport/system_error.hpp"

#include <sys/syscall.h>

#include <string_view>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

constexpr const char* proc_hint = ", as so long a path needs /proc";

std::string_view kind_of(mode_t mode) noexcept {
  switch (mode & S_IFMT) {
    case S_IFDIR:
      return "a directory";
    case S_IFLNK:
      return "a symbolic link";
    case S_IFREG:
      return "a plain file";
    default:
      return "something that is not a socket";
  }
}

std::string short_name_for(std::string_view name, const char* ending) {
  return ".nearcall-" + short_hash(name) + ending;
}

/// The same for whatever way leads to the directory, and short enough for an address behind /proc.
std::string takeover_name(const std::string& name) {
  constexpr std::size_t most = 60;
  constexpr const char* ending = ".takeover";
  return name.size() <= most ? "." + name + ending : short_name_for(name, ending);
}

std::string lock_name(const std::string& name) {
  constexpr const char* ending = ".lock";
  std::string lock = name + ending;
  return lock.size() <= max_part_of_path ? lock : short_name_for(name, ending);
}

/// Changes the mode of the file behind an O_PATH descriptor, which fchmod refuses; by name it could
/// be another file by now.
int change_mode(int fd, mode_t mode) noexcept {
  if (::chmod(path_of_fd(fd).c_str(), mode) == 0) return 0;
  if (errno != ENOENT) return -1;
  constexpr long fchmodat2 = 452;  // since Linux 6.6; older headers lack its name
  return static_cast<int>(::syscall(fchmodat2, fd, "", mode, AT_EMPTY_PATH));
}

/// Cleaners look at the times of files; those of a socket do not change by its use.
void keep_young(int directory, const std::string& name, const struct stat& status) noexcept {
  constexpr time_t old = 3600;
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  if (now.tv_sec - status.st_mtim.tv_sec < old) return;
  ::utimensat(directory, name.c_str(), nullptr, AT_SYMLINK_NOFOLLOW);
}

/// Whether a rename failed because the file system, or the kernel, does not know its flags.
bool knows_no_flags(int number) noexcept {
  return number == EINVAL || number == ENOSYS;
}

/// Exchanges two names. Where that is unknown, `from` replaces `to`: the lock alone must do.
int exchange_in(int directory, const std::string& from, const std::string& to) {
  const int result = ::renameat2(directory, from.c_str(), directory, to.c_str(), RENAME_EXCHANGE);
  if (result == 0 || !knows_no_flags(errno)) return result;
  return ::renameat(directory, from.c_str(), directory, to.c_str());
}

/// Gives the file a name that nobody has; EEXIST if somebody has it.
int rename_to_free(int directory, const std::string& from, const std::string& to) {
  const int result = ::renameat2(directory, from.c_str(), directory, to.c_str(), RENAME_NOREPLACE);
  if (result == 0 || !knows_no_flags(errno)) return result;
  if (::linkat(directory, from.c_str(), directory, to.c_str(), 0) != 0) return -1;
  ::unlinkat(directory, from.c_str(), 0);
  return 0;
}

}  // namespace

SocketFile::SocketFile(const std::string& path)
    : path_(path),
      subject_("unix:" + path),
      directory_path_(directory_of(path)),
      name_(path.substr(path.rfind('/') + 1)),  // the whole path where there is none: npos + 1 is 0
      takeover_name_(takeover_name(name_)) {
}

Result<std::unique_ptr<SocketFile>> SocketFile::create(int socket,
                                                       const std::string& path,
                                                       const ListenOptions& options) {
  std::unique_ptr<SocketFile> file(new SocketFile(path));
  if (auto opened = file->open_directory(); !opened) return std::move(opened).error();
  if (auto locked = file->lock(LockFile::longest_exit); !locked) return std::move(locked).error();
  file->warn_of_writable_directory();
  auto stale = file->find_stale_socket();
  if (!stale) return std::move(stale).error();
  if (auto bound = file->bind_temporary(socket); !bound) return std::move(bound).error();
  if (auto set = file->set_access(options); !set) return std::move(set).error();
  if (::listen(socket, options.backlog()) != 0) return file->failure(errno, "listen");
  if (auto published = file->publish(*stale); !published) return std::move(published).error();
  return file;
}

Result<std::unique_ptr<SocketFile>> SocketFile::adopt(const std::string& path,
                                                      const FileId& file,
                                                      const ListenOptions& options) {
  std::unique_ptr<SocketFile> adopted(new SocketFile(path));
  if (auto opened = adopted->open_directory(); !opened) return std::move(opened).error();
  if (auto locked = adopted->lock(LockFile::longest_exit); !locked)
    return std::move(locked).error();
  adopted->warn_of_writable_directory();
  if (auto pinned = adopted->pin(adopted->name_, path); !pinned) return std::move(pinned).error();
  if (adopted->id_ != file) {
    adopted->bound_name_.clear();
    return adopted->overtaken();
  }
  if (auto set = adopted->set_access(options); !set) return std::move(set).error();
  return adopted;
}

Result<std::unique_ptr<SocketFile>> SocketFile::share(const std::string& path,
                                                      UniqueFd lock,
                                                      UniqueFd file) {
  std::unique_ptr<SocketFile> shared(new SocketFile(path));
  if (auto opened = shared->open_directory(); !opened) return std::move(opened).error();
  shared->warn_of_writable_directory();
  auto held = LockFile::share(shared->directory_.get(), lock_name(shared->name_), std::move(lock),
                              shared->subject_);
  if (!held) return std::move(held).error();
  shared->lock_ = *std::move(held);
  struct stat status {};
  const bool is_there = ::fstat(file.get(), &status) == 0 && S_ISSOCK(status.st_mode) &&
                        file_id_at(shared->directory_.get(), shared->name_) == file_id(status);
  if (!is_there) {
    return Status::failed_precondition(shared->subject_ +
                                       ": what was offered is not the socket at the path");
  }
  shared->pin_ = std::move(file);
  shared->id_ = file_id(status);
  shared->bound_name_ = shared->name_;
  return shared;
}

std::string SocketFile::takeover_path(const std::string& path) {
  return directory_of(path) + "/" + takeover_name(path.substr(path.rfind('/') + 1));
}

Result<UniqueFd> SocketFile::listen_for_takeover() {
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return failure(errno, "socket");
  std::string address = directory_path_ + "/" + takeover_name_;
  if (address.size() > max_path_in_address) {
    address = path_of_fd(directory_.get()) + "/" + takeover_name_;
  }
  auto bound = bind_private(socket.get(), takeover_name_, address);
  if (!bound) return std::move(bound).error();
  constexpr int flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
  takeover_pin_ = UniqueFd(::openat(directory_.get(), takeover_name_.c_str(), flags));
  struct stat status {};
  if (!takeover_pin_ || ::fstat(takeover_pin_.get(), &status) != 0) {
    return failure(errno, "open " + address);
  }
  takeover_id_ = file_id(status);
  constexpr int few = 4;
  if (::listen(socket.get(), few) != 0) return failure(errno, "listen");
  return socket;
}

bool SocketFile::has_takeover_name() const noexcept {
  struct stat status {};
  const int found =
      ::fstatat(directory_.get(), takeover_name_.c_str(), &status, AT_SYMLINK_NOFOLLOW);
  if (found != 0 || takeover_id_ != file_id(status)) return false;
  keep_young(directory_.get(), takeover_name_, status);
  return true;
}

SocketFile::~SocketFile() {
  if (made_in_.is_in_maker() && is_owner()) remove_name();
}

void SocketFile::keep_name() noexcept {
  remove_takeover_name();
  set_owner(false);
}

void SocketFile::remove_takeover_name() noexcept {
  if (takeover_id_ && file_id_at(directory_.get(), takeover_name_) == takeover_id_) {
    ::unlinkat(directory_.get(), takeover_name_.c_str(), 0);
  }
  takeover_id_.reset();
}

void SocketFile::remove_name() noexcept {
  remove_takeover_name();
  if (!bound_name_.empty() && file_id_at(directory_.get(), bound_name_) == id_) {
    ::unlinkat(directory_.get(), bound_name_.c_str(), 0);
  }
  bound_name_.clear();
}

Result<void> SocketFile::open_directory() {
  if (const std::string problem = socket_path_problem(path_); !problem.empty()) {
    return Failure{Status(StatusCode::invalid_argument, subject_ + ": " + problem)};
  }
  if (name_.empty()) {
    return Failure{Status(StatusCode::invalid_argument, subject_ + ": the path names a directory")};
  }
  directory_ = UniqueFd(::open(directory_path_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory_) return failure(errno, "open directory " + directory_path_);
  return {};
}

void SocketFile::warn_of_writable_directory() const {
  struct stat status {};
  if (::fstat(directory_.get(), &status) != 0) return;
  const std::string why = why_others_may_write(status, ::geteuid());
  if (why.empty()) return;
  log(LogLevel::warning, subject_, ": others may write to the directory ", directory_path_, " (",
      why, "), so they can take or replace this name; use one of your own, such as ",
      "$XDG_RUNTIME_DIR");
}

std::string SocketFile::lock_path() const {
  return path_.substr(0, path_.size() - name_.size()) + lock_name(name_);
}

Result<void> SocketFile::lock(Duration longest_wait) {
  auto lock =
      LockFile::acquire(directory_.get(), lock_name(name_), subject_, lock_path(), longest_wait);
  if (!lock) return Failure{std::move(lock).error()};
  lock_ = std::move(*lock);
  return {};
}

Result<UniqueFd> SocketFile::find_stale_socket() const {
  UniqueFd found(::openat(directory_.get(), name_.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!found) {
    if (errno == ENOENT) return UniqueFd();
    return failure(errno, "open");
  }
  struct stat status {};
  if (::fstat(found.get(), &status) != 0) return failure(errno, "stat");
  if (!S_ISSOCK(status.st_mode)) return in_the_way(status.st_mode, path_);
  if (auto nobody = probe(status.st_uid); !nobody) return std::move(nobody).error();
  return found;
}

Result<void> SocketFile::probe(uid_t owner) const {
  ExitWait exit(LockFile::longest_exit);
  pid_t server = 0;
  int reason = 0;
  do {
    const UniqueFd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!client) return failure(errno, "socket");
    reason = connect_to_path(client.get(), path_);
    server = peer_identity(client.get(), {}).pid();
  } while (reason == 0 && exit.wait_for(server));
  if (reason == 0 || reason == EAGAIN) {  // EAGAIN: it listens, and its backlog is full
    return Failure{Status::unavailable(subject_ + ": address in use: a server listens there")
                       .with_reason(StatusReason::address_in_use)};
  }
  if (reason == ECONNREFUSED || reason == ENOENT) return {};
  if (reason == EPROTOTYPE) {
    return Failure{Status(StatusCode::unavailable,
                          subject_ + ": address in use: a socket of another type is bound there")
                       .with_reason(StatusReason::address_in_use)};
  }
  const bool needs_proc = reason == ENAMETOOLONG && !is_proc_mounted();
  const Status refused = listen_status(
      subject_,
      std::string("connect, to see whether a server listens there") + (needs_proc ? proc_hint : ""),
      reason);
  return Failure{reason == EACCES ? with_owner(refused, owner) : refused};
}

Result<void> SocketFile::bind_temporary(int socket) {
  temporary_name_ = "." + name_ + ".new";
  std::string address = directory_path_ + "/" + temporary_name_;
  if (address.size() > max_path_in_address) {
    temporary_name_ = short_name_for(name_, ".new");
    address = path_of_fd(directory_.get()) + "/" + temporary_name_;
  }
  if (auto bound = bind_private(socket, temporary_name_, address); !bound) return bound;
  return pin(temporary_name_, address);
}

Result<void> SocketFile::pin(const std::string& name, const std::string& address) {
  constexpr int flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
  pin_ = UniqueFd(::openat(directory_.get(), name.c_str(), flags));
  struct stat status {};
  if (!pin_ || ::fstat(pin_.get(), &status) != 0) return failure(errno, "open " + address);
  if (!S_ISSOCK(status.st_mode)) {
    return Failure{
        Status(StatusCode::unavailable, subject_ + ": " + address + " was replaced by another")};
  }
  id_ = file_id(status);
  bound_name_ = name;
  return {};
}

Result<void> SocketFile::bind_private(int socket,
                                      const std::string& name,
                                      const std::string& address) {
  struct stat left_over {};  // of a server that died between bind and rename; we hold its lock now
  const int found = ::fstatat(directory_.get(), name.c_str(), &left_over, AT_SYMLINK_NOFOLLOW);
  if (found == 0 && !S_ISSOCK(left_over.st_mode)) return in_the_way(left_over.st_mode, address);
  if (found == 0 && ::unlinkat(directory_.get(), name.c_str(), 0) != 0 && errno != ENOENT) {
    return Failure{
        with_owner(listen_status(subject_, "remove " + address, errno), left_over.st_uid)};
  }
  if (::fchmod(socket, 0600) != 0) return failure(errno, "fchmod");
  const SocketAddress target = SocketAddress::unix_path(address);
  if (::bind(socket, target.get(), target.size()) != 0) {
    const int number = errno;
    const bool needs_proc = address.starts_with("/proc/") && !is_proc_mounted();
    return failure(number, "bind " + address + (needs_proc ? proc_hint : ""));
  }
  return {};
}

Result<void> SocketFile::set_access(const ListenOptions& options) const {
  if (options.group()) {
    constexpr auto same_owner = static_cast<uid_t>(-1);
    const int result = ::fchownat(pin_.get(), "", same_owner, *options.group(), AT_EMPTY_PATH);
    if (result != 0) return failure(errno, "chown to group " + std::to_string(*options.group()));
  }
  struct stat status {};
  if (::fstat(pin_.get(), &status) != 0) return failure(errno, "stat");
  if ((status.st_mode & 07777U) == options.mode()) return {};
  if (change_mode(pin_.get(), options.mode()) == 0) return {};
  const int number = errno;
  return failure(number, is_proc_mounted() ? "chmod" : "chmod, which needs /proc or Linux 6.6");
}

Result<void> SocketFile::publish(const UniqueFd& stale) {
  if (stale) {
    auto replaced = replace(stale);
    if (!replaced || bound_name_ == name_) return replaced;
  }
  if (rename_to_free(directory_.get(), temporary_name_, name_) != 0) {
    return errno == EEXIST ? overtaken() : failure(errno, "rename");
  }
  bound_name_ = name_;
  return {};
}

Result<void> SocketFile::replace(const UniqueFd& stale) {
  struct stat status {};
  if (::fstat(stale.get(), &status) != 0) return failure(errno, "stat");
  if (exchange_in(directory_.get(), temporary_name_, name_) != 0) {
    if (errno == ENOENT) return {};  // somebody removed it: the name is free
    return failure(errno, "rename");
  }
  const std::optional<FileId> taken_out = file_id_at(directory_.get(), temporary_name_);
  if (taken_out && *taken_out != file_id(status)) {
    exchange_in(directory_.get(), temporary_name_, name_);
    return overtaken();
  }
  bound_name_ = name_;
  ::unlinkat(directory_.get(), temporary_name_.c_str(), 0);
  return {};
}

Result<bool> SocketFile::check() {
  struct stat status {};
  const int found = ::fstatat(directory_.get(), name_.c_str(), &status, AT_SYMLINK_NOFOLLOW);
  if (!has_directory()) return false;
  if (found == 0 && file_id(status) != id_) return taken_by(status);
  if (found != 0 || !has_lock()) return false;
  keep_young(directory_.get(), name_, status);
  if (::fstatat(directory_.get(), lock_name(name_).c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) {
    keep_young(directory_.get(), lock_name(name_), status);
  }
  return true;
}

Result<bool> SocketFile::restore(int socket, const ListenOptions& options) {
  if (auto opened = open_directory_again(); !opened) return std::move(opened).error();
  if (!has_lock()) {
    const Result<void> locked = lock(/*longest_wait=*/{});
    if (locked.status().reason() == StatusReason::address_in_use) return has_successor(lock_path());
    if (!locked) return locked.error();
  }
  struct stat status {};
  if (::fstatat(directory_.get(), name_.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) {
    if (file_id(status) == id_) return false;
    return taken_by(status);
  }
  bound_name_.clear();
  if (auto bound = bind_temporary(socket); !bound) return std::move(bound).error();
  if (auto set = set_access(options); !set) return std::move(set).error();
  if (::listen(socket, options.backlog()) != 0) return failure(errno, "listen");
  if (rename_to_free(directory_.get(), temporary_name_, name_) != 0) {
    if (errno == EEXIST) return has_successor(path_);
    return failure(errno, "rename");
  }
  bound_name_ = name_;
  return true;
}

/// Whether the path leads to the directory that we opened. What a relative one leads to by now,
/// nobody knows.
bool SocketFile::has_directory() const noexcept {
  struct stat opened {};
  struct stat named {};
  if (!directory_path_.starts_with('/') || ::fstat(directory_.get(), &opened) != 0) return true;
  if (::stat(directory_path_.c_str(), &named) != 0) return errno != ENOENT;
  return file_id(named) == file_id(opened);
}

/// Somebody may have removed or moved the directory, too, and made it again.
Result<void> SocketFile::open_directory_again() {
  if (has_directory()) return {};
  UniqueFd directory(::open(directory_path_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return failure(errno, "open directory " + directory_path_);
  remove_name();  // where it was moved, no client looks
  lock_.reset();  // it refers to the directory
  directory_ = std::move(directory);
  return {};
}

Failure<Status> SocketFile::in_the_way(mode_t mode, const std::string& path) const {
  return Failure{
      Status(StatusCode::failed_precondition,
             subject_ + ": " + std::string(kind_of(mode)) + " is in the way at " + path)};
}

Failure<Status> SocketFile::taken_by(const struct stat& other) const {
  return S_ISSOCK(other.st_mode) ? has_successor(path_) : in_the_way(other.st_mode, path_);
}

Failure<Status> SocketFile::has_successor(const std::string& what) const {
  return Failure{
      Status(StatusCode::aborted, subject_ + ": another server has taken " + what + " over")};
}

Failure<Status> SocketFile::overtaken() const {
  return Failure{Status(StatusCode::unavailable,
                        subject_ + ": address in use: another server took the path just now")
                     .with_reason(StatusReason::address_in_use)};
}

Failure<Status> SocketFile::failure(int number, const std::string& call) const {
  return Failure{listen_status(subject_, call, number)};
}

}  // namespace nearcall::inline v0::detail
