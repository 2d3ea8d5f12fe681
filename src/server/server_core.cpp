// SPDX-License-Identifier: Apache-2.0
// A server's start, the spreading of its connections, and its stop.
#include "server/server_core.hpp"

#include "base/check.hpp"
#include "base/log.hpp"

#include <utility>

namespace nearcall::detail {

ServerCore::Slot::Slot(ServerCore& core, EventLoop* given)
    : own_(given == nullptr ? std::make_unique<EventLoop>(core.shared().options().spin())
                            : nullptr),
      loop_(given == nullptr ? own_.get() : given),
      server_loop_(
          std::make_unique<ServerLoop>(core.shared_, *loop_, [&core] { core.on_loop_drained(); })) {
}

ServerCore::ServerCore(EventLoop* loop, const ServerOptions& options)
    : shared_(options), given_loop_(loop) {
}

ServerCore::~ServerCore() {
  alive_.reset();
  if (has_own_threads()) {
    for (const auto& slot : loops_)
      slot->event_loop().stop();
    join();
  }
  shared_.begin_stopping();
  ports_.clear();
  loops_.clear();
}

Result<void> ServerCore::listen(std::unique_ptr<Listener> listener, PeerPolicy policy) {
  CHECK(!is_started());
  if (Result<void> bound = listener->bind(); !bound) return bound;
  addresses_.push_back(listener->address());
  listening_.push_back({std::move(listener), policy});
  return {};
}

void ServerCore::start(bool drive_first) {
  const std::size_t count = given_loop_ != nullptr ? 1 : shared_.options().threads();
  undrained_ = count;
  for (std::size_t i = 0; i < count; ++i) {
    loops_.push_back(std::make_unique<Slot>(*this, given_loop_));
  }
  open_ports();
  if (given_loop_ != nullptr) return;
  for (std::size_t i = drive_first ? 1 : 0; i < count; ++i)
    loops_[i]->run_on_thread();
}

/// The ports are on the first loop; they begin there.
void ServerCore::open_ports() {
  for (Listening& listening : std::exchange(listening_, {})) {
    ports_.push_back(std::make_unique<ListenPort>(
        shared_, first_loop().core(), std::move(listening.listener), listening.policy,
        [this](std::unique_ptr<Connection> connection, ConnectionQuota::Place place) {
          hand_over(std::move(connection), std::move(place));
        }));
  }
  first_loop().post([this, alive = std::weak_ptr<char>(alive_)] {
    if (alive.expired()) return;
    for (const auto& port : ports_)
      port->start();
  });
}

void ServerCore::hand_over(std::unique_ptr<Connection> connection, ConnectionQuota::Place place) {
  Slot& slot = *loops_[next_loop_++ % loops_.size()];
  if (&slot == loops_.front().get()) {
    slot.server_loop().add(std::move(connection), std::move(place));
    return;
  }
  struct Parcel {
    std::unique_ptr<Connection> connection;
    ConnectionQuota::Place place;
  };
  auto parcel = std::make_shared<Parcel>(Parcel{std::move(connection), std::move(place)});
  slot.event_loop().post([&slot, parcel] {
    slot.server_loop().add(std::move(parcel->connection), std::move(parcel->place));
  });
}

void ServerCore::stop() noexcept {
  if (!is_started() || is_stopping_.exchange(true)) return;
  for (const auto& slot : loops_) {
    slot->event_loop().post([this, &slot, alive = std::weak_ptr<char>(alive_)] {
      if (alive.expired()) return;
      if (slot == loops_.front()) {
        for (const auto& port : ports_)
          port->unbind();
        shared_.begin_stopping();
      }
      slot->server_loop().begin_drain();
    });
  }
}

void ServerCore::on_loop_drained() {
  if (undrained_.fetch_sub(1) != 1) return;
  first_loop().post([this, alive = std::weak_ptr<char>(alive_)] {
    if (!alive.expired()) complete();
  });
}

/// On the first loop, when all have drained: the names go, and whoever waits is told.
void ServerCore::complete() {
  ports_.clear();
  if (has_own_threads()) {
    for (const auto& slot : loops_)
      slot->event_loop().stop();
  }
  stopped_.request_stop();
}

void ServerCore::join() {
  for (const auto& slot : loops_)
    slot->join();
}

}  // namespace nearcall::detail
