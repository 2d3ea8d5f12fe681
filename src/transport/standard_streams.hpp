// SPDX-License-Identifier: Apache-2.0
// StandardStreams: standard input and output of this process, as a connection.
#pragma once

#include <nearcall/result.hpp>
#include <nearcall/transport.hpp>

#include <memory>

namespace nearcall::inline v0::detail {

/// What standard input and output are: pipes or connected stream sockets. A value, which owns
/// nothing.
class StandardStreams {
 public:
  /// FAILED_PRECONDITION for whatever else they are: a plain file, a terminal, /dev/null, nothing.
  /// Changes nothing.
  static Result<StandardStreams> inspect();

  /// Whether the kernel knows who is on the other side: both are Unix sockets.
  bool is_unix() const noexcept { return is_unix_; }
  /// Takes them away from the rest of the program, which reads from /dev/null then, and prints on
  /// standard error what it prints on standard output; nowhere, if standard error leads where
  /// standard output did, or is closed. An error if there are no descriptors, and they are
  /// left where they are (pipes may be non-blocking by then). Called once.
  Result<std::unique_ptr<Transport>> take() const;

 private:
  StandardStreams(bool is_unix, bool is_one_socket) noexcept
      : is_unix_(is_unix), is_one_socket_(is_one_socket) {}

  bool is_unix_;
  bool is_one_socket_;
};

}  // namespace nearcall::inline v0::detail
