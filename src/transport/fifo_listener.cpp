// SPDX-License-Identifier: Apache-2.0
// New FIFOs for each client.
#include "transport/fifo_listener.hpp"

#include "base/check.hpp"
#include "transport/acceptor.hpp"
#include "transport/listen_access.hpp"
#include "transport/pipe_transport.hpp"
#include "transport/system_error.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

namespace nearcall::inline v0::detail {
namespace {

/// A client opens `to_server` last, and must not find it before somebody reads there.
constexpr const char* unread = "to_server.new";

}  // namespace

FifoListener::FifoListener(const Endpoint& endpoint) : path_(endpoint.name()) {
  CHECK(endpoint.kind() == Endpoint::Kind::fifo, path_);
}

Result<void> FifoListener::bind() {
  if (directory_) fail_listener_order();
  if (::mkdir(path_.c_str(), 0700) != 0 && errno != EEXIST) return failure("mkdir", errno);
  Result<FifoDirectory> directory = FifoDirectory::open(path_);
  if (!directory) return Failure{std::move(directory).error()};
  auto lock =
      LockFile::acquire(directory->fd(), FifoDirectory::server_lock, directory->subject(),
                        directory->path_of(FifoDirectory::server_lock), LockFile::longest_exit);
  if (!lock) return Failure{std::move(lock).error()};
  UniqueFd poller(::epoll_create1(EPOLL_CLOEXEC));
  if (!poller) return failure("epoll_create1", errno);
  poller_ = std::move(poller);
  directory_ = *std::move(directory);
  lock_ = *std::move(lock);
  Result<void> made = make_pair();
  if (!made) {
    remove_names();
    lock_.reset();
    directory_.reset();
  }
  return made;
}

Result<void> FifoListener::clear_name(const char* name) const {
  struct stat status {};
  if (::fstatat(directory_->fd(), name, &status, AT_SYMLINK_NOFOLLOW) == 0) {
    if (!S_ISFIFO(status.st_mode)) {
      return Failure{Status::failed_precondition(directory_->subject() +
                                                 ": something that is no FIFO is in the way at " +
                                                 directory_->path_of(name))};
    }
    ::unlinkat(directory_->fd(), name, 0);
  }
  return {};
}

Result<void> FifoListener::make_pair() {
  for (const char* const name : {FifoDirectory::to_server, unread, FifoDirectory::to_client}) {
    if (Result<void> cleared = clear_name(name); !cleared) return cleared;
  }
  for (const char* const name : {unread, FifoDirectory::to_client}) {
    if (::mkfifoat(directory_->fd(), name, 0600) != 0) return failure("mkfifo", errno);
  }
  // A FIFO can be opened for writing once somebody reads: ourselves, for a moment.
  const UniqueFd reader = directory_->open_fifo(FifoDirectory::to_client, O_RDONLY);
  UniqueFd to_client;
  if (reader) to_client = directory_->open_fifo(FifoDirectory::to_client, O_WRONLY);
  if (!to_client) return failure("open", errno);
  UniqueFd from_client = directory_->open_fifo(unread, O_RDONLY);
  if (!from_client) return failure("open", errno);
  if (::renameat(directory_->fd(), unread, directory_->fd(), FifoDirectory::to_server) != 0) {
    return failure("rename", errno);
  }
  epoll_event wanted{EPOLLIN, {}};
  if (::epoll_ctl(poller_.get(), EPOLL_CTL_ADD, from_client.get(), &wanted) != 0) {
    return failure("epoll_ctl", errno);
  }
  next_ = std::make_unique<Pair>(std::move(from_client), std::move(to_client));
  return {};
}

Result<std::unique_ptr<Transport>> FifoListener::try_accept() {
  if (!directory_ || !made_in_.is_in_maker()) return std::unique_ptr<Transport>();
  for (;;) {
    if (!next_) {
      if (is_unbound_) return std::unique_ptr<Transport>();
      if (Result<void> made = make_pair(); !made) return std::move(made).error();
    }
    pollfd watched{next_->from_client.get(), POLLIN, 0};
    if (::poll(&watched, 1, 0) <= 0) {
      if (is_unbound_) static_cast<void>(take_pair());
      return std::unique_ptr<Transport>();
    }
    char first = 0;
    const ssize_t count = ::read(next_->from_client.get(), &first, 1);
    if (count == 1) return hand_over();
    if (count < 0) return std::unique_ptr<Transport>();  // the next client has opened it
    static_cast<void>(take_pair());  // a client that died before it said anything
  }
}

/// A child of vfork(2) may have a copy, so the set does not drop it by itself.
std::unique_ptr<FifoListener::Pair> FifoListener::take_pair() noexcept {
  std::unique_ptr<Pair> taken = std::move(next_);
  ::epoll_ctl(poller_.get(), EPOLL_CTL_DEL, taken->from_client.get(), nullptr);
  return taken;
}

Result<std::unique_ptr<Transport>> FifoListener::hand_over() {
  const std::unique_ptr<Pair> taken = take_pair();
  if (!is_unbound_) static_cast<void>(make_pair());  // else the next try_accept() says why not
  return PipeTransport::make(taken->from_client.take(), taken->to_client.take(),
                             PeerIdentity::own(address(), 0));
}

WaitAdvice FifoListener::prepare_wait() {
  if (!directory_ || is_unbound_) fail_listener_order();
  if (!next_) return WaitAdvice::ready_now();
  return WaitAdvice::poll(poller_.get(), POLLIN);
}

Result<void> FifoListener::check_policy(const PeerPolicy& policy) const {
  return check_own_peers(address(), policy);
}

void FifoListener::unbind() noexcept {
  is_unbound_ = true;
  if (!lock_) return;
  if (made_in_.is_in_maker()) remove_names();
  lock_.reset();
}

void FifoListener::remove_names() noexcept {
  for (const char* const name : {FifoDirectory::to_server, unread, FifoDirectory::to_client}) {
    struct stat status {};
    const int found = ::fstatat(directory_->fd(), name, &status, AT_SYMLINK_NOFOLLOW);
    if (found == 0 && S_ISFIFO(status.st_mode)) ::unlinkat(directory_->fd(), name, 0);
  }
}

Failure<Status> FifoListener::failure(const std::string& call, int number) const {
  return Failure{listen_status(address(), call, number)};
}

}  // namespace nearcall::inline v0::detail
