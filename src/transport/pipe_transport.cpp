// SPDX-License-Identifier: Apache-2.0
// Reading and writing of pipes without SIGPIPE, and closing them under those who wait.
#include "transport/pipe_transport.hpp"

#include "transport/system_error.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include <algorithm>
#include <climits>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

bool is_a_socket(int fd) noexcept {
  struct stat status {};
  return ::fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
}

bool is_tcp(int fd) noexcept {
  int family = AF_UNIX;
  socklen_t size = sizeof family;
  return ::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size) == 0 && family != AF_UNIX;
}

/// Keeps the SIGPIPE of a write from this thread. One that it had blocked, and that waits already,
/// is somebody else's.
class WithoutSigpipe {
 public:
  WithoutSigpipe() noexcept {
    ::sigemptyset(&pipe_);
    ::sigaddset(&pipe_, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
    sigset_t waiting{};
    was_waiting_ = ::sigismember(&before_, SIGPIPE) == 1 && ::sigpending(&waiting) == 0 &&
                   ::sigismember(&waiting, SIGPIPE) == 1;
  }
  ~WithoutSigpipe() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  WithoutSigpipe(const WithoutSigpipe&) = delete;
  WithoutSigpipe& operator=(const WithoutSigpipe&) = delete;

  /// After a write that failed with EPIPE.
  void take_back() const noexcept {
    constexpr timespec at_once{};
    while (!was_waiting_ && ::sigtimedwait(&pipe_, nullptr, &at_once) < 0 && errno == EINTR) {
    }
  }

 private:
  sigset_t pipe_{};
  sigset_t before_{};
  bool was_waiting_ = false;
};

ssize_t write_pipe(int fd, std::span<const iovec> from) noexcept {
  const WithoutSigpipe shield;
  const int pieces = static_cast<int>(std::min<std::size_t>(from.size(), IOV_MAX));
  const ssize_t count = ::writev(fd, from.data(), pieces);
  if (count < 0 && errno == EPIPE) {
    shield.take_back();
    errno = EPIPE;
  }
  return count;
}

ssize_t send_to_socket(int fd, std::span<const iovec> from) noexcept {
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(from.data());  // sendmsg only reads it
  message.msg_iovlen = std::min<std::size_t>(from.size(), IOV_MAX);
  return ::sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

int add_to(int poller, int fd, std::uint32_t events) noexcept {
  epoll_event wanted{events, {}};
  return ::epoll_ctl(poller, EPOLL_CTL_ADD, fd, &wanted) == 0 ? 0 : errno;
}

}  // namespace

PipeTransport::End::End(UniqueFd fd) noexcept
    : fd_(std::move(fd)), is_socket_(is_a_socket(fd_.get())) {
}

int PipeTransport::End::open(std::uint32_t events, int wake) noexcept {
  if (!is_socket_ && ::fcntl(fd(), F_SETFL, ::fcntl(fd(), F_GETFL) | O_NONBLOCK) != 0) return errno;
  poller_ = UniqueFd(::epoll_create1(EPOLL_CLOEXEC));
  if (!poller_) return errno;
  const int failed = add_to(poller_.get(), fd(), events);
  return failed != 0 ? failed : add_to(poller_.get(), wake, EPOLLIN);
}

/// Nothing can be read from or written to an epoll descriptor.
void PipeTransport::End::close() noexcept {
  if (is_socket_) ::shutdown(fd(), SHUT_RDWR);
  ::dup3(poller_.get(), fd(), O_CLOEXEC);
}

Result<std::unique_ptr<Transport>> PipeTransport::make(UniqueFd input,
                                                       UniqueFd output,
                                                       PeerIdentity peer) {
  const std::string address = peer.address();
  UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake) return listen_status(address, "eventfd", errno);
  std::unique_ptr<PipeTransport> made(
      new PipeTransport(std::move(input), std::move(output), std::move(wake), std::move(peer)));
  if (const int failed = made->open(); failed != 0) {
    return listen_status(address, "epoll", failed);
  }
  return std::unique_ptr<Transport>(std::move(made));
}

PipeTransport::PipeTransport(UniqueFd input,
                             UniqueFd output,
                             UniqueFd wake,
                             PeerIdentity peer) noexcept
    : input_(std::move(input)),
      output_(std::move(output)),
      wake_(std::move(wake)),
      fails_after_close_(!is_tcp(output_.fd())),
      peer_(std::move(peer)) {
}

PipeTransport::~PipeTransport() {
  abort(std::make_error_code(std::errc::connection_aborted));
}

int PipeTransport::open() noexcept {
  const int failed = input_.open(EPOLLIN | EPOLLRDHUP, wake_.get());
  return failed != 0 ? failed : output_.open(EPOLLOUT, wake_.get());
}

IoResult PipeTransport::try_read(std::span<std::byte> into) {
  for (;;) {
    if (const auto* reason = abort_reason_.get()) return IoResult::failed(*reason);
    const ssize_t count = input_.is_socket()
                              ? ::recv(input_.fd(), into.data(), into.size(), MSG_DONTWAIT)
                              : ::read(input_.fd(), into.data(), into.size());
    if (count < 0 && errno == EINTR) continue;
    return unless_aborted(IoResult::of_call(count));
  }
}

IoResult PipeTransport::try_write(std::span<const iovec> from) {
  for (;;) {
    if (const auto* reason = abort_reason_.get()) return IoResult::failed(*reason);
    if (is_write_closed_) return IoResult::failed(system_error(EPIPE));
    const ssize_t count =
        output_.is_socket() ? send_to_socket(output_.fd(), from) : write_pipe(output_.fd(), from);
    if (count < 0 && errno == EINTR) continue;
    return count == 0 ? IoResult::would_block() : unless_aborted(IoResult::of_call(count));
  }
}

/// An abort meanwhile has put something else in the place of the descriptor.
IoResult PipeTransport::unless_aborted(const IoResult& result) const noexcept {
  const auto* const reason = abort_reason_.get();
  return result.kind() == IoResult::Kind::failed && reason != nullptr ? IoResult::failed(*reason)
                                                                      : result;
}

WaitAdvice PipeTransport::prepare_wait(Interest interest) {
  return WaitAdvice::poll(interest == Interest::read ? input_.poller() : output_.poller(), POLLIN);
}

void PipeTransport::abort(std::error_code reason) noexcept {
  if (!abort_reason_.set(reason) || !made_in_.is_in_maker()) return;
  input_.close();
  output_.close();
  const std::uint64_t one = 1;
  static_cast<void>(!::write(wake_.get(), &one, sizeof one));
}

void PipeTransport::shutdown_write() noexcept {
  if (std::exchange(is_write_closed_, true) || !made_in_.is_in_maker()) return;
  output_.close();
}

}  // namespace nearcall::inline v0::detail
