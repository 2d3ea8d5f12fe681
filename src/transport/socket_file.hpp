// SPDX-License-Identifier: Apache-2.0
// SocketFile: the name of a listening Unix socket in the file system, taken and given back safely.
#pragma once

#include "base/fork_mark.hpp"
#include "base/unique_fd.hpp"
#include "transport/file_id.hpp"
#include "transport/lock_file.hpp"

#include <nearcall/listen_options.hpp>
#include <nearcall/result.hpp>

#include <memory>
#include <optional>
#include <string>

namespace nearcall::inline v0::detail {

/// A path under which our socket listens, from create() to destruction.
///
/// How it is taken:
///  (1) `<path>.lock` (a short name beside it, where that would be longer than 255 bytes) is locked
///      for as long as this object lives.
///  (2) Only a socket on which nobody listens may be in the way; anything else stays untouched.
///  (3) The socket is bound to a temporary name in the same directory, at mode 0600; owner, group
///      and mode become what was asked; it listens; then it is renamed to the path. So the path
///      never leads to a socket that refuses, or that lets in more than it should.
///  (4) What was found in (2) is exchanged, not overwritten: if it is not the stale socket that was
///      looked at, it is put back.
/// When it goes, it removes the path if that still leads to our socket.
///
/// Cleaners of temporary files remove sockets and locks that are old. So check() keeps both young,
/// and where they were removed, it takes them again: the lock first, then the path, and that only
/// if nobody has it.
/// Thread safety: none.
class SocketFile {
 public:
  /// Binds `socket` (a Unix stream socket) to `path` and listens.
  /// UNAVAILABLE: in use. FAILED_PRECONDITION: something else is in the way. All others: the
  /// system.
  static Result<std::unique_ptr<SocketFile>> create(int socket,
                                                    const std::string& path,
                                                    const ListenOptions& options);
  /// The path of a server that has ended, and whose socket goes on to listen there, at `file`.
  /// UNAVAILABLE: in use, or it leads to another file.
  static Result<std::unique_ptr<SocketFile>> adopt(const std::string& path,
                                                   const FileId& file,
                                                   const ListenOptions& options);
  /// The path of another process's server, which offers its lock and its socket's file. That one is
  /// the owner. FAILED_PRECONDITION: what is offered is not what has the path.
  static Result<std::unique_ptr<SocketFile>> share(const std::string& path,
                                                   UniqueFd lock,
                                                   UniqueFd file);
  /// An owner gives the path back. In a forked child it only closes: the parent's name stays.
  ~SocketFile();
  /// Whether the path and the lock are ours. If nobody else has taken them, another socket has to
  /// restore() what is missing. ABORTED: another server has the path, or the lock.
  /// FAILED_PRECONDITION: something that is no socket has the path.
  Result<bool> check();
  /// Takes again what is missing. If that is the path, `socket` (as in create()) listens there from
  /// now on: true. Does not wait, as it is for the thread of a loop; UNAVAILABLE where a process
  /// that exits still has the lock.
  Result<bool> restore(int socket, const ListenOptions& options);
  /// Whether it removes what lies there when it goes.
  bool is_owner() const noexcept { return !lock_ || lock_->is_owner(); }
  /// REQUIRES: the other one has said that it is not, or is dead; or nobody else was told to be.
  void set_owner(bool is_owner) noexcept {
    if (lock_) lock_->set_owner(is_owner);
  }
  /// The path stays for who adopts it. REQUIRES: as create(), made in this process.
  void keep_name() noexcept;
  const FileId& id() const noexcept { return id_; }
  /// Gives our socket's file the group and the mode that the options ask for.
  Result<void> set_access(const ListenOptions& options) const;
  /// To be shared: the lock, and our socket's file.
  int lock_fd() const noexcept { return lock_ ? lock_->fd() : -1; }
  int file_fd() const noexcept { return pin_.get(); }

  /// Where a server says that the path can be taken over.
  static std::string takeover_path(const std::string& path);
  /// A socket that listens there, of mode 0600. REQUIRES: is_owner().
  Result<UniqueFd> listen_for_takeover();
  /// Whether its name leads to it, which is kept young.
  bool has_takeover_name() const noexcept;
  SocketFile(const SocketFile&) = delete;
  SocketFile& operator=(const SocketFile&) = delete;

 private:
  explicit SocketFile(const std::string& path);

  Result<void> open_directory();
  bool has_directory() const noexcept;
  Result<void> open_directory_again();
  void remove_name() noexcept;
  void remove_takeover_name() noexcept;
  void warn_of_writable_directory() const;
  std::string lock_path() const;
  Result<void> lock(Duration longest_wait);
  bool has_lock() const noexcept { return lock_ != nullptr && lock_->is_in_place(); }
  /// The stale socket in the way, held so that its number stays its own; none if the name is free.
  Result<UniqueFd> find_stale_socket() const;
  /// Whether somebody listens at the path, where a socket of `owner` is: OK says that nobody does.
  Result<void> probe(uid_t owner) const;
  Result<void> bind_temporary(int socket);
  /// Our socket's file has that name now.
  Result<void> pin(const std::string& name, const std::string& address);
  /// Binds to a name in the directory, at mode 0600, in the place of a socket that lies there: only
  /// the holder of the lock does so.
  Result<void> bind_private(int socket, const std::string& name, const std::string& address);
  Result<void> publish(const UniqueFd& stale);
  Result<void> replace(const UniqueFd& stale);
  Failure<Status> overtaken() const;
  Failure<Status> has_successor(const std::string& what) const;
  Failure<Status> in_the_way(mode_t mode, const std::string& path) const;
  /// Who has the name in place of our socket: a server, or nobody.
  Failure<Status> taken_by(const struct stat& other) const;
  Failure<Status> failure(int number, const std::string& call) const;

  const std::string path_;
  const std::string subject_;
  std::string directory_path_;
  std::string name_;
  std::string temporary_name_;
  const std::string takeover_name_;
  const ForkMark made_in_;
  UniqueFd directory_;
  std::unique_ptr<LockFile> lock_;
  /// Keeps the number of our socket's file from being used again.
  UniqueFd pin_;
  FileId id_;
  /// The name that our file has now: none, the temporary or the final one.
  std::string bound_name_;
  /// The socket that listens for takeovers, as pin_ and id_.
  UniqueFd takeover_pin_;
  std::optional<FileId> takeover_id_;
};

}  // namespace nearcall::inline v0::detail
