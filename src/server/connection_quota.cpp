// SPDX-License-Identifier: Apache-2.0
// Counting connections, and choosing who gives way.
#include "server/connection_quota.hpp"

#include <algorithm>
#include <limits>

namespace nearcall::inline v0::detail {

/// A connection that has a place.
struct ConnectionQuota::Tenant : ListHook {
  static constexpr TimePoint::rep busy = std::numeric_limits<TimePoint::rep>::max();

  explicit Tenant(User& its_user) noexcept : user(its_user) {}

  ConnectionQuota& quota() const noexcept { return *user.quota; }

  User& user;
  /// Since when it has no call, or `busy`. Its loop sets it, whoever looks for a place reads it.
  std::atomic<TimePoint::rep> idle_since{busy};
  /// What it last reported. Its loop sets it.
  Bytes bytes{};
  // Guarded by the quota's mutex:
  LoopCore* core = nullptr;
  Runnable* give_way = nullptr;
  Ask asked = Ask::nothing;
};

// ---- a place ------------------------------------------------------------------------------------

void ConnectionQuota::Place::GiveBack::operator()(Tenant* tenant) const noexcept {
  tenant->quota().give_back(*tenant);
}

void ConnectionQuota::Place::settle(LoopCore& core, Runnable& give_way) noexcept {
  if (tenant_ == nullptr) return;
  set_idle(core.now());
  const std::lock_guard lock(tenant_->quota().mutex_);
  tenant_->core = &core;
  tenant_->give_way = &give_way;
}

/// Once the quota's mutex was had, nobody posts `give_way` any more.
void ConnectionQuota::Place::leave() noexcept {
  if (tenant_ == nullptr) return;
  LoopCore* const core = tenant_->core;
  Runnable* const give_way = tenant_->give_way;
  tenant_.reset();
  if (core != nullptr) core->cancel_posted(*give_way);
}

void ConnectionQuota::Place::set_busy() noexcept {
  if (tenant_ != nullptr) tenant_->idle_since.store(Tenant::busy, std::memory_order_relaxed);
}

void ConnectionQuota::Place::set_idle(TimePoint since) noexcept {
  if (tenant_ == nullptr) return;
  tenant_->idle_since.store(since.time_since_epoch().count(), std::memory_order_relaxed);
}

void ConnectionQuota::Place::report(std::size_t input_size, std::size_t output_size) noexcept {
  if (tenant_ == nullptr) return;
  tenant_->quota().note(*tenant_, ConnectionQuota::input, input_size);
  tenant_->quota().note(*tenant_, ConnectionQuota::output, output_size);
}

ConnectionQuota::Ask ConnectionQuota::Place::asked() const noexcept {
  if (tenant_ == nullptr) return Ask::nothing;
  const std::lock_guard lock(tenant_->quota().mutex_);
  return tenant_->asked;
}

void ConnectionQuota::Place::decline(TimePoint now) noexcept {
  if (tenant_ == nullptr) return;
  if (tenant_->idle_since.load(std::memory_order_relaxed) != Tenant::busy) set_idle(now);
  const std::lock_guard lock(tenant_->quota().mutex_);
  tenant_->quota().stay(*tenant_);
}

bool ConnectionQuota::Place::is_still_needed() const noexcept {
  const Ask what = asked();
  if (what == Ask::nothing || what == Ask::place) return what == Ask::place;
  const std::size_t kind = what == Ask::input ? input : output;
  return tenant_->quota().bytes_[kind].load() > tenant_->quota().most(kind);
}

// ---- all of them --------------------------------------------------------------------------------

ConnectionQuota::ConnectionQuota(const Limits& limits) noexcept : limits_(limits) {
}

ConnectionQuota::~ConnectionQuota() = default;

std::optional<ConnectionQuota::Place> ConnectionQuota::take(uid_t uid) {
  const std::lock_guard lock(mutex_);
  User& user = users_.try_emplace(uid, *this, uid).first->second;
  if (!make_room(user)) {
    if (user.tenants == 0) users_.erase(uid);
    return std::nullopt;
  }
  auto* const tenant = new Tenant(user);
  tenants_.push_back(*tenant);
  ++size_;
  ++staying_;
  ++user.staying;
  ++user.tenants;
  return Place(*tenant);
}

bool ConnectionQuota::make_room(const User& newcomer) noexcept {
  const auto is_older = [](const Tenant& one, const Tenant& other) {
    return one.idle_since.load(std::memory_order_relaxed) <
           other.idle_since.load(std::memory_order_relaxed);
  };
  const auto is_idle = [](const Tenant& tenant) {
    return tenant.idle_since.load(std::memory_order_relaxed) != Tenant::busy;
  };
  while (newcomer.staying >= limits_.connections_per_uid) {
    Tenant* const oldest = find([&](const Tenant& one, const Tenant* other) {
      return &one.user == &newcomer && is_idle(one) && (other == nullptr || is_older(one, *other));
    });
    if (oldest == nullptr) return false;
    ask(*oldest, Ask::place);
  }
  while (staying_ >= limits_.connections) {
    Tenant* const oldest = find([&](const Tenant& one, const Tenant* other) {
      const bool has_more = &one.user == &newcomer || one.user.staying > newcomer.staying;
      if (!has_more || !is_idle(one)) return false;
      if (other == nullptr || one.user.staying > other->user.staying) return true;
      return one.user.staying == other->user.staying && is_older(one, *other);
    });
    if (oldest == nullptr) return false;
    ask(*oldest, Ask::place);
  }
  return true;
}

/// The best of those who may be asked; null if there is none, or too many were asked.
template <class IsBetter>
ConnectionQuota::Tenant* ConnectionQuota::find(IsBetter&& is_better) noexcept {
  if (asked_ >= most_asked) return nullptr;
  Tenant* best = nullptr;
  for (std::size_t left = std::min(size_, most_looked_at); left > 0; --left) {
    Tenant* const tenant = tenants_.pop_front();
    tenants_.push_back(*tenant);
    const bool may_be_asked = tenant->core != nullptr && tenant->asked == Ask::nothing;
    if (may_be_asked && is_better(*tenant, best)) best = tenant;
  }
  return best;
}

void ConnectionQuota::ask(Tenant& tenant, Ask what) noexcept {
  tenant.asked = what;
  ++asked_;
  if (what != Ask::place) ++asked_for_bytes_;
  --staying_;
  --tenant.user.staying;
  tenant.core->post(*tenant.give_way);
}

/// What it held may not have been enough: then it is the next one's turn.
void ConnectionQuota::stay(Tenant& tenant) noexcept {
  if (tenant.asked == Ask::nothing) return;
  if (tenant.asked != Ask::place) --asked_for_bytes_;
  tenant.asked = Ask::nothing;
  --asked_;
  ++staying_;
  ++tenant.user.staying;
  for (const std::size_t kind : {input, output}) {
    if (is_over(kind)) relieve(kind);
  }
}

void ConnectionQuota::give_back(Tenant& tenant) noexcept {
  note(tenant, input, 0);
  note(tenant, output, 0);
  const std::lock_guard lock(mutex_);
  stay(tenant);
  --size_;
  --staying_;
  --tenant.user.staying;
  if (--tenant.user.tenants == 0) users_.erase(tenant.user.uid);
  delete &tenant;
}

void ConnectionQuota::note(Tenant& tenant, std::size_t kind, std::size_t now) noexcept {
  const std::size_t before = tenant.bytes[kind].exchange(now, std::memory_order_relaxed);
  if (before == now) return;
  const std::size_t more = now - before;  // or less: it wraps around
  tenant.user.bytes[kind].fetch_add(more, std::memory_order_relaxed);
  bytes_[kind].fetch_add(more, std::memory_order_relaxed);
  if (now < before || !is_over(kind)) return;
  const std::lock_guard lock(mutex_);
  relieve(kind);
}

/// One at a time: what it gives back may do.
void ConnectionQuota::relieve(std::size_t kind) noexcept {
  if (asked_for_bytes_ > 0) return;
  const auto bytes = [kind](const Bytes& of) { return of[kind].load(std::memory_order_relaxed); };
  Tenant* const largest = find([&](const Tenant& one, const Tenant* other) {
    if (bytes(one.bytes) == 0) return false;
    if (other == nullptr || bytes(one.user.bytes) > bytes(other->user.bytes)) return true;
    return &one.user == &other->user && bytes(one.bytes) > bytes(other->bytes);
  });
  if (largest != nullptr) ask(*largest, kind == input ? Ask::input : Ask::output);
}

}  // namespace nearcall::inline v0::detail
