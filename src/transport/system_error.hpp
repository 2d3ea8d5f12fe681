// SPDX-License-Identifier: Apache-2.0
// What the operating system refused, as a Status that names the subject and the call.
#pragma once

#include <nearcall/status.hpp>

#include <sys/types.h>

#include <cerrno>
#include <string>
#include <string_view>
#include <system_error>

namespace nearcall::inline v0::detail {

inline std::error_code system_error(int number) noexcept {
  return {number, std::system_category()};
}

/// What a transport says is wrong; one of the user's own may have failed without an error.
inline std::string error_text(std::error_code error) {
  return error ? error.message() : "it failed, and did not say why";
}

/// "unix:/run/x.sock: connect: No such file or directory".
inline Status system_status(StatusCode code,
                            std::string_view subject,
                            std::string_view call,
                            int number) {
  std::string message(subject);
  message.append(": ").append(call).append(": ").append(system_error(number).message());
  return {code, std::move(message)};
}

/// Why a connection could not be made, for programs.
inline StatusReason connect_failure_reason(int number) noexcept {
  switch (number) {
    case ENOENT:
    case ECONNREFUSED:
    case ENOTSOCK:
      return StatusReason::no_server;
    case EACCES:
    case EPERM:
      return StatusReason::no_permission;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
      return StatusReason::system_limit;
    default:
      return StatusReason::none;
  }
}

/// system_status() of a connection that could not be made, with its reason.
inline Status connect_status(std::string_view subject, std::string_view call, int number) {
  return system_status(StatusCode::unavailable, subject, call, number)
      .with_reason(connect_failure_reason(number));
}

/// The code for a failure to listen: what a caller could do about it.
inline StatusCode local_failure_code(int number) noexcept {
  switch (number) {
    case EACCES:
    case EPERM:
    case EROFS:
      return StatusCode::permission_denied;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
    case ENOSPC:
      return StatusCode::resource_exhausted;
    default:
      return StatusCode::unavailable;
  }
}

/// system_status() of a failure to listen, with its reason.
inline Status listen_status(std::string_view subject, std::string_view call, int number) {
  StatusReason reason = StatusReason::none;
  switch (local_failure_code(number)) {
    case StatusCode::permission_denied:
      reason = StatusReason::no_permission;
      break;
    case StatusCode::resource_exhausted:
      reason = StatusReason::system_limit;
      break;
    default:
      if (number == EADDRINUSE) reason = StatusReason::address_in_use;
  }
  return system_status(local_failure_code(number), subject, call, number).with_reason(reason);
}

/// `refused`, the use of a file in the way of a server, with its owner and the way out.
inline Status with_owner(const Status& refused, uid_t owner) {
  return Status(refused.code(),
                refused.message() + ". It belongs to uid " + std::to_string(owner) +
                    ". If that user's server is gone, the user, the owner of the directory or root "
                    "has to remove the socket, and its lock file; or listen in a directory of your "
                    "own")
      .with_reason(refused.reason());
}

}  // namespace nearcall::inline v0::detail
