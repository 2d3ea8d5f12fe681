// SPDX-License-Identifier: Apache-2.0
// The end of a child as the end of its connection.
#include "transport/child_transport.hpp"

#include "transport/socket_transport.hpp"
#include "transport/system_error.hpp"

#include <poll.h>
#include <sys/epoll.h>

#include <optional>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

/// 0, or errno.
int watch_for_input(int poller, int fd) noexcept {
  epoll_event wanted{EPOLLIN | EPOLLRDHUP, {}};
  return ::epoll_ctl(poller, EPOLL_CTL_ADD, fd, &wanted) == 0 ? 0 : errno;
}

}  // namespace

Result<std::unique_ptr<Transport>> ChildTransport::make(UniqueFd socket,
                                                        std::shared_ptr<StartedProcess> child,
                                                        const std::string& address) {
  UniqueFd poller(::epoll_create1(EPOLL_CLOEXEC));
  if (!poller) return connect_status(address, "epoll_create1", errno);
  int failed = watch_for_input(poller.get(), socket.get());
  if (failed == 0) failed = watch_for_input(poller.get(), child->fd());
  if (failed != 0) return connect_status(address, "epoll_ctl", failed);
  // SO_PEERCRED would name whoever made the pair: ourselves, whatever user the child is.
  auto ours = std::make_unique<SocketTransport>(std::move(socket),
                                                PeerIdentity::own(address, child->pid()));
  return std::unique_ptr<Transport>(
      new ChildTransport(std::move(ours), std::move(child), std::move(poller)));
}

ChildTransport::~ChildTransport() {
  inner().abort(std::make_error_code(std::errc::connection_aborted));
}

IoResult ChildTransport::try_read(std::span<std::byte> into) {
  IoResult result = inner().try_read(into);
  if (result.kind() == IoResult::Kind::would_block && is_end_seen()) {
    result = inner().try_read(into);  // what it wrote last
    if (result.kind() == IoResult::Kind::would_block) return IoResult::failed(*child_->end());
  }
  // Not all_bytes(): of an end that has come with them, the poller does not tell anew.
  if (result.kind() == IoResult::Kind::bytes) return IoResult::bytes(result.count());
  return explained(result);
}

bool ChildTransport::is_end_seen() noexcept {
  if (look_ != Look::due) {
    look_ = Look::skipped;
    return false;
  }
  if (child_->end()) return true;
  look_ = Look::done;
  return false;
}

IoResult ChildTransport::try_write(std::span<const iovec> from) {
  return explained(inner().try_write(from));
}

WaitAdvice ChildTransport::prepare_wait(Interest interest) {
  if (interest == Interest::write) return inner().prepare_wait(interest);
  const bool is_unseen = std::exchange(look_, Look::due) == Look::skipped && child_->end();
  return is_unseen ? WaitAdvice::ready_now() : WaitAdvice::poll(poller_.get(), POLLIN);
}

IoResult ChildTransport::explained(const IoResult& of_socket) {
  const bool is_over = of_socket.kind() == IoResult::Kind::end_of_stream ||
                       of_socket.error() == std::errc::broken_pipe ||
                       of_socket.error() == std::errc::connection_reset;
  if (!is_over) return of_socket;
  const std::optional<std::error_code> end = child_->end_if_exiting();
  return end ? IoResult::failed(*end) : of_socket;
}

}  // namespace nearcall::inline v0::detail
