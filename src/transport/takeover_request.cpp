// SPDX-License-Identifier: Apache-2.0
// Asking for a socket, and what to believe of the answer.
#include "transport/takeover_request.hpp"

#include "transport/connect_socket.hpp"
#include "transport/peer_credentials.hpp"
#include "transport/system_error.hpp"
#include "transport/takeover_message.hpp"

#include <nearcall/peer_policy.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <vector>

namespace nearcall::inline v0::detail {
namespace {

constexpr std::size_t parts_of_an_offer = 3;

bool is_readable_within(int fd, Duration longest_wait) noexcept {
  const TimePoint until = SteadyClock::now() + longest_wait;
  for (;;) {
    const Duration left = std::max(until - SteadyClock::now(), Duration::zero());
    const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(left).count();
    pollfd watched{fd, POLLIN, 0};
    const int ready = ::poll(&watched, 1, static_cast<int>(milliseconds));
    if (ready >= 0 || errno != EINTR) return ready == 1;
  }
}

int offered_option(int fd, int name) noexcept {
  int value = -1;
  socklen_t size = sizeof value;
  return ::getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
}

bool is_listening_unix_socket(int fd) noexcept {
  return offered_option(fd, SO_DOMAIN) == AF_UNIX && offered_option(fd, SO_TYPE) == SOCK_STREAM &&
         offered_option(fd, SO_ACCEPTCONN) == 1;
}

}  // namespace

Result<std::unique_ptr<TakeoverRequest>> TakeoverRequest::ask(const std::string& path,
                                                              const std::string& subject,
                                                              Duration longest_wait) {
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return listen_status(subject, "socket", errno);
  if (const int error = connect_to_path(socket.get(), path); error != 0) {
    const Status refused = connect_status(subject, "connect to " + path, error);
    // EAGAIN: others ask, too.
    return error == EAGAIN ? Status(refused).with_reason(StatusReason::server_stopping) : refused;
  }
  const PeerIdentity owner = peer_identity(socket.get(), path);
  if (!PeerPolicy::same_user_or_root().admits(owner)) {
    return Status::permission_denied(
               subject + ": nothing is taken over from another user: " + owner.to_string())
        .with_reason(StatusReason::no_permission);
  }
  if (!is_readable_within(socket.get(), longest_wait)) {
    return Status::unavailable(subject + ": address in use: " + owner.to_string() +
                               " does not answer who wants to take over")
        .with_reason(StatusReason::address_in_use);
  }
  TakeoverNews news = receive_takeover(socket.get());
  if (news.kind != TakeoverNews::Kind::message) {
    return Status::unavailable(subject + ": the server there has just stopped")
        .with_reason(StatusReason::server_stopping);
  }
  if (news.is_short_of_room) {
    return Status::resource_exhausted(subject + ": no descriptors are left for what " +
                                      owner.to_string() + " hands over")
        .with_reason(StatusReason::system_limit);
  }
  std::vector<UniqueFd>& parts = news.descriptors;
  if (news.message != TakeoverMessage::offer || parts.size() != parts_of_an_offer ||
      !is_listening_unix_socket(parts.front().get())) {
    return Status::failed_precondition(subject + ": " + owner.to_string() +
                                       " offers something else than this version takes over");
  }
  const int listening = parts.front().get();
  if (::fcntl(listening, F_SETFL, ::fcntl(listening, F_GETFL) | O_NONBLOCK) != 0) {
    return listen_status(subject, "fcntl", errno);
  }
  return std::unique_ptr<TakeoverRequest>(new TakeoverRequest(
      std::move(socket), {std::move(parts[0]), std::move(parts[1]), std::move(parts[2])}));
}

void TakeoverRequest::take() noexcept {
  send_takeover(socket_.get(), TakeoverMessage::take);  // look() says if he has gone
}

TakeoverRequest::Answer TakeoverRequest::look() {
  const TakeoverNews news = receive_takeover(socket_.get());
  if (news.kind == TakeoverNews::Kind::nothing) return Answer::none;
  const bool is_withdrawn =
      news.kind == TakeoverNews::Kind::message && news.message != TakeoverMessage::yours;
  return is_withdrawn ? Answer::withdrawn : Answer::ours;
}

}  // namespace nearcall::inline v0::detail
