// SPDX-License-Identifier: Apache-2.0
// What a descriptor is, asked of the kernel.
#include "transport/inherited_socket.hpp"

#include "transport/socket_address.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <optional>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

std::optional<int> option_of_socket(int fd, int name) noexcept {
  int value = 0;
  socklen_t size = sizeof value;
  if (::getsockopt(fd, SOL_SOCKET, name, &value, &size) != 0) return std::nullopt;
  return value;
}

std::string_view name_of_type(int type) noexcept {
  switch (type) {
    case SOCK_DGRAM:
      return "a datagram socket, as of UDP";
    case SOCK_SEQPACKET:
      return "a socket of packets";
    default:
      return "a socket of another type";
  }
}

bool is_connected(int fd) noexcept {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  return ::getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
}

/// Why nobody can listen or talk there; empty if it can be done.
std::string_view what_else_it_is(int fd, bool is_listening) noexcept {
  const std::optional<int> type = option_of_socket(fd, SO_TYPE);
  if (!type) return name_of_file(fd);
  if (*type != SOCK_STREAM) return name_of_type(*type);
  if (!is_listening && !is_connected(fd)) return "one that neither listens nor is connected";
  return {};
}

}  // namespace

std::string_view name_of_file(int fd) noexcept {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return "something unknown";
  switch (status.st_mode & S_IFMT) {
    case S_IFREG:
      return "a plain file";
    case S_IFDIR:
      return "a directory";
    case S_IFCHR:
      return "a device, such as /dev/null or a terminal";
    case S_IFIFO:
      return "a pipe";
    default:
      return "no socket";
  }
}

Result<InheritedSocket> InheritedSocket::inspect(int fd, const std::string& subject) {
  const auto refused = [&subject](std::string_view why) {
    return Failure{Status::failed_precondition(subject + ": " + std::string(why))
                       .with_reason(StatusReason::misuse)};
  };
  const int flags = ::fcntl(fd, F_GETFD);
  if (flags < 0) return refused("that descriptor is not open");
  InheritedSocket socket;
  socket.is_listening_ = option_of_socket(fd, SO_ACCEPTCONN).value_or(0) != 0;
  const std::string_view other = what_else_it_is(fd, socket.is_listening_);
  if (!other.empty()) {
    return refused("it has to be a stream socket that listens or is connected, and is " +
                   std::string(other));
  }
  socket.fd_ = fd;
  socket.is_unix_ = option_of_socket(fd, SO_DOMAIN) == AF_UNIX;
  socket.is_close_on_exec_ = (flags & FD_CLOEXEC) != 0;
  if (socket.is_listening_) socket.address_ = SocketAddress::local(fd).to_string();
  if (socket.address_.empty() || socket.address_ == "unix:") socket.address_ = subject;
  return socket;
}

bool InheritedSocket::has_path() const noexcept {
  return is_listening_ && is_unix_ && address_.starts_with("unix:");
}

UniqueFd InheritedSocket::take() const {
  ::fcntl(fd_, F_SETFD, FD_CLOEXEC);
  if (is_listening_) ::fcntl(fd_, F_SETFL, ::fcntl(fd_, F_GETFL) | O_NONBLOCK);
  return UniqueFd(fd_);
}

}  // namespace nearcall::inline v0::detail
