// SPDX-License-Identifier: Apache-2.0
// A thread's way to a connection to one of several backends.
#include "async/cancel_event.hpp"
#include "client/balancer.hpp"
#include "client/transient_failure.hpp"

#include <algorithm>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

/// How often who waits takes in the first word of health services.
constexpr Duration health_look = std::chrono::milliseconds(5);
constexpr Duration followers_look = std::chrono::milliseconds(50);

}  // namespace

Result<Balancer::Found> Balancer::connect(Turn& turn, const Search& search) {
  if (!search.waits || search.patience.begins_at_once || !is_pausing()) {
    Result<Found> found = make_pass(turn, search, /*heeds_pauses=*/false);
    if (found || !search.waits || !may_pass(found.error())) return found;
  }
  while (!search.stop.stop_requested() && clock_.now() < search.patience.until) {
    if (become_prober()) {
      Result<Found> found = probe(turn, search);
      end_probing();
      return found;
    }
    if (!follow_prober(search)) break;
    Result<Found> found = make_pass(turn, search, /*heeds_pauses=*/true);
    if (found || !may_pass(found.error())) return found;
  }
  return Failure{nobody()};
}

/// As long as one attempt to connect may take.
bool Balancer::wait_until_known(const Search& search) {
  const TimePoint until =
      std::min(search.patience.attempt, deadline_after(clock_.now(), options_.connect_timeout()));
  while (!search.stop.stop_requested() && clock_.now() < until) {
    const bool has_cancellers = CancelEvent::descriptor() >= 0;
    TimePoint look = has_cancellers ? clock_.now() + followers_look : until;
    if (health_ != nullptr) look = std::min(look, clock_.now() + health_look);
    {
      std::unique_lock lock(mutex_);
      const bool is_known = is_known_.wait_until(lock, search.stop, std::min(until, look), [this] {
        return !known_.is_looking && !is_health_unknown();
      });
      if (is_known) return true;
    }
    turn_health();
    CancelEvent::catch_up();
  }
  return false;
}

Result<Balancer::Found> Balancer::make_pass(Turn& turn, const Search& search, bool heeds_pauses) {
  const Pass pass = begin_pass();
  if (is_looking() && !wait_until_known(search)) {
    return Failure{Status(StatusCode::unavailable,
                          name_of_front() + ": nobody has said in time which backends there are")
                       .with_reason(StatusReason::no_answer)};
  }
  Status why = nobody();
  bool has_tried = false;
  while (std::shared_ptr<Backend> backend = pick(search.request, pass, heeds_pauses)) {
    if (std::shared_ptr<BlockingConnection> taken = backend->take(turn, search.want)) {
      return Found{std::move(backend), std::move(taken)};
    }
    Result<std::shared_ptr<BlockingConnection>> made =
        backend->connect(search.patience.attempt, search.stop, /*hears_word=*/search.waits);
    if (made) return Found{std::move(backend), *std::move(made)};
    const bool is_over = search.stop.stop_requested() || clock_.now() >= search.patience.attempt;
    if (is_over) return Failure{std::move(made).error()};
    // Where one of them may pass, that is what the caller has to know.
    if (!std::exchange(has_tried, true) || may_pass(made.error())) why = made.error();
    fail(*backend, pass, why);
  }
  return Failure{std::move(why)};
}

Result<Balancer::Found> Balancer::probe(Turn& turn, const Search& search) {
  ThreadServerWait wait(*this);
  if (is_pausing() && !wait.sleep(search.patience.until, search.stop)) return Failure{nobody()};
  for (;;) {
    Result<Found> found = make_pass(turn, search, /*heeds_pauses=*/true);
    if (found || !may_pass(found.error())) return found;
    if (!wait.sleep(search.patience.until, search.stop)) return found;
  }
}

bool Balancer::is_pausing() {
  const TimePoint next = next_attempt();
  return next > clock_.now();
}

bool Balancer::become_prober() {
  const std::lock_guard lock(mutex_);
  return !std::exchange(has_prober_, true);
}

void Balancer::end_probing() {
  const std::lock_guard lock(mutex_);
  has_prober_ = false;
  prober_is_done_.notify_all();
}

/// Where there are Cancellers, somebody has to hear them although the prober leaves.
bool Balancer::follow_prober(const Search& search) {
  while (!search.stop.stop_requested() && clock_.now() < search.patience.until) {
    const bool has_cancellers = CancelEvent::descriptor() >= 0;
    const TimePoint look = has_cancellers ? clock_.now() + followers_look : search.patience.until;
    {
      std::unique_lock lock(mutex_);
      const bool is_done =
          prober_is_done_.wait_until(lock, search.stop, std::min(search.patience.until, look),
                                     [this] { return !has_prober_; });
      if (is_done) return true;
    }
    CancelEvent::catch_up();
  }
  return false;
}

Status Balancer::ensure_connection(TimePoint until) {
  static const Metadata none;
  Turn turn;
  const Search search{.request = Access::make<PickRequest>(std::string_view(), none),
                      .patience = {.attempt = no_deadline, .until = until, .begins_at_once = true},
                      .waits = true,
                      .stop = std::stop_token()};
  Result<Found> found = connect(turn, search);
  turn.finish();
  if (!found) return std::move(found).error();
  return found->backend->settle(std::move(found->connection));
}

}  // namespace nearcall::inline v0::detail
