// SPDX-License-Identifier: Apache-2.0
// A transport of one's own, both halves: a program that is spoken to over its standard input.
#pragma once

#include <nearcall/transport.hpp>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <utility>

namespace plugin_transport {
using namespace nearcall;
using Connected = Result<std::unique_ptr<Connection>>;
/// A connected socket that one process handed to another.
class PassedSocket final : public Connection {
 public:
  explicit PassedSocket(int fd, std::function<void()> on_close = {})
      : fd_(fd), on_close_(std::move(on_close)) {}
  ~PassedSocket() override {
    ::close(fd_);
    if (on_close_) on_close_();
  }
  IoResult try_read(std::span<std::byte> into) override {
    return result(::recv(fd_, into.data(), into.size(), MSG_DONTWAIT));
  }
  IoResult try_write(std::span<const iovec> from) override {
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(from.data());
    message.msg_iovlen = from.size();
    return result(::sendmsg(fd_, &message, MSG_DONTWAIT | MSG_NOSIGNAL));
  }
  WaitAdvice prepare_wait(Interest interest) override {
    return WaitAdvice::poll(fd_, interest == Interest::read ? POLLIN : POLLOUT);
  }
  void abort(std::error_code) noexcept override { ::shutdown(fd_, SHUT_RDWR); }
  const PeerIdentity& peer() const noexcept override { return peer_; }

 private:
  static IoResult result(ssize_t count) {
    if (count > 0) return IoResult::bytes(static_cast<std::size_t>(count));
    if (count == 0) return IoResult::end_of_stream();
    if (errno == EAGAIN) return IoResult::would_block();
    return IoResult::failed(std::error_code(errno, std::system_category()));
  }
  const int fd_;
  const std::function<void()> on_close_;
  const PeerIdentity peer_{"stdin:"};
};

/// The server's half: one connection, then on_close().
class StdinListener final : public Listener {
 public:
  StdinListener(int fd, std::function<void()> on_close) : fd_(fd), on_close_(std::move(on_close)) {}
  ~StdinListener() override { ::close(never_readable_); }
  Result<void> bind() override {
    if (::send(fd_, "!", 1, MSG_NOSIGNAL) == 1) return {};  // our transport's own handshake
    return Failure{Status(StatusCode::unavailable, "standard input is no socket")};
  }
  Connected try_accept() override {
    if (fd_ < 0) return nullptr;
    return std::make_unique<PassedSocket>(std::exchange(fd_, -1), on_close_);
  }
  WaitAdvice prepare_wait() override {
    return fd_ >= 0 ? WaitAdvice::ready_now() : WaitAdvice::poll(never_readable_, POLLIN);
  }
  void unbind() noexcept override { fd_ = -1; }
  std::string address() const override { return "stdin:"; }

 private:
  int fd_;
  const int never_readable_ = ::eventfd(0, EFD_CLOEXEC);
  const std::function<void()> on_close_;
};

/// The client's half: starts `program` and hands it a socket as its standard input.
inline Task<Connected> start(std::string program, ConnectContext context) {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) {
    co_return Status(StatusCode::unavailable, "no socketpair");
  }
  auto ours = std::make_unique<PassedSocket>(fds[0]);
  if (::fork() == 0) {
    if (::dup2(fds[1], STDIN_FILENO) == 0) ::execl(program.c_str(), program.c_str(), nullptr);
    ::_exit(127);
  }
  ::close(fds[1]);
  // Until the program says that it listens, `ours` is half open, and closed if this is given up.
  char ready = 0;
  const bool speaks = co_await wait_readable(fds[0], context.deadline(), context.cancellation());
  if (!speaks || ::recv(fds[0], &ready, 1, 0) != 1) {
    co_return Status(StatusCode::unavailable, program + ": did not start, or not in time");
  }
  co_return std::move(ours);
}
}  // namespace plugin_transport
