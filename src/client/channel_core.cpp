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
  for (auto& [loop, connection] : by_loop_)
    LoopConnection::dispose(std::move(connection));
}

TimePoint ChannelCore::connect_deadline(TimePoint deadline) const {
  return std::min(deadline, deadline_after(SteadyClock::now(), options_.connect_timeout()));
}

Result<std::shared_ptr<BlockingConnection>> ChannelCore::acquire(TimePoint deadline,
                                                                 std::stop_token stop) {
  while (std::shared_ptr<BlockingConnection> idle = take_idle()) {
    BlockingConnection::Lock lock = idle->lock();
    if (idle->is_fit(lock)) {
      lock.unlock();
      return idle;
    }
    lock.unlock();
    forget(*idle);
  }
  if (std::shared_ptr<BlockingConnection> shared = share()) return shared;
  Result<std::unique_ptr<Connection>> transport = connect(deadline, stop);
  const std::lock_guard lock(mutex_);
  --connecting_;
  if (!transport) return Failure{std::move(transport).error()};
  auto made = std::make_shared<BlockingConnection>(*std::move(transport), target_, options_.spin());
  pool_.push_back({made, 1, {}});
  return made;
}

std::shared_ptr<BlockingConnection> ChannelCore::take_idle() {
  const std::lock_guard lock(mutex_);
  Pooled* best = nullptr;  // the one that was used last: the others can grow old
  for (Pooled& pooled : pool_) {
    if (pooled.users == 0 && (best == nullptr || pooled.idle_since > best->idle_since)) {
      best = &pooled;
    }
  }
  if (best == nullptr) return nullptr;
  best->users = 1;
  return best->connection;
}

/// A connection that is in use, when there may not be more; else null, and one may be made.
std::shared_ptr<BlockingConnection> ChannelCore::share() {
  const std::lock_guard lock(mutex_);
  if (pool_.size() + connecting_ < options_.max_connections() || pool_.empty()) {
    ++connecting_;
    return nullptr;
  }
  Pooled& least = *std::ranges::min_element(pool_, {}, &Pooled::users);
  ++least.users;
  return least.connection;
}

void ChannelCore::forget(const BlockingConnection& connection) {
  std::shared_ptr<BlockingConnection> gone;  // goes after the lock
  const std::lock_guard lock(mutex_);
  const auto found = std::ranges::find_if(
      pool_, [&](const Pooled& pooled) { return pooled.connection.get() == &connection; });
  if (found == pool_.end()) return;
  gone = std::move(found->connection);
  pool_.erase(found);
}

void ChannelCore::put_back(std::shared_ptr<BlockingConnection> connection) {
  bool is_fit = false;
  {
    const BlockingConnection::Lock lock = connection->lock();
    is_fit = connection->client().open_state() != http2::Session::OpenState::closed;
  }
  if (!is_fit) return forget(*connection);
  const TimePoint now = SteadyClock::now();
  std::vector<std::shared_ptr<BlockingConnection>> closed;  // go after the lock
  const std::lock_guard lock(mutex_);
  std::size_t idle = 0;
  for (Pooled& pooled : pool_) {
    if (pooled.connection == connection && --pooled.users == 0) pooled.idle_since = now;
    if (pooled.users == 0) ++idle;
  }
  std::erase_if(pool_, [&](Pooled& pooled) {
    if (pooled.users != 0 || pooled.connection == connection) return false;
    if (idle <= most_idle && now - pooled.idle_since < longest_idle) return false;
    --idle;
    closed.push_back(std::move(pooled.connection));
    return true;
  });
}

Result<std::unique_ptr<Connection>> ChannelCore::connect(TimePoint deadline,
                                                         const std::stop_token& stop) {
  return connect_blocking(*connector_, ConnectContext(target_, connect_deadline(deadline), stop));
}

std::shared_ptr<LoopConnection> ChannelCore::on_loop(EventLoop& loop) {
  const std::lock_guard lock(mutex_);
  std::shared_ptr<LoopConnection>& mine = by_loop_[&loop];
  if (mine == nullptr || mine->is_closing()) {
    mine = std::make_shared<LoopConnection>(*this, loop);
  }
  return mine;
}

}  // namespace nearcall::detail
