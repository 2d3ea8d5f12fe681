// SPDX-License-Identifier: Apache-2.0
// Connecting over TCP.
#include "transport/tcp_connector.hpp"

#include "base/check.hpp"
#include "transport/socket_transport.hpp"
#include "transport/system_error.hpp"
#include "transport/tcp_options.hpp"

#include <nearcall/wait.hpp>

#include <sys/socket.h>

#include <utility>

namespace nearcall::inline v0::detail {
namespace {

/// What became of a connect() in progress: 0, or errno.
int pending_error(int fd) noexcept {
  int error = 0;
  socklen_t size = sizeof error;
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

}  // namespace

TcpConnector::TcpConnector(const Endpoint& endpoint)
    : server_(endpoint), target_(endpoint.to_string()) {
  CHECK(server_.family() != AF_UNIX, target_);
}

Task<Result<std::unique_ptr<Transport>>> TcpConnector::connect(ConnectContext context) {
  const int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  UniqueFd fd(::socket(server_.family(), type, 0));
  if (!fd) co_return connect_status(target_, "socket", errno);
  send_small_segments_at_once(fd.get());
  const bool is_done = ::connect(fd.get(), server_.get(), server_.size()) == 0;
  int error = is_done ? 0 : errno;
  if (error == EINPROGRESS || error == EINTR) {
    const bool is_decided =
        co_await wait_writable(fd.get(), context.deadline(), context.cancellation());
    if (context.cancellation().stop_requested()) {
      co_return Status(StatusCode::cancelled, target_ + ": connect: cancelled");
    }
    error = is_decided ? pending_error(fd.get()) : ETIMEDOUT;
  }
  if (error != 0) co_return connect_status(target_, "connect", error);
  std::unique_ptr<Transport> connection =
      std::make_unique<SocketTransport>(std::move(fd), PeerIdentity(target_));
  co_return connection;
}

}  // namespace nearcall::inline v0::detail
