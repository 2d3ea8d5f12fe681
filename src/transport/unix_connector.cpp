// SPDX-License-Identifier: Apache-2.0
// Connecting of Unix sockets, and why it failed.
#include "transport/unix_connector.hpp"

#include "async/loop_core.hpp"
#include "base/check.hpp"
#include "transport/backlog_pause.hpp"
#include "transport/connect_socket.hpp"
#include "transport/peer_credentials.hpp"
#include "transport/socket_address.hpp"
#include "transport/socket_path.hpp"
#include "transport/socket_transport.hpp"
#include "transport/system_error.hpp"

#include <nearcall/wait.hpp>

#include <sys/socket.h>
#include <sys/stat.h>

#include <string_view>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

/// What connect(2) does not tell apart: all three give ECONNREFUSED.
std::string_view why_refused(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return " (nobody listens)";
  if (!S_ISSOCK(status.st_mode)) return " (it is not a socket)";
  return " (nobody listens: the server has gone and left its socket)";
}

}  // namespace

UnixConnector::UnixConnector(const Endpoint& endpoint)
    : endpoint_(endpoint), target_(endpoint.to_string()) {
  CHECK(endpoint.kind() == Endpoint::Kind::unix_path ||
            endpoint.kind() == Endpoint::Kind::unix_abstract,
        target_);
}

int UnixConnector::connect_once(int socket) const {
  if (endpoint_.kind() == Endpoint::Kind::unix_path) {
    return connect_to_path(socket, endpoint_.name());
  }
  return connect_to_address(socket, SocketAddress(endpoint_));
}

Task<Result<std::unique_ptr<Transport>>> UnixConnector::connect(ConnectContext context) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) co_return connect_status(target_, "socket", errno);
  BacklogPause pause;
  for (;;) {
    const int error = connect_once(fd.get());
    if (error == 0) break;
    if (error != EAGAIN) co_return failure(error);
    const Duration rest = pause.next(current_time(), context.deadline());
    if (rest <= Duration::zero()) co_return backlog_full(target_);
    const bool slept = co_await sleep_for(rest, context.cancellation());
    if (!slept) co_return connect_cancelled(target_);
  }
  PeerIdentity peer = peer_identity(fd.get(), target_);
  std::unique_ptr<Transport> connection =
      std::make_unique<SocketTransport>(std::move(fd), std::move(peer));
  co_return connection;
}

Status UnixConnector::failure(int number) const {
  Status status = connect_status(target_, "connect", number);
  std::string_view more;
  if (number == ECONNREFUSED && endpoint_.kind() == Endpoint::Kind::unix_path) {
    more = why_refused(endpoint_.name());
  }
  if (number == ENAMETOOLONG && !is_proc_mounted()) more = ", as so long a path needs /proc";
  if (!more.empty()) {
    return Status(StatusCode::unavailable, std::string(status.message()).append(more))
        .with_reason(status.reason());
  }
  return status;
}

}  // namespace nearcall::inline v0::detail
