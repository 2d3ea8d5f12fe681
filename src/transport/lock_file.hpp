// SPDX-License-Identifier: Apache-2.0
// LockFile: a file whose lock only one process holds.
#pragma once

#include "base/clock.hpp"
#include "base/fork_mark.hpp"
#include "base/unshared_fd.hpp"
#include "transport/file_id.hpp"

#include <nearcall/result.hpp>

#include <memory>
#include <string>

namespace nearcall::inline v0::detail {

/// Holds flock(2) on a file in a directory, from acquire() to destruction.
///
/// The kernel releases the lock when the process dies, so a file left behind locks nobody out;
/// no forked child shares it. The file has mode 0600, and says in it who holds it (a pid), so that
/// an acquirer can wait for a holder that was killed this moment, and for no other.
/// A file that is something else (it has another text, other links, or another owner than this user
/// and root) is refused, and left as it is.
/// The holder removes the file when it is done. So an acquirer may lock a file that has just lost
/// its name; it looks at the name again under the lock, and starts over if that leads elsewhere.
/// Thread safety: none.
class LockFile {
 public:
  /// What a server that starts waits for another that exits.
  static constexpr Duration longest_exit = std::chrono::seconds(2);

  /// Takes the lock. UNAVAILABLE if another holds it; with StatusReason::server_stopping if that
  /// one still exits after `longest_wait`, for which it sleeps. `directory` is a descriptor that
  /// outlives the lock; `subject` and `path` are for messages.
  static Result<std::unique_ptr<LockFile>> acquire(int directory,
                                                   std::string name,
                                                   const std::string& subject,
                                                   const std::string& path,
                                                   Duration longest_wait);
  /// A lock that another process has, and shares: `fd` is a copy of its descriptor. That one is the
  /// owner. FAILED_PRECONDITION: what `name` leads to is another file, or the lock another's.
  static Result<std::unique_ptr<LockFile>> share(int directory,
                                                 std::string name,
                                                 UniqueFd fd,
                                                 const std::string& subject);
  /// Whether it removes the file when it is done, and is named in it. One that is not keeps the
  /// lock taken all the same.
  bool is_owner() const noexcept { return is_owner_; }
  void set_owner(bool is_owner) noexcept;
  /// To be shared.
  int fd() const noexcept { return fd_.get(); }
  /// An owner removes the file. Releases the lock, if nobody shares it. In a forked child it only
  /// closes its copy: the parent holds on.
  ~LockFile();
  /// Whether others who look for the lock still find this one, and not another or none.
  bool is_in_place() const noexcept { return file_id_at(directory_, name_) == id_; }
  LockFile(const LockFile&) = delete;
  LockFile& operator=(const LockFile&) = delete;

 private:
  LockFile(int directory, std::string name, UniqueFd fd, FileId id, bool is_owner) noexcept;

  const int directory_;
  const std::string name_;
  const detail::UnsharedFd fd_;
  const FileId id_;
  bool is_owner_;
  const ForkMark made_in_;
};

}  // namespace nearcall::inline v0::detail
