// SPDX-License-Identifier: Apache-2.0
// Looking at standard input and output, and putting other things in their place.
#include "transport/standard_streams.hpp"

#include "base/unique_fd.hpp"
#include "transport/inherited_listener.hpp"
#include "transport/inherited_socket.hpp"
#include "transport/peer_credentials.hpp"
#include "transport/pipe_transport.hpp"
#include "transport/system_error.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

constexpr std::string_view target = "stdio:";

bool are_one_file(int one, int other) noexcept {
  struct stat first {};
  struct stat second {};
  return ::fstat(one, &first) == 0 && ::fstat(other, &second) == 0 &&
         first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

/// Why bytes do not come from there, or go there; empty if they can.
std::string_view what_else_it_is(int fd, int wrong_way) noexcept {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return "closed";
  if (S_ISFIFO(status.st_mode)) {
    const bool is_wrong_end = (::fcntl(fd, F_GETFL) & O_ACCMODE) == wrong_way;
    return is_wrong_end ? "the wrong end of a pipe" : std::string_view();
  }
  if (!S_ISSOCK(status.st_mode)) return name_of_file(fd);
  const Result<InheritedSocket> socket = InheritedSocket::inspect(fd, {});
  if (!socket) return "a socket that is not connected, or that is none of a stream";
  return socket->is_listening() ? "a socket that listens" : std::string_view();
}

Result<void> check(int fd, int wrong_way, std::string_view name) {
  const std::string_view other = what_else_it_is(fd, wrong_way);
  if (other.empty()) return {};
  std::string message(target);
  message.append(": ").append(name).append(
      " has to be a pipe or a connected stream socket, and is ");
  message.append(other);
  return Failure{Status::failed_precondition(std::move(message)).with_reason(StatusReason::misuse)};
}

UniqueFd copy_of(int fd) noexcept {
  return UniqueFd(::fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
}

/// What the program still reads from and prints to.
void put_in_place(int null) noexcept {
  const bool is_open = ::fcntl(STDERR_FILENO, F_GETFD) >= 0;
  // As of `2>&1`: a word there would break the stream.
  if (is_open && are_one_file(STDOUT_FILENO, STDERR_FILENO)) ::dup2(null, STDERR_FILENO);
  ::dup2(is_open ? STDERR_FILENO : null, STDOUT_FILENO);
  ::dup2(null, STDIN_FILENO);
}

}  // namespace

Result<StandardStreams> StandardStreams::inspect() {
  if (auto ok = check(STDIN_FILENO, O_WRONLY, "standard input"); !ok) return ok.error();
  if (auto ok = check(STDOUT_FILENO, O_RDONLY, "standard output"); !ok) return ok.error();
  const Result<InheritedSocket> input = InheritedSocket::inspect(STDIN_FILENO, {});
  const Result<InheritedSocket> output = InheritedSocket::inspect(STDOUT_FILENO, {});
  if (!input || !output) return StandardStreams(/*is_unix=*/false, /*is_one_socket=*/false);
  return StandardStreams(input->is_unix() && output->is_unix(),
                         are_one_file(STDIN_FILENO, STDOUT_FILENO));
}

Result<std::unique_ptr<Transport>> StandardStreams::take() const {
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null) return listen_status(target, "open /dev/null", errno);
  UniqueFd input = copy_of(STDIN_FILENO);
  UniqueFd output = copy_of(STDOUT_FILENO);
  if (!input || !output) return listen_status(target, "dup", errno);
  std::unique_ptr<Transport> transport;
  if (is_one_socket_) {
    transport = make_socket_transport(std::move(input), is_unix_, std::string(target));
  } else {
    PeerIdentity peer = is_unix_ ? peer_identity(input.get(), std::string(target))
                                 : PeerIdentity(std::string(target));
    auto made = PipeTransport::make(std::move(input), std::move(output), std::move(peer));
    if (!made) return made;
    transport = *std::move(made);
  }
  put_in_place(null.get());
  return transport;
}

}  // namespace nearcall::inline v0::detail
