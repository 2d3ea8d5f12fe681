// SPDX-License-Identifier: Apache-2.0
// Who is there, who may be picked, and what they are together.
#include "client/balancer.hpp"

#include "base/log.hpp"
#include "client/channel_target.hpp"

#include <algorithm>
#include <map>
#include <random>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

/// How often who waits takes in what health services say.
constexpr Duration looks_at_health = std::chrono::milliseconds(20);
constexpr Duration look_at_pools = std::chrono::milliseconds(100);

Status no_targets() {
  return Status(StatusCode::unavailable, "to_any(): there is no target")
      .with_reason(StatusReason::bad_target);
}

}  // namespace

void Membership::note(Connectivity::Event event, const Connectivity& connectivity) {
  if (const std::shared_ptr<Balancer> balancer = balancer_.lock()) {
    balancer->note(*this, event, connectivity);
  }
}

std::shared_ptr<Backend> Balancer::make_front(const std::vector<std::string>& targets,
                                              ChannelOptions options,
                                              std::shared_ptr<const MethodTable> methods,
                                              Clock clock) {
  auto balancer = std::make_shared<Balancer>(options, picker_of(options), clock);
  auto front = std::make_shared<Backend>(name_of(targets), std::move(options), clock);
  front->keep(methods);
  balancer->front_ = front;
  balancer->methods_ = std::move(methods);
  balancer->begin_health_checks();
  Status misuse = balancer->set_origins(targets);
  front->lead(std::move(balancer), targets.empty() ? no_targets() : std::move(misuse));
  return front;
}

Balancer::Balancer(ChannelOptions options, std::shared_ptr<Picker> picker, Clock clock)
    : options_(std::move(options)),
      picker_(std::move(picker)),
      shuffles_(shuffles(options_)),
      clock_(clock) {
}

void Balancer::begin_health_checks() {
  const std::string* const service = checked_service_of(options_, *picker_);
  if (service == nullptr) return;
  health_ = std::make_unique<HealthWatches>(
      *service, options_, [this](const std::string& target, Health health, const Status& why) {
        note_health(target, health, why);
      });
}

Balancer::Member Balancer::make_member(const std::string& target) {
  Member made{std::make_shared<Backend>(target, options_, clock_),
              std::make_shared<Membership>(shared_from_this(), front_.lock()),
              health_ != nullptr ? Health::unknown : Health::serving};
  made.backend->join(made.membership);
  made.backend->keep(methods_);
  return made;
}

Status Balancer::set_origins(const std::vector<std::string>& targets) {
  std::vector<std::string> fixed;
  for (const std::string& target : targets) {
    const auto on_answer = [balancer = weak_from_this()] {
      if (const std::shared_ptr<Balancer> here = balancer.lock()) here->look();
    };
    origins_.push_back({target, source_of(target, options_, on_answer)});
    if (origins_.back().source == nullptr) fixed.push_back(target);
  }
  has_sources_ = fixed.size() < targets.size();
  if (!has_sources_) return set_targets(fixed);
  for (const std::string& target : fixed) {
    if (Status misuse = make_member(target).backend->misuse(); !misuse.ok()) return misuse;
  }
  // What is wrong with the options is wrong with whatever is there later.
  return make_member("unix:/nobody").backend->misuse();
}

void Balancer::look() {
  const std::lock_guard lock(sources_mutex_);
  const TimePoint now = clock_.now();
  const bool has_failed = has_failed_.exchange(false);
  bool has_changed = false;
  for (const Origin& origin : origins_) {
    if (origin.source == nullptr) continue;
    if (has_failed) origin.source->note_failure();
    has_changed = origin.source->look(now) || has_changed;
  }
  // Who waits until it is known who is there has to find them then.
  if (has_changed) static_cast<void>(set_targets(targets_of_sources()));
  note_sources();
}

std::vector<std::string> Balancer::targets_of_sources() const {
  std::vector<std::string> targets;
  for (const Origin& origin : origins_) {
    if (origin.source == nullptr) {
      targets.push_back(origin.target);
    } else {
      const std::vector<std::string>& found = origin.source->targets();
      targets.insert(targets.end(), found.begin(), found.end());
    }
  }
  return targets;
}

/// What the next look may find, and why there are none. REQUIRES: sources_mutex_ is held.
void Balancer::note_sources() {
  Known known{.is_begun = true, .is_looking = false, .failure = Status()};
  bool has_any = false;
  for (const Origin& origin : origins_) {
    has_any = has_any || origin.source == nullptr || !origin.source->targets().empty();
    if (origin.source == nullptr) continue;
    if (!origin.source->failure().ok()) known.failure = origin.source->failure();
    known.next_look = std::min(known.next_look, origin.source->next_look());
    known.is_looking = known.is_looking || origin.source->is_looking();
  }
  known.is_looking = known.is_looking && !has_any;
  const std::lock_guard lock(mutex_);
  known_ = std::move(known);
  tell_state();
  is_known_.notify_all();
}

bool Balancer::is_looking() {
  turn_health();
  const std::lock_guard lock(mutex_);
  return known_.is_looking || is_health_unknown();
}

bool Balancer::is_health_unknown() const noexcept {
  const auto has = [this](Health health) {
    return std::ranges::any_of(members_,
                               [health](const Member& member) { return member.health == health; });
  };
  return health_ != nullptr && has(Health::unknown) && !has(Health::serving);
}

void Balancer::turn_health() {
  if (health_ != nullptr) health_->turn();
}

void Balancer::note_health(const std::string& target, Health health, const Status& why) {
  const std::lock_guard lock(mutex_);
  if (!why.ok()) unhealthy_ = why;
  for (Member& member : members_) {
    if (member.backend->target() == target) member.health = health;
  }
  recount();
  candidates_.reset();
  tell_state();
  is_known_.notify_all();
}

Status Balancer::set_targets(const std::vector<std::string>& targets) {
  if (targets.size() > most_backends) {
    log(LogLevel::warning, targets.size(), " backends are more than the ", most_backends,
        " that a channel may have: the rest is left out");
  }
  std::vector<std::string> wanted(
      targets.begin(),
      targets.begin() + static_cast<std::ptrdiff_t>(std::min(targets.size(), most_backends)));
  if (shuffles_) std::ranges::shuffle(wanted, std::minstd_rand(std::random_device()()));
  std::map<std::string, Member> known;
  {
    const std::lock_guard lock(mutex_);
    for (const Member& member : members_)
      known.emplace(member.backend->target(), member);
  }
  Status misuse;
  std::vector<Member> members;
  for (const std::string& target : wanted) {
    auto found = known.find(target);
    if (found == known.end()) found = known.emplace(target, make_member(target)).first;
    if (found->second.backend == nullptr) continue;  // it stands there twice
    members.push_back(std::exchange(found->second, Member{}));
    if (misuse.ok()) misuse = members.back().backend->misuse();
  }
  std::vector<std::shared_ptr<Backend>> gone;
  {
    const std::lock_guard lock(mutex_);
    for (auto& [target, left] : known) {
      if (left.backend != nullptr) gone.push_back(std::move(left.backend));
    }
    members_ = std::move(members);
    recount();
    candidates_.reset();
    tell_state();
  }
  for (const std::shared_ptr<Backend>& backend : gone) {
    backend->drain();
    backend->close_idle();
  }
  if (health_ != nullptr && misuse.ok()) {
    health_->set_targets(std::vector<std::string>(wanted.begin(), wanted.end()));
  }
  return misuse;
}

/// A backend that does not serve is one that fails, and one that was not heard of is connecting.
ConnectivityState Balancer::counted_state(const Member& member) noexcept {
  if (member.health == Health::not_serving) return ConnectivityState::transient_failure;
  const ConnectivityState state = member.membership->counted_as_;
  const bool is_unheard = state == ConnectivityState::ready && member.health == Health::unknown;
  return is_unheard ? ConnectivityState::connecting : state;
}

void Balancer::recount() noexcept {
  counts_.fill(0);
  for (const Member& member : members_)
    ++count(counted_state(member));
}

// ---- who may be picked --------------------------------------------------------------------------

Balancer::Pass Balancer::begin_pass() {
  if (has_sources_) look();
  turn_health();
  const std::lock_guard lock(mutex_);
  return failures_;
}

std::shared_ptr<Backend> Balancer::pick(const PickRequest& request, Pass pass, bool heeds_pauses) {
  std::shared_ptr<const Candidates> among;
  {
    const TimePoint now = clock_.now();
    const std::lock_guard lock(mutex_);
    if (pass == failures_ && !heeds_pauses && candidates_ != nullptr && now < candidates_->until) {
      among = candidates_;
    } else {
      among = candidates(pass, now, heeds_pauses);
      if (pass == failures_ && !heeds_pauses) candidates_ = among;
    }
  }
  if (among->seen.empty()) return nullptr;
  const std::size_t picked = picker_->pick(request, among->seen);
  return among->backends[picked < among->backends.size() ? picked : 0];
}

std::shared_ptr<const Balancer::Candidates> Balancer::candidates(Pass pass,
                                                                 TimePoint now,
                                                                 bool heeds_pauses) const {
  using State = ConnectivityState;
  enum class Worth : std::uint8_t { ready, to_try, under_way, pausing };
  const auto worth_of = [now](const Membership& member) {
    if (member.state_ == State::ready) return Worth::ready;
    if (member.state_ == State::connecting) return Worth::under_way;
    return member.next_attempt_ > now ? Worth::pausing : Worth::to_try;
  };
  std::array<std::size_t, 4> worths{};
  for (const Member& member : members_) {
    if (member.membership->failed_at_ <= pass && member.health == Health::serving)
      ++worths[static_cast<std::size_t>(worth_of(*member.membership))];
  }
  const auto has = [&worths](Worth worth) { return worths[static_cast<std::size_t>(worth)] > 0; };
  Worth least = heeds_pauses ? Worth::under_way : Worth::pausing;
  if (has(Worth::to_try) || has(Worth::under_way)) least = Worth::under_way;
  if (has(Worth::ready)) least = Worth::to_try;

  auto made = std::make_shared<Candidates>();
  for (const Member& member : members_) {
    const Membership& at = *member.membership;
    if (at.failed_at_ > pass || member.health != Health::serving) continue;
    const Worth worth = worth_of(at);
    if (worth == Worth::pausing) made->until = std::min(made->until, at.next_attempt_);
    if (worth > least) continue;
    made->seen.push_back(Access::make<PickableBackend>(member.backend->target(), at.state_));
    made->backends.push_back(member.backend);
  }
  return made;
}

bool Balancer::fail(Backend& backend, Pass pass, const Status& why) {
  const std::lock_guard lock(mutex_);
  last_failure_ = why;
  bool is_any_left = false;
  for (const Member& member : members_) {
    Membership& at = *member.membership;
    if (member.backend.get() == &backend && at.failed_at_ <= pass) at.failed_at_ = ++failures_;
    is_any_left = is_any_left || at.failed_at_ <= pass;
  }
  return is_any_left;
}

Status Balancer::nobody() {
  {
    const std::lock_guard lock(mutex_);
    if (members_.empty() && !known_.failure.ok()) return known_.failure;
    if (!members_.empty() && !unhealthy_.ok()) return unhealthy_;
    if (!members_.empty() && !last_failure_.ok()) return last_failure_;
  }
  return Status(StatusCode::unavailable,
                name_of_front() + ": there is no backend that can be reached")
      .with_reason(StatusReason::no_server);
}

std::string Balancer::name_of_front() const {
  const std::shared_ptr<Backend> front = front_.lock();
  return front != nullptr ? front->target() : "the channel";
}

// ---- what they are together ---------------------------------------------------------------------

void Balancer::note(Membership& member,
                    Connectivity::Event event,
                    const Connectivity& connectivity) {
  using State = ConnectivityState;
  const std::lock_guard lock(mutex_);
  if (event == Connectivity::Event::failed) member.failed_at_ = ++failures_;
  if (event == Connectivity::Event::failed || event == Connectivity::Event::lost) {
    has_failed_ = true;
  }
  const State state = connectivity.state();
  member.state_ = state;
  member.next_attempt_ = connectivity.next_attempt();
  candidates_.reset();
  const bool stays_failed =
      state == State::connecting && member.counted_as_ == State::transient_failure;
  const State counted_as = stays_failed ? State::transient_failure : state;
  if (std::exchange(member.counted_as_, counted_as) == counted_as) return;
  recount();
  tell_state();
}

ConnectivityState Balancer::known_state() const noexcept {
  using State = ConnectivityState;
  if (known_.is_looking) return State::connecting;
  if (members_.empty() && has_sources_ && !known_.is_begun) return State::idle;
  for (const State state : {State::ready, State::connecting, State::idle}) {
    if (counts_[static_cast<std::size_t>(state)] > 0) return state;
  }
  return State::transient_failure;
}

void Balancer::tell_state() {
  const ConnectivityState state = known_state();
  if (std::exchange(told_, state) == state) return;
  state_has_changed_.notify_all();
  IntrusiveList<StateWatcher> told;
  while (StateWatcher* const watcher = watchers_.pop_front()) {
    watcher->on_state(state);
    told.push_back(*watcher);
  }
  while (StateWatcher* const watcher = told.pop_front())
    watchers_.push_back(*watcher);
}

void Balancer::watch(StateWatcher& watcher) {
  const std::lock_guard lock(mutex_);
  watchers_.push_back(watcher);
}

void Balancer::unwatch(StateWatcher& watcher) {
  const std::lock_guard lock(mutex_);
  watcher.unlink();
}

std::vector<std::shared_ptr<Backend>> Balancer::backends() {
  std::vector<std::shared_ptr<Backend>> listed;
  const std::lock_guard lock(mutex_);
  listed.reserve(members_.size());
  for (const Member& member : members_)
    listed.push_back(member.backend);
  return listed;
}

std::shared_ptr<Backend> Balancer::find(std::string_view target) {
  for (std::shared_ptr<Backend>& backend : backends()) {
    if (backend->target() == target) return std::move(backend);
  }
  return nullptr;
}

ConnectivityState Balancer::state() {
  turn_health();
  for (const std::shared_ptr<Backend>& backend : backends())
    static_cast<void>(backend->state());
  const std::lock_guard lock(mutex_);
  return known_state();
}

Duration Balancer::look_interval() {
  if (health_ != nullptr) return looks_at_health;
  const std::lock_guard lock(mutex_);
  return count(ConnectivityState::ready) > 0 ? look_at_pools : Duration::max();
}

bool Balancer::wait_for_state_change(ConnectivityState from, TimePoint until) {
  for (;;) {
    if (state() != from) return true;
    const TimePoint now = clock_.now();
    if (now >= until) return false;
    const TimePoint look_at = deadline_after(now, look_interval());
    std::unique_lock lock(mutex_);
    if (known_state() == from) state_has_changed_.wait_until(lock, std::min(until, look_at));
  }
}

TimePoint Balancer::next_attempt() {
  const std::lock_guard lock(mutex_);
  if (has_sources_ && !known_.is_begun) return {};
  TimePoint first = known_.next_look;
  if (health_ != nullptr) first = std::min(first, clock_.now() + looks_at_health);
  for (const Member& member : members_) {
    if (health_ != nullptr && member.health != Health::serving) continue;  // nobody picks it
    first = std::min(first, member.membership->next_attempt_);
  }
  return first;
}

std::vector<std::string> Balancer::paths() {
  std::vector<std::string> all;
  const std::lock_guard lock(sources_mutex_);
  for (const Origin& origin : origins_) {
    const std::string path =
        origin.source != nullptr ? origin.source->path() : path_of(origin.target, options_);
    if (path.empty()) return {};
    all.push_back(path);
  }
  return all;
}

void Balancer::note_change_at_path() {
  {
    const std::lock_guard lock(sources_mutex_);
    for (const Origin& origin : origins_)
      if (origin.source != nullptr) origin.source->note_change();
    note_sources();
  }
  for (const std::shared_ptr<Backend>& backend : backends())
    backend->note_change_at_path();
}

void Balancer::close_idle() {
  for (const std::shared_ptr<Backend>& backend : backends())
    backend->close_idle();
}

void Balancer::drain() {
  for (const std::shared_ptr<Backend>& backend : backends())
    backend->drain();
}

}  // namespace nearcall::inline v0::detail
