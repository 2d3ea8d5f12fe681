// SPDX-License-Identifier: Apache-2.0
// Who is there, who may be picked, and what they are together.
#include "client/balancer.hpp"

#include "base/log.hpp"
#include "client/channel_target.hpp"

#include <algorithm>
#include <map>
#include <span>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

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
  Status misuse = balancer->set_targets(targets);
  front->lead(std::move(balancer), targets.empty() ? no_targets() : std::move(misuse));
  return front;
}

Balancer::Balancer(ChannelOptions options, std::shared_ptr<Picker> picker, Clock clock)
    : options_(std::move(options)), picker_(std::move(picker)), clock_(clock) {
}

Balancer::Member Balancer::make_member(const std::string& target) {
  Member made{std::make_shared<Backend>(target, options_, clock_),
              std::make_shared<Membership>(shared_from_this(), front_.lock())};
  made.backend->join(made.membership);
  made.backend->keep(methods_);
  return made;
}

Status Balancer::set_targets(const std::vector<std::string>& targets) {
  if (targets.size() > most_backends) {
    log(LogLevel::warning, targets.size(), " backends are more than the ", most_backends,
        " that a channel may have: the rest is left out");
  }
  const std::span<const std::string> wanted(targets.data(),
                                            std::min(targets.size(), most_backends));
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
      if (left.backend == nullptr) continue;
      list(*left.membership, false);
      gone.push_back(std::move(left.backend));
    }
    for (const Member& member : members)
      list(*member.membership, true);
    members_ = std::move(members);
    candidates_.reset();
    tell_state();
  }
  for (const std::shared_ptr<Backend>& backend : gone) {
    backend->drain();
    backend->close_idle();
  }
  return misuse;
}

void Balancer::list(Membership& member, bool is_listed) noexcept {
  if (std::exchange(member.is_listed_, is_listed) == is_listed) return;
  count(member.counted_as_) += is_listed ? 1U : std::size_t(-1);
}

// ---- who may be picked --------------------------------------------------------------------------

Balancer::Pass Balancer::begin_pass() {
  const std::lock_guard lock(mutex_);
  return failures_;
}

std::shared_ptr<Backend> Balancer::pick(const PickRequest& request, Pass pass) {
  std::shared_ptr<const Candidates> among;
  {
    const TimePoint now = clock_.now();
    const std::lock_guard lock(mutex_);
    if (pass == failures_ && candidates_ != nullptr && now < candidates_->until) {
      among = candidates_;
    } else {
      among = candidates(pass, now);
      if (pass == failures_) candidates_ = among;
    }
  }
  if (among->seen.empty()) return nullptr;
  const std::size_t picked = picker_->pick(request, among->seen);
  return among->backends[picked < among->backends.size() ? picked : 0];
}

std::shared_ptr<const Balancer::Candidates> Balancer::candidates(Pass pass, TimePoint now) const {
  using State = ConnectivityState;
  enum class Worth : std::uint8_t { ready, to_try, under_way, pausing };
  const auto worth_of = [now](const Membership& member) {
    if (member.state_ == State::ready) return Worth::ready;
    if (member.state_ == State::connecting) return Worth::under_way;
    return member.next_attempt_ > now ? Worth::pausing : Worth::to_try;
  };
  std::array<std::size_t, 4> worths{};
  for (const Member& member : members_) {
    if (member.membership->failed_at_ <= pass)
      ++worths[static_cast<std::size_t>(worth_of(*member.membership))];
  }
  const auto has = [&worths](Worth worth) { return worths[static_cast<std::size_t>(worth)] > 0; };
  Worth least = Worth::pausing;
  if (has(Worth::to_try) || has(Worth::under_way)) least = Worth::under_way;
  if (has(Worth::ready)) least = Worth::to_try;

  auto made = std::make_shared<Candidates>();
  for (const Member& member : members_) {
    const Membership& at = *member.membership;
    if (at.failed_at_ > pass) continue;
    const Worth worth = worth_of(at);
    if (worth == Worth::pausing) made->until = std::min(made->until, at.next_attempt_);
    if (worth > least) continue;
    made->seen.push_back(Access::make<PickableBackend>(member.backend->target(), at.state_));
    made->backends.push_back(member.backend);
  }
  return made;
}

bool Balancer::fail(Backend& backend, Pass pass) {
  const std::lock_guard lock(mutex_);
  bool is_any_left = false;
  for (const Member& member : members_) {
    Membership& at = *member.membership;
    if (member.backend.get() == &backend && at.failed_at_ <= pass) at.failed_at_ = ++failures_;
    is_any_left = is_any_left || at.failed_at_ <= pass;
  }
  return is_any_left;
}

Status Balancer::nobody() const {
  const std::shared_ptr<Backend> front = front_.lock();
  const std::string target = front != nullptr ? front->target() : "the channel";
  return Status(StatusCode::unavailable, target + ": there is no backend that can be reached")
      .with_reason(StatusReason::no_server);
}

// ---- what they are together ---------------------------------------------------------------------

void Balancer::note(Membership& member,
                    Connectivity::Event event,
                    const Connectivity& connectivity) {
  using State = ConnectivityState;
  const std::lock_guard lock(mutex_);
  if (event == Connectivity::Event::failed) member.failed_at_ = ++failures_;
  const State state = connectivity.state();
  member.state_ = state;
  member.next_attempt_ = connectivity.next_attempt();
  candidates_.reset();
  const bool stays_failed =
      state == State::connecting && member.counted_as_ == State::transient_failure;
  const State counted_as = stays_failed ? State::transient_failure : state;
  if (member.is_listed_) {
    --count(member.counted_as_);
    ++count(counted_as);
  }
  member.counted_as_ = counted_as;
  tell_state();
}

ConnectivityState Balancer::known_state() const noexcept {
  using State = ConnectivityState;
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
  for (const std::shared_ptr<Backend>& backend : backends())
    static_cast<void>(backend->state());
  const std::lock_guard lock(mutex_);
  return known_state();
}

Duration Balancer::look_interval() {
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
  TimePoint first = no_deadline;
  const std::lock_guard lock(mutex_);
  for (const Member& member : members_)
    first = std::min(first, member.membership->next_attempt_);
  return first;
}

std::vector<std::string> Balancer::paths() {
  std::vector<std::string> all;
  for (const std::shared_ptr<Backend>& backend : backends()) {
    const std::vector<std::string> path = backend->paths();
    if (path.empty()) return {};
    all.insert(all.end(), path.begin(), path.end());
  }
  return all;
}

void Balancer::note_change_at_path() {
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
