// SPDX-License-Identifier: Apache-2.0
// A channel's pool: taking, sharing, putting back.
#include "client/backend.hpp"

#include "async/cancel_event.hpp"
#include "async/kept_loop.hpp"
#include "client/channel_target.hpp"
#include "client/checking_connector.hpp"
#include "client/connect_attempt.hpp"
#include "client/transient_failure.hpp"

#include <algorithm>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

constexpr std::size_t most_idle = 4;
constexpr Duration longest_idle = std::chrono::seconds(30);
constexpr Duration sweep_interval = std::chrono::seconds(1);
constexpr Duration look_for_cancellers = std::chrono::milliseconds(50);
constexpr Duration look_at_idle = std::chrono::milliseconds(100);

/// Small, and another one for each thread.
std::size_t thread_number() {
  static constinit std::atomic<std::size_t> count{0};
  thread_local const std::size_t mine = count.fetch_add(1, std::memory_order_relaxed);
  return mine;
}

}  // namespace

Backend::Backend(std::string target, ChannelOptions options, Clock clock)
    : target_(std::move(target)),
      options_(options_for(target_, std::move(options))),
      clock_(clock),
      path_(path_of(target_, options_)),
      backoff_(backoff_to(target_, options_)) {
  if (options_.connector() != nullptr) {
    connector_ = options_.connector();
  } else if (Result<Endpoint> endpoint = Endpoint::parse(target_)) {
    if (Result<std::shared_ptr<Connector>> made = connector_to(*endpoint, options_)) {
      connector_ = *std::move(made);
    } else {
      misuse_ = made.error();
    }
  } else {
    misuse_ = Status(StatusCode::unavailable, endpoint.error().message())
                  .with_reason(StatusReason::bad_target);
  }
  if (const std::optional<PeerPolicy>& expected = options_.expect_server()) {
    if (expected->needs_socket_file()) {
      misuse_ = Status(StatusCode::failed_precondition,
                       "expect_server(): by_file_mode() says who may come to a server, not who it "
                       "is")
                    .with_reason(StatusReason::misuse);
    }
    connector_ = make_checking_connector(std::move(connector_), *expected);
  }
  if (misuse_.ok()) misuse_ = options_.misuse();
}

void Backend::lead(std::shared_ptr<BackendGroup> group, Status misuse) {
  group_ = std::move(group);
  misuse_ = misuse.ok() ? options_.misuse() : std::move(misuse);
}

Backend::~Backend() {
  Pool* const last = pool_.load();
  if (!last->made_in.is_in_maker()) {
    leave_to_parent(last);
    return;
  }
  delete last;
}

TimePoint Backend::connect_deadline(TimePoint now, TimePoint deadline) const {
  return std::min(deadline, deadline_after(now, options_.connect_timeout()));
}

// ---- blocking calls -----------------------------------------------------------------------------

std::shared_ptr<BlockingConnection> Backend::take(BlockingConnection::Turn& turn, Want want) {
  Pool& here = pool();
  sweep(here, clock_.now());
  if (want == Want::fresh && may_have_more(here)) return nullptr;
  while (std::shared_ptr<BlockingConnection> idle = take_idle(here)) {
    turn = idle->begin_turn();
    if (idle->is_fit(turn, want == Want::any)) return idle;
    turn.finish();
    release_closed(here, *idle->place());
  }
  while (std::shared_ptr<BlockingConnection> shared = share(here)) {
    turn = shared->begin_turn();
    if (shared->client().open_state() != http2::Session::OpenState::closed) return shared;
    turn.finish();  // calls that are over, or have not noticed, keep it
    release_closed(here, *shared->place());
  }
  return nullptr;
}

Result<std::shared_ptr<BlockingConnection>> Backend::connect(TimePoint deadline,
                                                             const std::stop_token& stop,
                                                             bool hears_word) {
  Pool& here = pool();
  Result<std::shared_ptr<BlockingConnection>> others = share_or_reserve(here, deadline, stop);
  if (!others || *others != nullptr) return others;
  Result<std::shared_ptr<BlockingConnection>> made = make(here, deadline, stop, hears_word);
  const bool is_cancelled = stop.stop_requested() || clock_.now() >= deadline;
  if (!made && !is_cancelled) counters_.note_failed(made.error());
  const std::lock_guard lock(here.mutex);
  using Event = Connectivity::Event;
  --here.connecting;
  here.has_connected.notify_all();
  if (made) {
    PooledConnection& place = vacancy(here);
    (*made)->set_place(place, *this);
    place.connection = *made;
    place.is_draining = false;
    place.known = PooledConnection::Known::as_made;
    if ((*made)->client().has_settings()) on_heard(here, place);
    place.users.store(1, std::memory_order_release);
    return made;
  }
  note(here, is_cancelled ? Event::cancelled : Event::failed);
  if (!is_cancelled) {
    ++here.failures;
    here.failure = made.error();
    const Pool::Live live = here.live();
    if (live.count > 0) {
      live.least_used->users.fetch_add(1, std::memory_order_acq_rel);
      return live.least_used->connection;
    }
  }
  return made;
}

/// A server that has enough connections accepts one and closes it at once. So where there are
/// others, one counts as made when the server has said something.
Result<std::shared_ptr<BlockingConnection>> Backend::make(Pool& pool,
                                                          TimePoint deadline,
                                                          const std::stop_token& stop,
                                                          bool hears_word) {
  const TimePoint until = connect_deadline(clock_.now(), deadline);
  Result<std::unique_ptr<Transport>> transport =
      connect_blocking(connector_, ConnectContext(target_, until, stop));
  if (!transport) return Failure{std::move(transport).error()};
  auto made = std::make_shared<BlockingConnection>(*std::move(transport), target_, limits(),
                                                   options_.spin(), counters_, clock_);
  made->client().keep_alive(keep_alive_pace_, clock_.now());
  if (!hears_word) {
    const std::lock_guard lock(pool.mutex);
    if (pool.live().count == 0 && pool.connecting == 1) return made;
  }
  if (Status silent = made->wait_for_word(until, stop); !silent.ok()) return Failure{silent};
  return made;
}

/// Another call's connection, or null and a place for one more. While there is neither, those that
/// are being made may become one: waits for them, and fails as they do, unless one lives.
Result<std::shared_ptr<BlockingConnection>> Backend::share_or_reserve(Pool& pool,
                                                                      TimePoint deadline,
                                                                      std::stop_token stop) {
  const TimePoint until = connect_deadline(clock_.now(), deadline);
  std::unique_lock lock(pool.mutex);
  const std::size_t failures = pool.failures;
  Pool::Live live;
  const auto has_place = [&] { return live.count + pool.connecting < options_.max_connections(); };
  const bool has_one = pool.has_connected.wait_until(lock, std::move(stop), until, [&] {
    live = pool.live();
    return has_place() || live.count > 0 || pool.failures != failures;
  });
  if (!has_one) {
    return Failure{Status(StatusCode::unavailable,
                          target_ + ": other calls' attempts to connect took too long")
                       .with_reason(StatusReason::no_answer)};
  }
  const bool has_failed = pool.failures != failures;
  if (live.count > 0 && (has_failed || !has_place())) {
    live.least_used->users.fetch_add(1, std::memory_order_acq_rel);
    return live.least_used->connection;
  }
  if (has_failed) return Failure{pool.failure};
  ++pool.connecting;
  note(pool, Connectivity::Event::attempt);
  return std::shared_ptr<BlockingConnection>();
}

Backend::Pool::Live Backend::Pool::live() const noexcept {
  Live live;
  for (const auto& place : places) {
    if (place->is_vacant() || place->is_draining) continue;
    ++live.count;
    PooledConnection*& least = live.least_used;
    if (least == nullptr || place->users.load() < least->users.load()) least = place.get();
  }
  return live;
}

std::atomic<PooledConnection*>& Backend::Pool::last_used_here() {
  return last_used[thread_number() % last_used.size()].place;
}

bool Backend::may_have_more(Pool& pool) const {
  const std::lock_guard lock(pool.mutex);
  return pool.live().count + pool.connecting < options_.max_connections();
}

std::shared_ptr<BlockingConnection> Backend::take_idle(Pool& pool) {
  PooledConnection* const mine = pool.last_used_here().load(std::memory_order_acquire);
  if (mine != nullptr && mine->try_take()) return mine->connection;
  const std::lock_guard lock(pool.mutex);
  for (;;) {
    PooledConnection* best = nullptr;  // the one that was used last: the others can grow old
    for (const auto& place : pool.places) {
      if (place->users.load(std::memory_order_acquire) != 0) continue;
      if (best == nullptr || place->idle_since.load() > best->idle_since.load()) best = place.get();
    }
    if (best == nullptr) return nullptr;
    if (best->try_take()) return best->connection;
  }
}

/// A connection that is in use, when there may not be more.
std::shared_ptr<BlockingConnection> Backend::share(Pool& pool) {
  const std::lock_guard lock(pool.mutex);
  const Pool::Live live = pool.live();
  if (live.least_used == nullptr || live.count + pool.connecting < options_.max_connections()) {
    return nullptr;
  }
  live.least_used->users.fetch_add(1, std::memory_order_acq_rel);
  return live.least_used->connection;
}

PooledConnection& Backend::vacancy(Pool& pool) {
  for (const auto& place : pool.places) {
    if (place->is_vacant()) return *place;
  }
  return *pool.places.emplace_back(std::make_unique<PooledConnection>());
}

void Backend::release_closed(Pool& pool, PooledConnection& place) {
  std::shared_ptr<BlockingConnection> gone;  // goes after the lock
  const std::lock_guard lock(pool.mutex);
  place.is_draining = true;
  place.users.fetch_sub(1, std::memory_order_acq_rel);
  if (!place.try_vacate()) return;
  note_end(pool, place, Connectivity::Event::failed);
  gone = std::move(place.connection);
}

void Backend::put_back(std::shared_ptr<BlockingConnection> connection,
                       http2::Session::OpenState state,
                       TimePoint now) {
  if (!connection->is_in_maker()) return;
  Pool& here = pool();
  PooledConnection& place = *connection->place();
  if (state == http2::Session::OpenState::closed) return release_closed(here, place);
  std::atomic<PooledConnection*>& last = here.last_used_here();
  if (last.load(std::memory_order_relaxed) != &place) last.store(&place, std::memory_order_release);
  place.idle_since.store(now, std::memory_order_relaxed);
  place.users.fetch_sub(1, std::memory_order_acq_rel);
  sweep(here, now);
}

void Backend::sweep(Pool& pool, TimePoint now) {
  if (now < pool.next_sweep.load(std::memory_order_relaxed)) return;
  pool.next_sweep.store(now + sweep_interval, std::memory_order_relaxed);
  close_idle(pool, most_idle, now - longest_idle);
}

void Backend::close_idle() {
  if (group_ != nullptr) return group_->close_idle();
  close_idle(pool(), 0, TimePoint::max());
  tell_loops(LoopPlace::Request::close_idle);
}

void Backend::close_idle(Pool& pool, std::size_t kept, TimePoint since) {
  std::vector<std::shared_ptr<BlockingConnection>> closed;  // go after the lock
  const std::lock_guard lock(pool.mutex);
  auto idle = static_cast<std::size_t>(std::ranges::count_if(
      pool.places, [](const auto& place) { return place->users.load() == 0; }));
  for (const auto& place : pool.places) {
    if (idle <= kept) return;
    if (place->idle_since.load() > since || !place->try_vacate()) continue;
    note_end(pool, *place, Connectivity::Event::cancelled);
    closed.push_back(std::move(place->connection));
    --idle;
  }
}

// ---- whether the server can be reached ----------------------------------------------------------

/// `pool`: its mutex is held.
void Backend::note(Pool& pool, Connectivity::Event event) {
  const TimePoint now = clock_.now();
  constexpr auto parts = 1'000'003;
  const double chance = static_cast<double>(now.time_since_epoch().count() % parts) / parts;
  const ConnectivityState before = pool.connectivity.state();
  pool.connectivity.resume(event, now, chance);
  const ConnectivityState state = pool.connectivity.state();
  if (membership_ != nullptr) membership_->note(event, pool.connectivity);
  if (state == before) return;
  pool.state_has_changed.notify_all();
  IntrusiveList<StateWatcher> told;
  while (StateWatcher* const watcher = pool.state_watchers.pop_front()) {
    watcher->on_state(state);
    told.push_back(*watcher);
  }
  while (StateWatcher* const watcher = told.pop_front())
    pool.state_watchers.push_back(*watcher);
}

/// Another one may have the place by now.
void Backend::on_heard(BlockingConnection& connection) {
  Pool& here = pool();
  const std::lock_guard lock(here.mutex);
  PooledConnection& place = *connection.place();
  if (place.connection.get() == &connection) on_heard(here, place);
}

void Backend::on_heard(Pool& pool, PooledConnection& place) {
  if (place.known != PooledConnection::Known::as_made) return;
  place.known = PooledConnection::Known::as_ready;
  note(pool, Connectivity::Event::connected);
}

void Backend::on_closing(BlockingConnection& connection) {
  Pool& here = pool();
  const std::lock_guard lock(here.mutex);
  PooledConnection& place = *connection.place();
  if (place.connection.get() != &connection) return;
  note_end(here, place, Connectivity::Event::failed);
}

void Backend::note_end(Pool& pool, PooledConnection& place, Connectivity::Event unheard) {
  using Known = PooledConnection::Known;
  const Known known = std::exchange(place.known, Known::nothing);
  if (known == Known::as_made) note(pool, unheard);
  if (known == Known::as_ready) note(pool, Connectivity::Event::lost);
}

/// A forked child does not know who waited in its parent.
void Backend::watch(StateWatcher& watcher) {
  if (group_ != nullptr) return group_->watch(watcher);
  Pool& here = pool();
  const std::lock_guard lock(here.mutex);
  here.state_watchers.push_back(watcher);
}

void Backend::unwatch(StateWatcher& watcher) {
  if (group_ != nullptr) return group_->unwatch(watcher);
  Pool& here = pool();
  const std::lock_guard lock(here.mutex);
  watcher.unlink();
}

/// They stay where they are: calls take them meanwhile.
void Backend::look(Pool& pool) {
  std::vector<std::pair<PooledConnection*, std::shared_ptr<BlockingConnection>>> idle;
  {
    const std::lock_guard lock(pool.mutex);
    for (const auto& place : pool.places) {
      if (place->users.load(std::memory_order_acquire) == 0) {
        idle.emplace_back(place.get(), place->connection);
      }
    }
  }
  for (const auto& [place, connection] : idle) {
    BlockingConnection::Turn turn = connection->begin_turn();
    const bool is_fit = connection->is_fit(turn);
    turn.finish();
    if (is_fit || !place->try_take()) continue;
    if (place->connection == connection) {
      release_closed(pool, *place);
    } else {  // another one has the place since
      place->users.fetch_sub(1, std::memory_order_acq_rel);
    }
  }
}

ConnectivityState Backend::state() {
  if (!misuse_.ok()) return ConnectivityState::shutdown;
  if (group_ != nullptr) return group_->state();
  Pool& here = pool();
  look(here);
  const std::lock_guard lock(here.mutex);
  return here.connectivity.state();
}

Duration Backend::look_interval() {
  if (group_ != nullptr) return group_->look_interval();
  Pool& here = pool();
  const std::lock_guard lock(here.mutex);
  return here.live().count > 0 ? look_at_idle : Duration::max();
}

bool Backend::wait_for_state_change(ConnectivityState from, TimePoint until) {
  if (group_ != nullptr && misuse_.ok()) return group_->wait_for_state_change(from, until);
  Pool& here = pool();
  for (;;) {
    if (state() != from) return true;
    const TimePoint now = clock_.now();
    if (now >= until) return false;
    const TimePoint look_at = deadline_after(now, look_interval());
    std::unique_lock lock(here.mutex);
    if (!misuse_.ok() || here.connectivity.state() == from) {
      here.state_has_changed.wait_until(lock, std::min(until, look_at));
    }
  }
}

void Backend::note(Connectivity::Event event) {
  Pool& here = pool();
  const std::lock_guard lock(here.mutex);
  note(here, event);
}

TimePoint Backend::next_attempt() {
  if (group_ != nullptr) return group_->next_attempt();
  Pool& here = pool();
  const std::lock_guard lock(here.mutex);
  return here.connectivity.next_attempt();
}

std::vector<std::string> Backend::paths() {
  if (group_ != nullptr) return group_->paths();
  return path_.empty() ? std::vector<std::string>() : std::vector<std::string>{path_};
}

void Backend::note_change_at_path() {
  if (group_ != nullptr) return group_->note_change_at_path();
  note(Connectivity::Event::appeared);
}

Status Backend::ensure_connection(TimePoint until) {
  if (group_ != nullptr) return group_->ensure_connection(until);
  BlockingConnection::Turn turn;
  std::shared_ptr<BlockingConnection> connection = take(turn);
  turn.finish();
  while (connection == nullptr) {
    Result<std::shared_ptr<BlockingConnection>> made = connect_when_ready(
        {.attempt = no_deadline, .until = until, .begins_at_once = true}, std::stop_token());
    if (!made) return std::move(made).error();
    connection = *std::move(made);
    if (connection == nullptr) connection = take(turn);
    turn.finish();
  }
  return settle(std::move(connection));
}

Status Backend::settle(std::shared_ptr<BlockingConnection> connection) {
  Status heard = connection->wait_for_word(connect_deadline(clock_.now(), no_deadline), {});
  BlockingConnection::Turn turn = connection->begin_turn();
  const http2::Session::OpenState state = connection->client().open_state();
  turn.finish();
  put_back(std::move(connection), state, clock_.now());
  return heard;
}

// ---- waiting for the server ---------------------------------------------------------------------

Result<std::shared_ptr<BlockingConnection>> Backend::connect_when_ready(
    const Patience& patience, const std::stop_token& stop) {
  Pool& here = pool();
  if (patience.begins_at_once || has_connection(here)) {
    Result<std::shared_ptr<BlockingConnection>> made =
        connect(patience.attempt, stop, /*hears_word=*/true);
    if (made || !may_pass(made.error()) || clock_.now() >= patience.until) return made;
  }
  if (become_prober(here)) {
    Result<std::shared_ptr<BlockingConnection>> made = probe(patience, stop);
    const std::lock_guard lock(here.mutex);
    here.has_prober = false;
    here.prober_is_done.notify_all();
    return made;
  }
  if (follow_prober(here, patience.until, stop)) return std::shared_ptr<BlockingConnection>();
  return Failure{last_failure(here)};
}

Status Backend::last_failure(Pool& pool) const {
  const std::lock_guard lock(pool.mutex);
  if (!pool.failure.ok()) return pool.failure;
  return Status(StatusCode::unavailable, target_ + ": nobody has reached the server")
      .with_reason(StatusReason::no_answer);
}

bool Backend::has_connection(Pool& pool) {
  const std::lock_guard lock(pool.mutex);
  return pool.live().count > 0;
}

bool Backend::become_prober(Pool& pool) {
  const std::lock_guard lock(pool.mutex);
  return !std::exchange(pool.has_prober, true);
}

/// Where there are Cancellers, somebody has to hear them although the prober leaves.
bool Backend::follow_prober(Pool& pool, TimePoint until, const std::stop_token& stop) {
  while (!stop.stop_requested() && clock_.now() < until) {
    const bool has_cancellers = CancelEvent::descriptor() >= 0;
    const TimePoint look = has_cancellers ? clock_.now() + look_for_cancellers : until;
    {
      std::unique_lock lock(pool.mutex);
      const bool is_done = pool.prober_is_done.wait_until(lock, stop, std::min(until, look),
                                                          [&pool] { return !pool.has_prober; });
      if (is_done) return true;
    }
    CancelEvent::catch_up();
  }
  return false;
}

Result<std::shared_ptr<BlockingConnection>> Backend::probe(const Patience& patience,
                                                           const std::stop_token& stop) {
  ThreadServerWait wait(*this);
  if (next_attempt() > clock_.now() && !wait.sleep(patience.until, stop)) {
    return Failure{last_failure(pool())};
  }
  for (;;) {
    Result<std::shared_ptr<BlockingConnection>> made =
        connect(patience.attempt, stop, /*hears_word=*/true);
    if (made || !may_pass(made.error())) return made;
    if (!wait.sleep(patience.until, stop)) return made;
  }
}

// ---- loops --------------------------------------------------------------------------------------

void Backend::add(LoopPlace& loop) {
  Pool& here = pool();
  const std::lock_guard lock(here.mutex);
  here.loops.push_back(loop);
}

/// In a forked child a place of the parent's is left to the parent.
void Backend::remove(LoopPlace& loop) {
  Pool& here = pool();
  const std::lock_guard lock(here.mutex);
  loop.unlink();
}

void Backend::drain() {
  is_drained_.store(true);
  if (group_ != nullptr) group_->drain();
  tell_loops(LoopPlace::Request::drain);
}

void Backend::tell_loops(LoopPlace::Request request) {
  Pool& here = pool();
  IntrusiveList<LoopPlace> told;
  {
    const std::lock_guard lock(here.mutex);
    while (LoopPlace* const loop = here.loops.pop_front()) {
      loop->post(request);
      told.push_back(*loop);
    }
    while (LoopPlace* const loop = told.pop_front())
      here.loops.push_back(*loop);
  }
  turn_kept_loop();
}

// ---- fork ---------------------------------------------------------------------------------------

Backend::Pool& Backend::pool_after_fork(Pool* of_parent) {
  auto fresh = std::make_unique<Pool>(backoff_);
  if (!pool_.compare_exchange_strong(of_parent, fresh.get()))
    return *of_parent;  // another thread's
  leave_to_parent(of_parent);
  return *fresh.release();
}

/// Closes the child's copies of the pooled connections' descriptors, so that the server sees when
/// the parent goes. Connections on loops stay as they are, and so does all of it if a thread of the
/// parent had the mutex at the fork: that thread is not here to set things right.
void Backend::leave_to_parent(Pool* pool) {
  if (!pool->mutex.try_lock()) return;
  pool->places.clear();
  pool->mutex.unlock();
}

}  // namespace nearcall::inline v0::detail
