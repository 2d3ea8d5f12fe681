// SPDX-License-Identifier: Apache-2.0
// A server's start, the spreading of its connections, and its stop.
#include "server/server_core.hpp"

#include "base/check.hpp"
#include "base/log.hpp"

#include <string>
#include <system_error>
#include <utility>

namespace nearcall::inline v0::detail {

ServerCore::Slot::Slot(ServerCore& core, EventLoop* given)
    : own_(given == nullptr ? std::make_unique<EventLoop>(core.shared().options().spin())
                            : nullptr),
      loop_(given == nullptr ? own_.get() : given),
      server_loop_(
          std::make_unique<ServerLoop>(core.shared_, *loop_, [&core] { core.on_loop_drained(); })) {
  Access::core(*loop_).set_busy_threshold(core.shared().options().busy_handler_warning());
}

ServerCore::ServerCore(EventLoop* loop, const ServerOptions& options)
    : shared_(options), given_loop_(loop) {
}

ServerCore::~ServerCore() {
  anchor_->cut();
  if (has_own_threads()) {
    for (const auto& slot : loops_)
      slot->event_loop().stop();
    join();
  }
  alive_.reset();  // no other thread looks at it any more
  shared_.begin_stopping();
  ports_.clear();
  loops_.clear();
}

Result<void> ServerCore::listen(std::unique_ptr<Listener> listener, PeerPolicy policy) {
  if (is_started())
    fail_precondition(
        "Server::listen(): the server has started; call listen() before start() or run()");
  // A name that is seen is a server that can be told to stop.
  if (has_own_threads() && !signals_) signals_.emplace();
  if (Result<void> bound = listener->bind(); !bound) {
    if (listening_.empty()) signals_.reset();
    return bound;
  }
  if (!listens_in_) listens_in_.emplace();
  for (std::string& address : listener->addresses())
    addresses_.push_back(std::move(address));
  listening_.push_back({std::move(listener), std::move(policy)});
  return {};
}

Result<void> ServerCore::start() {
  if (Result<void> begun = begin(/*first_with_thread=*/0); !begun) return begun;
  signals_.reset();
  return {};
}

Result<void> ServerCore::run() {
  if (Result<void> begun = begin(/*first_with_thread=*/1); !begun) return begun;
  if (!signals_) signals_.emplace();
  signals_->attach(Access::core(first_loop()), [this] { on_signal(); });
  first_loop().run();
  join();
  signals_.reset();
  return {};
}

/// The first one drains, the second cancels what is left; a third never comes here (SignalWatch).
void ServerCore::on_signal() {
  if (!std::exchange(was_signalled_, true)) return stop();
  log(LogLevel::warning, "a second signal: the calls that are left are cancelled");
  cancel_calls();
}

void ServerCore::cancel_calls() noexcept {
  if (is_inherited()) return;
  stop();
  const std::lock_guard lock(mutex_);
  for (const auto& slot : loops_) {
    slot->event_loop().post([&slot, alive = std::weak_ptr<char>(alive_)] {
      if (!alive.expired()) slot->server_loop().cancel_calls();
    });
  }
}

/// A loop without descriptors would serve nobody.
Result<void> ServerCore::open_loops() {
  const std::size_t count = given_loop_ != nullptr ? 1 : shared_.options().threads();
  undrained_ = count;
  for (std::size_t i = 0; i < count; ++i) {
    loops_.push_back(std::make_unique<Slot>(*this, given_loop_));
    if (Result<void> opened = loops_.back()->event_loop().open(); !opened) {
      loops_.clear();
      return opened;
    }
  }
  return {};
}

/// The threads are there before anything is begun, and wait: those that cannot be had undo nothing.
Result<void> ServerCore::make_threads(std::size_t first_with_thread) {
  threads_may_.store(ThreadsMay::wait);
  try {
    for (std::size_t i = first_with_thread; i < loops_.size(); ++i)
      loops_[i]->make_thread(threads_may_);
  } catch (const std::system_error& error) {
    release_threads(ThreadsMay::end);
    join();
    loops_.clear();
    return Failure{
        Status::resource_exhausted(std::string("the system gives no thread for a loop: ") +
                                   error.code().message())
            .with_reason(StatusReason::system_limit)};
  }
  return {};
}

void ServerCore::release_threads(ThreadsMay what) noexcept {
  threads_may_.store(what);
  threads_may_.notify_all();
}

Result<void> ServerCore::begin(std::size_t first_with_thread) {
  if (listens_in_ && !listens_in_->is_in_maker()) {
    return Failure{Status::failed_precondition(
                       "the server listened before this process was forked, and a child gets none "
                       "of its sockets: fork, or call daemon(), before listen()")
                       .with_reason(StatusReason::misuse)};
  }
  for (const ServerOptions::CallBound& bound : shared_.options().call_bounds()) {
    if (bound.method.empty() || shared_.registry().find(bound.method).handler != nullptr) continue;
    return Failure{Status::failed_precondition("ServerOptions::max_concurrent_calls(): no service "
                                               "of the server has a method " +
                                               bound.method)
                       .with_reason(StatusReason::misuse)};
  }
  begun_in_.store(ForkMark());
  shared_.make_pool();
  if (Result<void> opened = open_loops(); !opened) return opened;
  if (has_own_threads()) {
    if (Result<void> made = make_threads(first_with_thread); !made) return made;
  }
  begin_course();
  release_threads(ThreadsMay::run);
  return {};
}

void ServerCore::begin_course() {
  const std::lock_guard lock(mutex_);
  const bool is_stopped = course_ == Course::stopped_while_idle;
  course_ = is_stopped ? Course::draining : Course::begun;
  if (is_stopped) {
    drain();
  } else {
    open_ports();
  }
}

/// The ports are on the first loop; they begin there.
void ServerCore::open_ports() {
  for (Listening& listening : std::exchange(listening_, {})) {
    ports_.push_back(std::make_unique<ListenPort>(shared_, Access::core(first_loop()),
                                                  std::move(listening.listener), listening.policy,
                                                  *this));
  }
  first_loop().post([this, alive = std::weak_ptr<char>(alive_)] {
    if (alive.expired()) return;
    for (const auto& port : ports_)
      port->start();
  });
}

/// Once a drain has begun the connection stays on the first loop, which drains when the ports have:
/// the other loops may have begun, and be through.
void ServerCore::take(std::unique_ptr<Transport> connection, ConnectionQuota::Place place) {
  std::unique_lock lock(mutex_);
  Slot& slot = course_ == Course::draining ? *loops_.front() : least_loaded();
  slot.server_loop().expect_one();
  if (&slot == loops_.front().get()) {
    lock.unlock();
    slot.server_loop().add(std::move(connection), std::move(place));
    return;
  }
  struct Accepted {
    std::unique_ptr<Transport> connection;
    ConnectionQuota::Place place;
  };
  auto accepted = std::make_shared<Accepted>(Accepted{std::move(connection), std::move(place)});
  slot.event_loop().post([&slot, accepted] {
    slot.server_loop().add(std::move(accepted->connection), std::move(accepted->place));
  });
}

ServerCore::Slot& ServerCore::least_loaded() noexcept {
  std::size_t best = next_loop_ % loops_.size();
  for (std::size_t i = 1; i < loops_.size(); ++i) {
    const std::size_t other = (next_loop_ + i) % loops_.size();
    if (loops_[other]->server_loop().load() < loops_[best]->server_loop().load()) best = other;
  }
  next_loop_ = best + 1;
  return *loops_[best];
}

void ServerCore::stop() noexcept {
  if (is_inherited()) return;
  const std::lock_guard lock(mutex_);
  switch (course_) {
    case Course::idle:
      course_ = Course::stopped_while_idle;
      return;
    case Course::begun:
      course_ = Course::draining;
      return drain();
    case Course::stopped_while_idle:
    case Course::draining:
      return;
  }
}

void ServerCore::drain() {
  for (const auto& slot : loops_) {
    slot->event_loop().post([this, &slot, alive = std::weak_ptr<char>(alive_)] {
      if (alive.expired()) return;
      if (slot == loops_.front()) {
        for (const auto& port : ports_)
          port->drain();
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

/// On the first loop, when all have drained: whoever waits is told.
void ServerCore::complete() {
  ports_.clear();
  listening_.clear();
  if (has_own_threads()) {
    for (const auto& slot : loops_)
      slot->event_loop().stop();
  }
  stopped_.request_stop();
}

/// Once it has stopped its loops may not turn any more, and nothing changes what they have.
void ServerCore::report(const std::shared_ptr<const ServerContribution>& to) {
  if (is_inherited()) return;
  const std::lock_guard lock(mutex_);
  if (course_ == Course::idle || course_ == Course::stopped_while_idle) return;
  to->add([this](ServerReport& report) { report.addresses = addresses_; });
  const bool has_stopped = stopped_.stop_requested();
  for (const auto& slot : loops_) {
    if (has_stopped) {
      slot->server_loop().report(*to);
      continue;
    }
    slot->event_loop().post([&slot, to, alive = std::weak_ptr<char>(alive_)] {
      if (!alive.expired()) slot->server_loop().report(*to);
    });
  }
}

void ServerCore::join() {
  if (is_inherited()) return;
  for (const auto& slot : loops_)
    slot->join();
}

}  // namespace nearcall::inline v0::detail
