// SPDX-License-Identifier: Apache-2.0
// A channel's pool: taking, sharing, putting back.
#include "client/channel_core.hpp"

#include "client/connect_attempt.hpp"
#include "client/loop_connection.hpp"
#include "transport/make_transport.hpp"

#include <algorithm>
#include <utility>

namespace nearcall::detail {
namespace {

constexpr std::size_t most_idle = 4;
constexpr Duration longest_idle = std::chrono::seconds(30);

/// A user's function as a connector.
class CallbackConnector final : public Connector {
 public:
  explicit CallbackConnector(ConnectCallback callback) : callback_(std::move(callback)) {}
  Task<Result<std::unique_ptr<Connection>>> connect(ConnectContext context) override {
    return callback_(std::move(context));
  }

 private:
  ConnectCallback callback_;
};

}  // namespace

ChannelCore::ChannelCore(std::string target, ChannelOptions options)
    : target_(std::move(target)), options_(std::move(options)) {
  if (options_.connector() != nullptr) {
    connector_ = options_.connector();
  } else if (options_.connect_callback()) {
    connector_ = std::make_shared<CallbackConnector>(options_.connect_callback());
  } else if (Result<Endpoint> endpoint = Endpoint::parse(target_)) {
    connector_ = make_connector(*endpoint);
  } else {
    misuse_ = std::move(endpoint).error();
  }
}

ChannelCore::~ChannelCore() {
  Pool* const last = pool_.load();
  if (!last->made_in.is_in_maker()) {
    leave_to_parent(last);
    return;
  }
  for (auto& [loop, connection] : last->by_loop)
    LoopConnection::dispose(std::move(connection));
  delete last;
}

TimePoint ChannelCore::connect_deadline(TimePoint deadline) const {
  return std::min(deadline, deadline_after(SteadyClock::now(), options_.connect_timeout()));
}

// ---- blocking calls -----------------------------------------------------------------------------

std::shared_ptr<BlockingConnection> ChannelCore::take(BlockingConnection::Lock& lock) {
  Pool& here = pool();
  while (std::shared_ptr<BlockingConnection> idle = take_idle(here)) {
    lock = idle->lock();
    if (idle->is_fit(lock)) return idle;
    lock.unlock();
    forget(here, *idle);
  }
  std::shared_ptr<BlockingConnection> shared = share(here);
  if (shared != nullptr) lock = shared->lock();
  return shared;
}

Result<std::shared_ptr<BlockingConnection>> ChannelCore::connect(TimePoint deadline,
                                                                 std::stop_token stop) {
  Pool& here = pool();
  Result<std::shared_ptr<BlockingConnection>> others = share_or_reserve(here, deadline, stop);
  if (!others || *others != nullptr) return others;
  Result<std::unique_ptr<Connection>> transport =
      connect_blocking(connector_, ConnectContext(target_, connect_deadline(deadline), stop));
  const bool is_given_up = stop.stop_requested() || SteadyClock::now() >= deadline;
  const std::lock_guard lock(here.mutex);
  --here.connecting;
  here.has_connected.notify_all();
  if (!transport) {
    if (!is_given_up) {
      ++here.failures;
      here.failure = transport.error();
    }
    return Failure{std::move(transport).error()};
  }
  auto made = std::make_shared<BlockingConnection>(*std::move(transport), target_, options_.spin());
  here.connections.push_back({made, 1, {}});
  return made;
}

/// Another call's connection, or null and a place for one more. While there is neither, those that
/// are being made may become one: waits for them, and fails as they do.
Result<std::shared_ptr<BlockingConnection>> ChannelCore::share_or_reserve(Pool& pool,
                                                                          TimePoint deadline,
                                                                          std::stop_token stop) {
  const TimePoint until = connect_deadline(deadline);
  std::unique_lock lock(pool.mutex);
  const std::size_t failures = pool.failures;
  const bool has_one = pool.has_connected.wait_until(lock, std::move(stop), until, [&] {
    return has_place(pool) || !pool.connections.empty() || pool.failures != failures;
  });
  if (!has_one) {
    return Failure{Status(StatusCode::unavailable,
                          target_ + ": other calls' attempts to connect took too long")};
  }
  if (!has_place(pool) && !pool.connections.empty()) return share_least_used(pool);
  if (pool.failures != failures) return Failure{pool.failure};
  ++pool.connecting;
  return std::shared_ptr<BlockingConnection>();
}

bool ChannelCore::has_place(const Pool& pool) const {
  return pool.connections.size() + pool.connecting < options_.max_connections();
}

std::shared_ptr<BlockingConnection> ChannelCore::take_idle(Pool& pool) {
  const std::lock_guard lock(pool.mutex);
  Pooled* best = nullptr;  // the one that was used last: the others can grow old
  for (Pooled& pooled : pool.connections) {
    if (pooled.users == 0 && (best == nullptr || pooled.idle_since > best->idle_since)) {
      best = &pooled;
    }
  }
  if (best == nullptr) return nullptr;
  best->users = 1;
  return best->connection;
}

/// A connection that is in use, when there may not be more.
std::shared_ptr<BlockingConnection> ChannelCore::share(Pool& pool) {
  const std::lock_guard lock(pool.mutex);
  if (has_place(pool) || pool.connections.empty()) return nullptr;
  return share_least_used(pool);
}

std::shared_ptr<BlockingConnection> ChannelCore::share_least_used(Pool& pool) {
  Pooled& least = *std::ranges::min_element(pool.connections, {}, &Pooled::users);
  ++least.users;
  return least.connection;
}

void ChannelCore::forget(Pool& pool, const BlockingConnection& connection) {
  std::shared_ptr<BlockingConnection> gone;  // goes after the lock
  const std::lock_guard lock(pool.mutex);
  const auto found = std::ranges::find_if(pool.connections, [&](const Pooled& pooled) {
    return pooled.connection.get() == &connection;
  });
  if (found == pool.connections.end()) return;
  gone = std::move(found->connection);
  pool.connections.erase(found);
}

void ChannelCore::put_back(std::shared_ptr<BlockingConnection> connection,
                           http2::Session::OpenState state,
                           TimePoint now) {
  if (!connection->is_in_maker()) return;
  Pool& here = pool();
  if (state == http2::Session::OpenState::closed) return forget(here, *connection);
  std::vector<std::shared_ptr<BlockingConnection>> closed;  // go after the lock
  const std::lock_guard lock(here.mutex);
  std::size_t idle = 0;
  for (Pooled& pooled : here.connections) {
    if (pooled.connection == connection && --pooled.users == 0) pooled.idle_since = now;
    if (pooled.users == 0) ++idle;
  }
  std::erase_if(here.connections, [&](Pooled& pooled) {
    if (pooled.users != 0 || pooled.connection == connection) return false;
    if (idle <= most_idle && now - pooled.idle_since < longest_idle) return false;
    --idle;
    closed.push_back(std::move(pooled.connection));
    return true;
  });
}

// ---- awaited calls ------------------------------------------------------------------------------

std::shared_ptr<LoopConnection> ChannelCore::on_loop(EventLoop& loop) {
  Pool& here = pool();
  const std::lock_guard lock(here.mutex);
  std::shared_ptr<LoopConnection>& mine = here.by_loop[&loop];
  if (mine == nullptr || mine->is_closing()) {
    mine = std::make_shared<LoopConnection>(*this, loop);
  }
  return mine;
}

void ChannelCore::forget(EventLoop& loop, const LoopConnection& connection) {
  Pool& here = pool();
  const std::lock_guard lock(here.mutex);
  const auto found = here.by_loop.find(&loop);
  if (found != here.by_loop.end() && found->second.get() == &connection) here.by_loop.erase(found);
}

// ---- fork ---------------------------------------------------------------------------------------

ChannelCore::Pool& ChannelCore::pool_after_fork(Pool* of_parent) {
  auto fresh = std::make_unique<Pool>();
  if (!pool_.compare_exchange_strong(of_parent, fresh.get()))
    return *of_parent;  // another thread's
  leave_to_parent(of_parent);
  return *fresh.release();
}

/// Closes the child's copies of the pooled connections' descriptors, so that the server sees when
/// the parent goes. Connections on loops stay as they are, and so does all of it if a thread of the
/// parent had the mutex at the fork: that thread is not here to set things right.
void ChannelCore::leave_to_parent(Pool* pool) {
  if (!pool->mutex.try_lock()) return;
  pool->connections.clear();
  pool->mutex.unlock();
}

}  // namespace nearcall::detail
