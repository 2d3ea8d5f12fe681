// SPDX-License-Identifier: Apache-2.0
// Listening on Unix sockets.
#include "transport/unix_listener.hpp"

#include "base/check.hpp"
#include "base/log.hpp"
#include "transport/listen_access.hpp"
#include "transport/peer_credentials.hpp"
#include "transport/socket_address.hpp"
#include "transport/socket_transport.hpp"
#include "transport/stored_socket.hpp"
#include "transport/system_error.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <thread>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

/// How long nobody may be found at a path that is taken: its server has just got it.
constexpr Duration longest_search = std::chrono::seconds(1);
/// How long others may be faster.
constexpr Duration longest_queue = std::chrono::seconds(10);
constexpr Duration between_searches = std::chrono::milliseconds(5);
/// How long a server that listens may take to answer: its handlers may block its loop.
constexpr Duration longest_answer = std::chrono::seconds(5);
/// An offer stands for so many checks of the name, which come every five seconds.
constexpr int longest_offer = 12;

Result<void> bind_abstract(int socket, const Endpoint& endpoint, int backlog) {
  const SocketAddress name(endpoint);
  const std::string subject = endpoint.to_string();
  if (::bind(socket, name.get(), name.size()) != 0) {
    return Failure{listen_status(subject, "bind", errno)};
  }
  if (::listen(socket, backlog) != 0) {
    return Failure{listen_status(subject, "listen", errno)};
  }
  return {};
}

}  // namespace

UnixListener::UnixListener(const Endpoint& endpoint, ListenOptions options)
    : endpoint_(endpoint), address_(endpoint.to_string()), options_(std::move(options)) {
  CHECK(endpoint.kind() == Endpoint::Kind::unix_path ||
            endpoint.kind() == Endpoint::Kind::unix_abstract,
        address_);
}

Result<UniqueFd> UnixListener::make_socket() const {
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return listen_status(address_, "socket", errno);
  return socket;
}

UnixListener::~UnixListener() {
  unbind();
}

Result<void> UnixListener::bind() {
  if (acceptor_) fail_listener_order();
  if (endpoint_.kind() == Endpoint::Kind::unix_path) {
    bound_in_.emplace();
    if (!options_.takes_over()) return bind_path();
    Result<void> bound = bind_or_take_over();
    if (!bound) {  // it may be tried again
      request_.reset();
      offer_.reset();
      file_.reset();
      acceptor_.reset();
    }
    return bound;
  }
  Result<UniqueFd> socket = make_socket();
  if (!socket) return Failure{std::move(socket).error()};
  auto bound = bind_abstract(socket->get(), endpoint_, options_.backlog());
  if (!bound) return bound;
  acceptor_ = std::make_unique<Acceptor>(*std::move(socket));
  return {};
}

Result<void> UnixListener::bind_path() {
  const Result<bool> was_kept = bind_kept();
  if (!was_kept || *was_kept) return was_kept ? Result<void>() : Failure{was_kept.error()};
  Result<UniqueFd> socket = make_socket();
  if (!socket) return Failure{std::move(socket).error()};
  auto file = SocketFile::create(socket->get(), endpoint_.name(), options_);
  if (!file) return Failure{std::move(file).error()};
  file_ = *std::move(file);
  acceptor_ = std::make_unique<Acceptor>(*std::move(socket));
  keep();
  return {};
}

Result<UniqueFd> UnixListener::next_socket() {
  if (former_) {
    Result<UniqueFd> accepted = former_->try_accept(address_);
    if (!accepted || *accepted) return accepted;
  }
  if (!acceptor_) return UniqueFd();
  Result<UniqueFd> accepted = acceptor_->try_accept(address_);
  if (is_unbound_ && accepted && !*accepted) acceptor_.reset();
  return accepted;
}

Result<std::unique_ptr<Transport>> UnixListener::try_accept() {
  Result<void> looked = look_at_takeover();
  Result<UniqueFd> accepted = next_socket();
  if (!accepted) return std::move(accepted).error();
  if (!*accepted && !looked) return std::move(looked).error();
  if (!*accepted) return std::unique_ptr<Transport>();
  PeerIdentity peer = peer_identity(accepted->get(), address_);
  return std::unique_ptr<Transport>(
      std::make_unique<SocketTransport>(std::move(*accepted), std::move(peer)));
}

WaitAdvice UnixListener::prepare_wait() {
  if (!acceptor_ || is_unbound_) fail_listener_order();
  return WaitAdvice::poll(poller_ ? poller_.get() : acceptor_->fd(), POLLIN);
}

/// The name goes first: nobody who finds it is refused. Who was offered it gets it instead.
void UnixListener::unbind() noexcept {
  static_cast<void>(look_at_takeover());
  if (offer_ && offer_->has_asker() && bound_in_->is_in_maker()) {
    file_->set_owner(false);
    const bool is_given = offer_->confirm();
    file_->set_owner(!is_given);
    if (is_given) acceptor_->set_sharing(Acceptor::Sharing::shared);
  }
  put_back();
  file_.reset();
  offer_.reset();
  request_.reset();
  is_unbound_ = true;
  if (!acceptor_) return;
  if (acceptor_->sharing() == Acceptor::Sharing::shared) return acceptor_.reset();
  acceptor_->stop_listening();
}

Result<void> UnixListener::check_policy(const PeerPolicy& policy) const {
  return check_access(endpoint_, ListenOptions(options_).policy(policy));
}

Result<bool> UnixListener::check_name() {
  if (!file_) return false;
  if (request_) {
    if (!std::exchange(has_said_take_, true)) request_->take();
    return true;
  }
  if (offer_ && offer_->is_told()) return true;
  if (offer_ && offer_->has_asker() && ++checks_of_offer_ > longest_offer) offer_->withdraw();
  former_.reset();
  const Result<bool> in_place = file_->check();
  if (!in_place) {
    if (in_place.error().code() == StatusCode::aborted) drop_kept();
    return in_place;
  }
  if (*in_place) {
    if (!offer_ || offer_->has_asker() || file_->has_takeover_name()) return true;
    const Result<void> offered = offer_takeover();
    return offered ? Result<bool>(true) : offered.error();
  }
  if (offer_) offer_->withdraw();
  Result<UniqueFd> socket = make_socket();
  if (!socket) return std::move(socket).error();
  const Result<bool> is_new = file_->restore(socket->get(), options_);
  if (!is_new) {
    if (is_new.error().code() == StatusCode::aborted) drop_kept();
    return is_new.error();
  }
  log(LogLevel::warning, address_, ": somebody removed ", *is_new ? "the socket" : "its lock",
      "; it is there again");
  if (*is_new) {
    unwatch(acceptor_->fd());
    acceptor_->stop_listening();
    former_ = std::move(acceptor_);
    acceptor_ = std::make_unique<Acceptor>(*std::move(socket));
    watch(acceptor_->fd());
    drop_kept();
    keep();
  }
  if (!offer_) return true;
  const Result<void> offered = offer_takeover();
  return offered ? Result<bool>(true) : offered.error();
}

// ---- in the service manager's store -------------------------------------------------------------

Result<bool> UnixListener::bind_kept() {
  if (!options_.keeps_in_store()) return false;
  std::optional<StoredSocket> kept = take_stored_socket(endpoint_.name());
  if (!kept) return false;
  auto file = SocketFile::adopt(endpoint_.name(), kept->file, options_);
  if (!file || ::listen(kept->listening.get(), options_.backlog()) != 0) {
    Status why = file ? listen_status(address_, "listen", errno) : std::move(file).error();
    put_back_stored_socket(*std::move(kept));
    return why;
  }
  file_ = *std::move(file);
  acceptor_ = std::make_unique<Acceptor>(std::move(kept->listening));
  stored_name_ = std::move(kept->name);
  return true;
}

void UnixListener::keep() {
  if (!options_.keeps_in_store()) return;
  stored_name_ = store_socket(acceptor_->fd(), endpoint_.name(), file_->id());
}

void UnixListener::drop_kept() noexcept {
  if (!stored_name_.empty()) drop_stored_socket(std::exchange(stored_name_, {}));
}

void UnixListener::put_back() noexcept {
  if (stored_name_.empty() || !acceptor_ || !file_ || !bound_in_->is_in_maker()) return;
  if (acceptor_->sharing() == Acceptor::Sharing::shared) return;  // it is another process's now
  UniqueFd copy(::fcntl(acceptor_->fd(), F_DUPFD_CLOEXEC, 0));
  if (copy) put_back_stored_socket({std::exchange(stored_name_, {}), std::move(copy), file_->id()});
  file_->keep_name();
  acceptor_->set_sharing(Acceptor::Sharing::shared);
}

// ---- from one process to the next ---------------------------------------------------------------

Result<void> UnixListener::bind_or_take_over() {
  UniqueFd poller(::epoll_create1(EPOLL_CLOEXEC));
  if (!poller) return Failure{listen_status(address_, "epoll_create1", errno)};
  const std::string path = SocketFile::takeover_path(endpoint_.name());
  const TimePoint latest = SteadyClock::now() + longest_queue;
  TimePoint until = SteadyClock::now() + longest_search;
  for (;;) {
    Result<void> bound = bind_path();
    if (bound) {
      poller_ = std::move(poller);
      watch(acceptor_->fd());
      return offer_takeover();
    }
    if (bound.error().reason() != StatusReason::address_in_use) return bound;
    auto request = TakeoverRequest::ask(path, address_, longest_answer);
    if (request) {
      poller_ = std::move(poller);
      return take_over(*std::move(request));
    }
    const TimePoint now = SteadyClock::now();
    const bool was_faster = request.error().reason() == StatusReason::server_stopping;
    if (was_faster) until = std::min(now + longest_search, latest);
    if (!was_faster && request.error().reason() != StatusReason::no_server) {
      return request.status();
    }
    if (now >= until) return bound;
    std::this_thread::sleep_for(between_searches);
  }
}

Result<void> UnixListener::take_over(std::unique_ptr<TakeoverRequest> request) {
  TakeoverParts parts = request->take_parts();
  auto file = SocketFile::share(endpoint_.name(), std::move(parts.lock), std::move(parts.file));
  if (!file) return Failure{std::move(file).error()};
  file_ = *std::move(file);
  request_ = std::move(request);
  acceptor_ = std::make_unique<Acceptor>(std::move(parts.listening), Acceptor::Sharing::shared);
  if (watch(acceptor_->fd()) && watch(request_->fd())) return {};
  return Failure{listen_status(address_, "epoll_ctl", errno)};
}

/// Not before is the mode set: the other one may have gone on with it. Who connects from now on is
/// told that we listen, and no longer that the other one does.
void UnixListener::own() {
  file_->set_owner(true);
  request_.reset();
  acceptor_->set_sharing(Acceptor::Sharing::none);
  if (const Result<void> set = file_->set_access(options_); !set) {
    log(LogLevel::error, set.error().message(), "; so nobody but this user and root may connect");
    is_over_ = !file_->set_access(ListenOptions());
  }
  keep();
  if (::listen(acceptor_->fd(), options_.backlog()) != 0) {
    log(LogLevel::error, address_, ": listen: ", system_error(errno).message());
  }
  if (const Result<void> offered = offer_takeover(); !offered) {
    log(LogLevel::error, "nobody can take this socket over: ", offered.error().message());
  }
}

Result<void> UnixListener::offer_takeover() {
  offer_.reset();
  Result<UniqueFd> socket = file_->listen_for_takeover();
  if (!socket) return Failure{std::move(socket).error()};
  auto offer = TakeoverOffer::make(*std::move(socket), address_);
  if (!offer) return Failure{std::move(offer).error()};
  offer_ = *std::move(offer);
  if (watch(offer_->fd())) return {};
  return Failure{listen_status(address_, "epoll_ctl", errno)};
}

Result<void> UnixListener::look_at_takeover() {
  if (!bound_in_ || !bound_in_->is_in_maker()) return {};
  if (offer_) return look_at_offer();
  if (!request_) return {};
  switch (request_->look()) {
    case TakeoverRequest::Answer::none:
      break;
    case TakeoverRequest::Answer::ours:
      own();
      break;
    case TakeoverRequest::Answer::withdrawn:
      log(LogLevel::warning, address_, ": the server there keeps its socket; this one stops");
      request_.reset();
      file_.reset();
      acceptor_.reset();
      is_over_ = true;
      break;
  }
  return {};
}

Result<void> UnixListener::look_at_offer() {
  switch (offer_->look()) {
    case TakeoverOffer::News::none:
      break;
    case TakeoverOffer::News::no_room:
      return Failure{listen_status(address_, "accept, of who takes over", errno)};
    case TakeoverOffer::News::asked: {
      const std::array<int, 3> parts{acceptor_->fd(), file_->lock_fd(), file_->file_fd()};
      checks_of_offer_ = 0;
      offer_->offer(parts);
      break;
    }
    case TakeoverOffer::News::wanted:
      file_->set_owner(false);
      if (!offer_->confirm()) file_->set_owner(true);
      break;
    case TakeoverOffer::News::returned:
      file_->set_owner(true);
      break;
    case TakeoverOffer::News::taken:
      log(LogLevel::info, address_, ": another server has taken the socket over; this one stops");
      offer_.reset();
      file_.reset();
      acceptor_->set_sharing(Acceptor::Sharing::shared);
      acceptor_.reset();
      is_over_ = true;
      break;
  }
  return {};
}

bool UnixListener::watch(int fd) const noexcept {
  if (!poller_) return true;
  epoll_event wanted{EPOLLIN, {}};
  return ::epoll_ctl(poller_.get(), EPOLL_CTL_ADD, fd, &wanted) == 0;
}

void UnixListener::unwatch(int fd) const noexcept {
  if (poller_) ::epoll_ctl(poller_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

}  // namespace nearcall::inline v0::detail
