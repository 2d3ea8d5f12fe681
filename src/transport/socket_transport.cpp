// SPDX-License-Identifier: Apache-2.0
// Non-blocking reads and gathered writes on a stream socket.
#include "transport/socket_transport.hpp"

#include "transport/peer_credentials.hpp"
#include "transport/system_error.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <climits>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

constexpr int send_flags = MSG_DONTWAIT | MSG_NOSIGNAL;

/// What a Unix socket may hold of what its peer has not read: a message of 1 MiB, so that its
/// reader copies it while it is being written, and needs not be waited for. The kernel counts its
/// own overhead in, and so doubles what it is asked for (socket(7)).
constexpr int wanted_send_buffer = 1024 * 1024;

int option_of(int fd, int name) noexcept {
  int value = 0;
  socklen_t size = sizeof value;
  return ::getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0 ? value : 0;
}

void enlarge_send_buffer(int fd) noexcept {
  if (option_of(fd, SO_SNDBUF) >= 2 * wanted_send_buffer) return;
  ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &wanted_send_buffer, sizeof wanted_send_buffer);
}

/// More than this is worth a larger buffer: it may not fit into the one that sockets begin with.
constexpr std::size_t small_write = std::size_t{64} * 1024;

std::size_t total_size(std::span<const iovec> pieces) noexcept {
  std::size_t total = 0;
  for (const iovec& piece : pieces) {
    total += piece.iov_len;
  }
  return total;
}

ssize_t send_pieces(int fd, std::span<const iovec> from) noexcept {
  if (from.size() == 1) return ::send(fd, from[0].iov_base, from[0].iov_len, send_flags);
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(from.data());  // sendmsg only reads it
  message.msg_iovlen = std::min<std::size_t>(from.size(), IOV_MAX);
  return ::sendmsg(fd, &message, send_flags);
}

}  // namespace

SocketTransport::SocketTransport(UniqueFd fd, PeerIdentity peer) noexcept
    : fd_(std::move(fd)),
      is_unix_(option_of(fd_.get(), SO_DOMAIN) == AF_UNIX),
      peer_(std::move(peer)) {
}

SocketTransport::~SocketTransport() {
  shutdown(SHUT_RDWR);
}

IoResult SocketTransport::try_read(std::span<std::byte> into) {
  if (const auto* reason = abort_reason_.get()) return IoResult::failed(*reason);
  iovec piece{into.data(), into.size()};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  for (;;) {
    const ssize_t count = ::recvmsg(fd_.get(), &message, MSG_DONTWAIT);
    // So much was there (epoll(7)); the end of the stream shows as EPOLLRDHUP. But a read stops
    // behind bytes that descriptors came with, which are closed (unix(7)).
    const bool is_all = count > 0 && static_cast<std::size_t>(count) < into.size() &&
                        (message.msg_flags & MSG_CTRUNC) == 0;
    if (is_all) return IoResult::all_bytes(static_cast<std::size_t>(count));
    if (count >= 0 || errno != EINTR) return IoResult::of_call(count);
  }
}

IoResult SocketTransport::try_write(std::span<const iovec> from) {
  if (const auto* reason = abort_reason_.get()) return IoResult::failed(*reason);
  // TCP finds the size of its buffers by itself.
  if (is_unix_ && !has_large_buffer_ && total_size(from) > small_write) {
    has_large_buffer_ = true;
    enlarge_send_buffer(fd_.get());
  }
  for (;;) {
    const ssize_t count = send_pieces(fd_.get(), from);
    if (count > 0) return IoResult::bytes(static_cast<std::size_t>(count));
    if (count == 0 || errno == EAGAIN) return IoResult::would_block();
    if (errno != EINTR) return IoResult::failed(system_error(errno));
  }
}

WaitAdvice SocketTransport::prepare_wait(Interest interest) {
  return WaitAdvice::poll(fd_.get(), interest == Interest::read ? POLLIN : POLLOUT);
}

void SocketTransport::abort(std::error_code reason) noexcept {
  if (abort_reason_.set(reason)) shutdown(SHUT_RDWR);
}

void SocketTransport::shutdown_write() noexcept {
  shutdown(SHUT_WR);
}

void SocketTransport::shutdown(int how) noexcept {
  if (made_in_.is_in_maker()) ::shutdown(fd_.get(), how);
}

Result<SocketPair> make_socketpair() {
  std::array<int, 2> fds{-1, -1};
  constexpr int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  if (::socketpair(AF_UNIX, type, 0, fds.data()) != 0) {
    return listen_status("unix:", "socketpair", errno);
  }
  UniqueFd one(fds[0]);
  UniqueFd other(fds[1]);
  if (!one || !other) {
    return listen_status("unix:", "socketpair", errno);
  }
  const auto own = [](UniqueFd fd) {
    PeerIdentity peer = peer_identity(fd.get(), "unix:");
    return std::make_unique<SocketTransport>(std::move(fd), std::move(peer));
  };
  return SocketPair(own(std::move(one)), own(std::move(other)));
}

}  // namespace nearcall::inline v0::detail
