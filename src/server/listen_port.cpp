// SPDX-License-Identifier: Apache-2.0
// Accepting, and what is refused there.
#include "server/listen_port.hpp"

#include "base/log.hpp"
#include "server/refusal_notice.hpp"
#include "transport/system_error.hpp"

#include <algorithm>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

constexpr Duration first_pause = std::chrono::milliseconds(10);
constexpr Duration longest_pause = std::chrono::seconds(1);
constexpr Duration check_interval = std::chrono::seconds(5);
/// What an accepted connection takes of a turn (TurnBudget), besides what it says: four system
/// calls, its memory, and a look at all others where one of them has to give way.
constexpr std::size_t work_of_accept = TurnBudget::whole / 64;
constexpr std::string_view beyond_limit = "beyond the limit of connections";

}  // namespace

ListenPort::ListenPort(ServerShared& shared,
                       LoopCore& core,
                       std::unique_ptr<Listener> listener,
                       PeerPolicy policy,
                       Owner& owner)
    : shared_(&shared),
      core_(&core),
      listener_(std::move(listener)),
      policy_(std::move(policy)),
      owner_(&owner),
      timer_(core, &ListenPort::on_timer, this),
      check_timer_(core, &ListenPort::on_check_timer, this) {
}

ListenPort::~ListenPort() {
  unbind();
  drop_handshakes();
}

void ListenPort::drop_handshakes() noexcept {
  while (PendingHandshake* const handshake = handshakes_.pop_front())
    delete handshake;
}

void ListenPort::start() {
  check_name();
  accept_all();
}

void ListenPort::drain() {
  if (is_unbound_) return;
  accept_waiting();  // TCP loses them with the listening socket
  unbind();
  accept_waiting();
  drop_handshakes();  // none of them has sent a request
}

void ListenPort::accept_waiting() {
  const std::size_t most = shared_->options().max_connections();
  for (std::size_t accepted = 0; accepted < most; ++accepted) {
    Result<std::unique_ptr<Transport>> next = listener_->try_accept();
    if (!next || *next == nullptr) return;
    take(*std::move(next));
  }
}

void ListenPort::on_check_timer(void* self) noexcept {
  auto& port = *static_cast<ListenPort*>(self);
  port.check_name();
  if (port.pause_ == Duration{}) port.accept_all();  // it may wait on another descriptor now
}

void ListenPort::check_name() {
  const Result<bool> checked = listener_->check_name();
  if (checked.status().code() == StatusCode::aborted) {
    log(LogLevel::warning, checked.error().message(), "; this one stops");
    has_successor_ = true;  // and it ends when nobody waits any more
    return;
  }
  if (!checked && check_limiter_.admit(core_->now())) {
    log(LogLevel::error, listener_->address(),
        ": it cannot keep its name and its lock: ", checked.error().message());
  }
  if (!checked || *checked) check_timer_.set(core_->now() + check_interval);
}

void ListenPort::unbind() noexcept {
  if (std::exchange(is_unbound_, true)) return;
  unwatch();
  timer_.clear();
  check_timer_.clear();
  accept_on_.unlink();
  listener_->unbind();
}

void ListenPort::on_fd_events(std::uint32_t /*epoll_events*/) {
  if (!core_->budget().admits_newcomers()) return go_on_next_turn();
  accept_all();
}

void ListenPort::on_timer(void* self) noexcept {
  static_cast<ListenPort*>(self)->accept_all();
}

/// As many as its share of the turn is for, and one at least. The descriptor, if it is watched,
/// tells of the rest in the next turn, before those that wait for it.
void ListenPort::accept_all() {
  accept_on_.unlink();
  std::size_t share = TurnBudget::share;
  // Who has another way to the socket of a server that has a successor may connect for ever.
  const std::size_t most = shared_->options().max_connections();
  do {
    if (is_unbound_) return;
    Result<std::unique_ptr<Transport>> next = listener_->try_accept();
    if (!next) return pause(next.error());
    pause_ = {};
    if (*next == nullptr) return wait_for_more();
    core_->budget().spend(work_of_accept);
    share -= work_of_accept;
    take(*std::move(next));
    if (has_successor_ && ++after_successor_ >= most) return end();
  } while (share > 0 && !core_->budget().is_spent());
  if (watched_fd_ < 0) go_on_next_turn();
}

void ListenPort::go_on_next_turn() {
  if (!is_unbound_ && !accept_on_.is_linked()) core_->schedule_next_turn(accept_on_);
}

void ListenPort::take(std::unique_ptr<Transport> connection) {
  const Result<Handshake, std::error_code> handshake = connection->handshake();
  if (!handshake) return refuse_handshake(*connection, handshake.error());
  if (*handshake == Handshake::pending) return await_handshake(std::move(connection));
  admit(std::move(connection));
}

/// Until then it counts as a connection of an unknown user, which is idle.
void ListenPort::await_handshake(std::unique_ptr<Transport> connection) {
  std::optional<ConnectionQuota::Place> place = shared_->quota().take(PeerIdentity().uid());
  if (!place) return refuse(*connection, Observer::Refusal::limit, beyond_limit);
  auto* const pending =
      new PendingHandshake(*core_, *this, std::move(connection), std::move(*place));
  handshakes_.push_back(*pending);
  const auto patience = shared_->options().limits().handshake_timeout;
  pending->begin(deadline_after(core_->now(), patience));
}

void ListenPort::on_handshake_end(PendingHandshake& handshake, std::error_code error) {
  std::unique_ptr<Transport> connection = handshake.take_transport();
  delete &handshake;
  if (error) {
    refuse_handshake(*connection, error);
  } else {
    admit(std::move(connection));
  }
  if (has_successor_) accept_all();  // it may have been the last one who waits
}

void ListenPort::on_handshake_evicted(PendingHandshake& handshake) {
  const std::unique_ptr<Transport> connection = handshake.take_transport();
  delete &handshake;
  refuse(*connection, Observer::Refusal::limit,
         "its handshake takes longest, and others need its place (max_connections_per_uid, "
         "max_connections)");
}

void ListenPort::admit(std::unique_ptr<Transport> connection) {
  const PeerIdentity& peer = connection->peer();
  if (!policy_.admits(peer)) {
    send_refusal_notice(*connection, policy_.to_string());
    return refuse(*connection, Observer::Refusal::policy, policy_.why_not(peer));
  }
  if (has_successor_) {
    send_move_notice(*connection);
    return shared_->counters().note_refused(peer, Observer::Refusal::successor);
  }
  std::optional<ConnectionQuota::Place> place = shared_->quota().take(peer.uid());
  if (!place) return refuse(*connection, Observer::Refusal::limit, beyond_limit);
  owner_->take(std::move(connection), std::move(*place));
}

void ListenPort::refuse_handshake(const Transport& refused, std::error_code error) {
  refuse(refused, Observer::Refusal::handshake, "handshake: " + error_text(error));
}

void ListenPort::refuse(const Transport& refused, Observer::Refusal reason, std::string_view why) {
  shared_->counters().note_refused(refused.peer(), reason);
  if (refusal_limiter_.admit(core_->now())) {
    log(LogLevel::warning, listener_->address(), ": peer ", refused.peer().to_string(), ": ", why);
  }
}

void ListenPort::wait_for_more() {
  if (listener_->is_over() || (has_successor_ && handshakes_.empty())) return end();
  const WaitAdvice advice = listener_->prepare_wait();
  if (advice.is_ready()) return go_on_next_turn();
  if (watched_fd_ == advice.fd() && watched_events_ == advice.events()) return;
  unwatch();
  // The events of poll(2) and of epoll(7) are the same bits.
  const auto events = static_cast<std::uint16_t>(advice.events());
  if (const std::error_code error = core_->add(advice.fd(), events, *this)) {
    return pause(Status(StatusCode::unavailable, "epoll_ctl: " + error.message()));
  }
  watched_fd_ = advice.fd();
  watched_events_ = advice.events();
}

void ListenPort::end() {
  unwatch();
  owner_->on_listener_end();
}

void ListenPort::pause(const Status& why) {
  unwatch();
  // What is short may be what our own connections have: they end then.
  if (has_successor_ && pause_ == longest_pause) return owner_->on_listener_end();
  pause_ = pause_ == Duration{} ? first_pause : std::min(2 * pause_, longest_pause);
  timer_.set(core_->now() + pause_);
  if (failure_limiter_.admit(core_->now())) {
    log(LogLevel::error, listener_->address(), ": accept: ", why.message());
  }
}

void ListenPort::unwatch() noexcept {
  if (watched_fd_ >= 0) core_->remove(std::exchange(watched_fd_, -1), *this);
}

}  // namespace nearcall::inline v0::detail
