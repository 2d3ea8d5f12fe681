// SPDX-License-Identifier: Apache-2.0
// FifoDirectory: where a `fifo:` server and its client find each other.
#pragma once

#include "base/unique_fd.hpp"

#include <nearcall/result.hpp>

#include <string>

namespace nearcall::inline v0::detail {

/// A directory of mode 0700 that is this user's, so that all that lies in it is, too:
///
///     server.lock   flock of the server, for its life
///     client.lock   flock of the one client, for the life of its connection
///     to_server     a FIFO that no client has taken yet
///     to_client     the same for the other direction
///
/// A client that has the lock opens both FIFOs, removes their names and writes one byte. So nobody
/// else finds them, and the bytes of two clients never meet. The server makes new ones for the
/// next.
///
/// A value. Thread safety: as an int.
class FifoDirectory {
 public:
  static constexpr const char* server_lock = "server.lock";
  static constexpr const char* client_lock = "client.lock";
  static constexpr const char* to_server = "to_server";
  static constexpr const char* to_client = "to_client";
  /// What a client writes first.
  static constexpr char greeting = '\n';

  /// UNAVAILABLE or PERMISSION_DENIED where it cannot be opened, FAILED_PRECONDITION where others
  /// may come in, or it is another user's.
  static Result<FifoDirectory> open(const std::string& path);

  int fd() const noexcept { return fd_.get(); }
  /// "fifo:/run/user/1000/x", for messages.
  const std::string& subject() const noexcept { return subject_; }
  std::string path_of(const char* name) const { return path_ + "/" + name; }
  /// Opens one of the FIFOs without blocking; none and errno where that is refused, or EINVAL where
  /// it is something else.
  UniqueFd open_fifo(const char* name, int flags) const noexcept;

 private:
  FifoDirectory(std::string path, UniqueFd fd) noexcept;

  std::string path_;
  std::string subject_;
  UniqueFd fd_;
};

}  // namespace nearcall::inline v0::detail
