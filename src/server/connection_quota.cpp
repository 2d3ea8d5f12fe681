// SPDX-License-Identifier: Apache-2.0
// Counting connections, and choosing who gives way.
#include "server/connection_quota.hpp"

#include <algorithm>
#include <limits>

namespace nearcall::inline v0::detail {

/// A connection that has a place.
struct ConnectionQuota::Entry : ListHook {
  static constexpr TimePoint::rep busy = std::numeric_limits<TimePoint::rep>::max();

  explicit Entry(User& its_user) noexcept : user(its_user) {}

  ConnectionQuota& quota() const noexcept { return *user.quota; }

  User& user;
  /// Since when it has no call, or `busy`. Its loop sets it, whoever looks for a place reads it.
  std::atomic<TimePoint::rep> idle_since{busy};
  /// What it last reported. Its loop sets it.
  Bytes bytes{};
  /// Its loop sets it, with the mutex.
  bool has_ended = false;
  // Guarded by the quota's mutex:
  LoopCore* core = nullptr;
  Runnable* give_way = nullptr;
  Ask asked = Ask::nothing;
};

// ---- a place ------------------------------------------------------------------------------------

void ConnectionQuota::Place::Release::operator()(Entry* entry) const noexcept {
  entry->quota().release(*entry);
}

void ConnectionQuota::Place::settle(LoopCore& core, Runnable& give_way) noexcept {
  if (entry_ == nullptr) return;
  set_idle(core.now());
  const std::lock_guard lock(entry_->quota().mutex_);
  entry_->core = &core;
  entry_->give_way = &give_way;
}

/// Once the quota's mutex was had, nobody posts `give_way` any more.
void ConnectionQuota::Place::leave() noexcept {
  if (entry_ == nullptr) return;
  LoopCore* const core = entry_->core;
  Runnable* const give_way = entry_->give_way;
  entry_.reset();
  if (core != nullptr) core->cancel_posted(*give_way);
}

void ConnectionQuota::Place::set_busy() noexcept {
  if (entry_ != nullptr) entry_->idle_since.store(Entry::busy, std::memory_order_relaxed);
}

void ConnectionQuota::Place::set_idle(TimePoint since) noexcept {
  if (entry_ == nullptr) return;
  entry_->idle_since.store(since.time_since_epoch().count(), std::memory_order_relaxed);
}

void ConnectionQuota::Place::set_ended() noexcept {
  if (entry_ == nullptr || entry_->has_ended) return;
  ConnectionQuota& quota = entry_->quota();
  const std::lock_guard lock(quota.mutex_);
  entry_->has_ended = true;
  for (const std::size_t kind : {input, output})
    quota.bytes_of_ended_[kind] += entry_->bytes[kind];
}

void ConnectionQuota::Place::report(std::size_t input_size, std::size_t output_size) noexcept {
  if (entry_ == nullptr) return;
  entry_->quota().note(*entry_, ConnectionQuota::input, input_size);
  entry_->quota().note(*entry_, ConnectionQuota::output, output_size);
}

ConnectionQuota::Ask ConnectionQuota::Place::asked() const noexcept {
  if (entry_ == nullptr) return Ask::nothing;
  const std::lock_guard lock(entry_->quota().mutex_);
  return entry_->asked;
}

void ConnectionQuota::Place::decline(TimePoint now) noexcept {
  if (entry_ == nullptr) return;
  if (entry_->idle_since.load(std::memory_order_relaxed) != Entry::busy) set_idle(now);
  const std::lock_guard lock(entry_->quota().mutex_);
  entry_->quota().stay(*entry_);
}

bool ConnectionQuota::Place::is_still_needed() const noexcept {
  const Ask what = asked();
  if (what == Ask::nothing || what == Ask::place) return what == Ask::place;
  const std::size_t kind = what == Ask::input ? input : output;
  return entry_->quota().bytes_[kind].load() > entry_->quota().most(kind);
}

// ---- all of them --------------------------------------------------------------------------------

ConnectionQuota::ConnectionQuota(const Limits& limits) noexcept : limits_(limits) {
}

ConnectionQuota::~ConnectionQuota() = default;

std::optional<ConnectionQuota::Place> ConnectionQuota::take(uid_t uid) {
  const std::lock_guard lock(mutex_);
  User& user = users_.try_emplace(uid, *this, uid).first->second;
  if (!make_room(user)) {
    if (user.entries == 0) users_.erase(uid);
    return std::nullopt;
  }
  auto* const entry = new Entry(user);
  entries_.push_back(*entry);
  ++size_;
  ++staying_;
  ++user.staying;
  ++user.entries;
  return Place(*entry);
}

bool ConnectionQuota::make_room(const User& newcomer) noexcept {
  const auto is_older = [](const Entry& one, const Entry& other) {
    return one.idle_since.load(std::memory_order_relaxed) <
           other.idle_since.load(std::memory_order_relaxed);
  };
  const auto is_idle = [](const Entry& entry) {
    return entry.idle_since.load(std::memory_order_relaxed) != Entry::busy;
  };
  while (newcomer.staying >= limits_.connections_per_uid) {
    Entry* const oldest = find([&](const Entry& one, const Entry* other) {
      return &one.user == &newcomer && is_idle(one) && (other == nullptr || is_older(one, *other));
    });
    if (oldest == nullptr) return false;
    ask(*oldest, Ask::place);
  }
  while (staying_ >= limits_.connections) {
    Entry* const oldest = find([&](const Entry& one, const Entry* other) {
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
ConnectionQuota::Entry* ConnectionQuota::find(IsBetter&& is_better) noexcept {
  if (asked_ >= most_asked) return nullptr;
  Entry* best = nullptr;
  for (std::size_t left = std::min(size_, most_looked_at); left > 0; --left) {
    Entry* const entry = entries_.pop_front();
    entries_.push_back(*entry);
    const bool may_be_asked =
        entry->core != nullptr && !entry->has_ended && entry->asked == Ask::nothing;
    if (may_be_asked && is_better(*entry, best)) best = entry;
  }
  return best;
}

void ConnectionQuota::ask(Entry& entry, Ask what) noexcept {
  entry.asked = what;
  ++asked_;
  if (what != Ask::place) ++asked_for_bytes_;
  --staying_;
  --entry.user.staying;
  entry.core->post(*entry.give_way);
}

/// What it frees, if it goes, may not be enough: then the next one is asked.
void ConnectionQuota::stay(Entry& entry) noexcept {
  if (entry.asked == Ask::nothing) return;
  if (entry.asked != Ask::place) --asked_for_bytes_;
  entry.asked = Ask::nothing;
  --asked_;
  ++staying_;
  ++entry.user.staying;
  for (const std::size_t kind : {input, output}) {
    if (is_over(kind)) relieve(kind);
  }
}

void ConnectionQuota::release(Entry& entry) noexcept {
  note(entry, input, 0);
  note(entry, output, 0);
  const std::lock_guard lock(mutex_);
  stay(entry);
  --size_;
  --staying_;
  --entry.user.staying;
  if (--entry.user.entries == 0) users_.erase(entry.user.uid);
  delete &entry;
}

void ConnectionQuota::note(Entry& entry, std::size_t kind, std::size_t now) noexcept {
  const std::size_t before = entry.bytes[kind].exchange(now, std::memory_order_relaxed);
  if (before == now) return;
  const std::size_t more = now - before;  // or less: it wraps around
  entry.user.bytes[kind].fetch_add(more, std::memory_order_relaxed);
  bytes_[kind].fetch_add(more, std::memory_order_relaxed);
  if (entry.has_ended) bytes_of_ended_[kind].fetch_add(more, std::memory_order_relaxed);
  if (now < before || !is_over(kind)) return;
  const std::lock_guard lock(mutex_);
  relieve(kind);
}

/// Asks nobody while one that was asked has not gone: what it frees may be enough.
void ConnectionQuota::relieve(std::size_t kind) noexcept {
  if (asked_for_bytes_ > 0) return;
  const auto bytes = [kind](const Bytes& of) { return of[kind].load(std::memory_order_relaxed); };
  std::size_t most_of_a_user = 0;
  for (const auto& [uid, user] : users_)
    most_of_a_user = std::max(most_of_a_user, bytes(user.bytes));
  const bool is_half_gone = bytes(bytes_of_ended_) > most(kind) / 2;
  const std::size_t least = is_half_gone ? most(kind) / parts_worth_asking_for : 1;
  Entry* const largest = find([&](const Entry& one, const Entry* other) {
    if (bytes(one.bytes) < least || bytes(one.user.bytes) < most_of_a_user) return false;
    return other == nullptr || bytes(one.bytes) > bytes(other->bytes);
  });
  if (largest != nullptr) ask(*largest, kind == input ? Ask::input : Ask::output);
}

}  // namespace nearcall::inline v0::detail
