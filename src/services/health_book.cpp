// SPDX-License-Identifier: Apache-2.0
// What is known of services: a map, and for each entry the watchers that a change wakes.
#include "services/health_book.hpp"

namespace nearcall::inline v0::detail {

HealthBook::~HealthBook() = default;

void HealthBook::set(std::string_view service, ServingStatus status) {
  const std::lock_guard lock(mutex_);
  auto entry = entries_.find(service);
  if (entry == entries_.end()) entry = entries_.try_emplace(std::string(service)).first;
  if (!entry->second.status) ++known_;
  if (entry->second.status == status) return;
  entry->second.status = status;
  wake_watchers(entry->second);
}

void HealthBook::remove(std::string_view service) {
  const std::lock_guard lock(mutex_);
  const auto entry = entries_.find(service);
  if (entry == entries_.end() || !entry->second.status) return;
  --known_;
  entry->second.status.reset();
  wake_watchers(entry->second);
  drop_if_empty(entry);
}

std::optional<ServingStatus> HealthBook::status(std::string_view service) const {
  const std::lock_guard lock(mutex_);
  const auto entry = entries_.find(service);
  return entry == entries_.end() ? std::nullopt : entry->second.status;
}

std::optional<HealthBook::Statuses> HealthBook::statuses(std::size_t most) const {
  const std::lock_guard lock(mutex_);
  if (known_ > most) return std::nullopt;
  Statuses all;
  for (const auto& [service, entry] : entries_) {
    if (entry.status) all.emplace_back(service, *entry.status);
  }
  return all;
}

void HealthBook::wake_watchers(const Entry& entry) noexcept {
  for (HealthWatcher* watcher : entry.watchers)
    watcher->wake();
}

void HealthBook::drop_if_empty(Entries::iterator entry) {
  if (!entry->second.status && entry->second.watchers.empty()) entries_.erase(entry);
}

std::optional<std::string> HealthBook::refuse_unknown(std::string_view service) const {
  if (service.size() > max_unknown_name) {
    return "health: the name of an unknown service has " + std::to_string(service.size()) +
           " bytes, more than " + std::to_string(max_unknown_name);
  }
  if (entries_.size() - known_ < max_unknown) return std::nullopt;
  return "health: more than " + std::to_string(max_unknown) + " unknown services are watched";
}

HealthWatcher::HealthWatcher(HealthBook& book, std::string_view service) : book_(&book) {
  const std::lock_guard lock(book.mutex_);
  entry_ = book.entries_.find(service);
  if (entry_ == book.entries_.end()) {
    refusal_ = book.refuse_unknown(service);
    if (refusal_) return;
    entry_ = book.entries_.try_emplace(std::string(service)).first;
  }
  place_ = entry_->second.watchers.size();
  entry_->second.watchers.push_back(this);
}

HealthWatcher::~HealthWatcher() {
  if (refusal_) return;
  const std::lock_guard lock(book_->mutex_);
  std::vector<HealthWatcher*>& watchers = entry_->second.watchers;
  watchers[place_] = watchers.back();
  watchers[place_]->place_ = place_;
  watchers.pop_back();
  book_->drop_if_empty(entry_);
}

std::optional<ServingStatus> HealthWatcher::status() const {
  const std::lock_guard lock(book_->mutex_);
  return entry_->second.status;
}

}  // namespace nearcall::inline v0::detail
