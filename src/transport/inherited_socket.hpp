// SPDX-License-Identifier: Apache-2.0
// InheritedSocket: a socket that this process was given, looked at before it is used.
#pragma once

#include "base/unique_fd.hpp"

#include <nearcall/result.hpp>

#include <string>
#include <string_view>

namespace nearcall::inline v0::detail {

/// As which descriptor a spawned child has its end of the connection: the first that a program does
/// not have of itself.
inline constexpr int inherited_descriptor = 3;

/// What `fd` is that is no socket, for messages: "a plain file".
std::string_view name_of_file(int fd) noexcept;

/// What an open descriptor is that somebody else has made: a stream socket that listens, or that is
/// connected. A value, which owns nothing.
class InheritedSocket {
 public:
  /// FAILED_PRECONDITION, and `subject` in the message, for whatever is neither: a file, a device,
  /// a datagram socket, a descriptor that is closed. Changes nothing.
  static Result<InheritedSocket> inspect(int fd, const std::string& subject);

  int fd() const noexcept { return fd_; }
  /// Whether it listens; otherwise it is connected.
  bool is_listening() const noexcept { return is_listening_; }
  /// Whether the kernel knows who is on the other side.
  bool is_unix() const noexcept { return is_unix_; }
  /// Whether it listens at a path, which has permissions.
  bool has_path() const noexcept;
  /// Whether an exec would have closed it: this process has made or received it.
  bool is_close_on_exec() const noexcept { return is_close_on_exec_; }
  /// Where it listens, as a target; `subject` where that has no name.
  const std::string& address() const noexcept { return address_; }

  /// Makes it ours: close-on-exec, and non-blocking where it listens (that is a property of the
  /// socket itself, which others may share; reads and writes do not need it). Called once.
  UniqueFd take() const;

 private:
  InheritedSocket() = default;

  int fd_ = -1;
  bool is_listening_ = false;
  bool is_unix_ = false;
  bool is_close_on_exec_ = false;
  std::string address_;
};

}  // namespace nearcall::inline v0::detail
