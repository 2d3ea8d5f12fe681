// SPDX-License-Identifier: Apache-2.0
// A transport of one's own, both halves: a plugin that is spoken to over its standard input.
#pragma once

#include <nearcall/server.hpp>
#include <nearcall/transport.hpp>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace plugin {
using namespace nearcall;

/// A connected socket that one process handed to another.
class PassedSocket final : public Transport {
 public:
  explicit PassedSocket(int fd) : fd_(fd) {}
  ~PassedSocket() override {
    ::shutdown(fd_, SHUT_RDWR);  // the listener has another descriptor of it
    ::close(fd_);
  }
  IoResult try_read(std::span<std::byte> into) override {
    return IoResult::of_call(::recv(fd_, into.data(), into.size(), MSG_DONTWAIT));
  }
  IoResult try_write(std::span<const iovec> from) override {
    const msghdr message{nullptr, 0, const_cast<iovec*>(from.data()), from.size(), nullptr, 0, 0};
    return IoResult::of_call(::sendmsg(fd_, &message, MSG_DONTWAIT | MSG_NOSIGNAL));
  }
  WaitAdvice prepare_wait(Interest interest) override {
    return WaitAdvice::poll(fd_, interest == Interest::read ? POLLIN : POLLOUT);
  }
  void abort(std::error_code) noexcept override { ::shutdown(fd_, SHUT_RDWR); }
  const PeerIdentity& peer() const noexcept override { return peer_; }

 private:
  const int fd_;
  const PeerIdentity peer_{"stdin:"};
};

/// The server's half: hands over the socket, and stops the server when the host has hung up.
class FdListener final : public Listener {
 public:
  FdListener(int fd, Server& server) : fd_(fd), server_(server) {}
  Result<void> bind() override {
    if (::send(fd_, "!", 1, MSG_NOSIGNAL) == 1) return {};  // start() waits for it
    return Failure{Status(StatusCode::unavailable, "standard input is no socket")};
  }
  Result<std::unique_ptr<Transport>> try_accept() override {
    if (!std::exchange(is_taken_, true)) return std::make_unique<PassedSocket>(::dup(fd_));
    pollfd state{fd_, POLLRDHUP, 0};
    if (::poll(&state, 1, 0) > 0) server_.stop();
    return nullptr;
  }
  WaitAdvice prepare_wait() override { return WaitAdvice::poll(fd_, POLLRDHUP); }
  void unbind() noexcept override {}
  std::string address() const override { return "stdin:"; }

 private:
  const int fd_;
  Server& server_;
  bool is_taken_ = false;
};

/// The client's half: starts this program again, as a plugin whose standard input is a socket.
inline Task<Result<std::unique_ptr<Transport>>> start(ConnectContext context) {
  int fds[2];
  const int made = ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds);
  if (made != 0) co_return Status(StatusCode::unavailable, "no socketpair");
  auto ours = std::make_unique<PassedSocket>(fds[0]);
  if (::fork() == 0) {
    ::dup2(fds[1], STDIN_FILENO);
    ::execl("/proc/self/exe", "example", "plugin", nullptr);
    ::_exit(127);
  }
  ::close(fds[1]);
  // Until the plugin says that it listens, `ours` is half open, and closed if this is given up.
  char word = 0;
  const bool is_ready = co_await wait_readable(fds[0], context.deadline(), context.cancellation());
  const bool listens = is_ready && ::recv(fds[0], &word, 1, 0) == 1;
  if (!listens) co_return Status(StatusCode::unavailable, "the plugin did not start in time");
  co_return std::move(ours);
}
}  // namespace plugin
