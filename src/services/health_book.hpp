// SPDX-License-Identifier: Apache-2.0
// HealthBook: what is known of services, and who waits for news of them.
#pragma once

#include <nearcall/async_event.hpp>
#include <nearcall/health.hpp>

#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nearcall::inline v0::detail {

class HealthWatcher;

/// The statuses of services. A service has an entry while it has a status or is watched.
///
/// Thread safety: any thread.
class HealthBook {
 public:
  using Statuses = std::vector<std::pair<std::string, ServingStatus>>;

  /// Of services that have no status, and are watched: a peer makes us keep their names.
  static constexpr std::size_t max_unknown = 10'000;
  static constexpr std::size_t max_unknown_name = 1024;

  HealthBook() = default;
  HealthBook(const HealthBook&) = delete;
  HealthBook& operator=(const HealthBook&) = delete;
  /// REQUIRES: nobody watches.
  ~HealthBook();

  void set(std::string_view service, ServingStatus status);
  void remove(std::string_view service);
  std::optional<ServingStatus> status(std::string_view service) const;
  /// All that have a status, or nothing if that are more than `most`.
  std::optional<Statuses> statuses(std::size_t most) const;

 private:
  friend HealthWatcher;

  struct Entry {
    std::optional<ServingStatus> status;
    std::vector<HealthWatcher*> watchers;
  };
  using Entries = std::map<std::string, Entry, std::less<>>;

  /// REQUIRES: mutex_ is held.
  static void wake_watchers(const Entry& entry) noexcept;
  /// Why there can be no entry without a status of that name; nothing if there can.
  std::optional<std::string> refuse_unknown(std::string_view service) const;
  void drop_if_empty(Entries::iterator entry);

  mutable std::mutex mutex_;
  // Guarded by mutex_.
  Entries entries_;
  std::size_t known_ = 0;
};

/// One who waits for news of a service, known or not. Nobody is one for an unknown service beyond
/// the limits of the book.
///
/// Thread safety: wake() from any thread, the rest on the loop of who waits.
class HealthWatcher {
 public:
  /// For stop callbacks.
  struct Wake {
    HealthWatcher* watcher;
    void operator()() const noexcept { watcher->wake(); }
  };

  HealthWatcher(HealthBook& book, std::string_view service);
  HealthWatcher(const HealthWatcher&) = delete;
  HealthWatcher& operator=(const HealthWatcher&) = delete;
  ~HealthWatcher();

  /// Which limit there is, if it cannot watch; it does nothing then, and the rest is not called.
  const std::optional<std::string>& refusal() const noexcept { return refusal_; }
  /// What it is now; nothing if the service is not known.
  std::optional<ServingStatus> status() const;
  /// `co_await watcher.wait();` until it may have changed since the last hear(), or wake().
  SemaphoreAwaiter wait() noexcept { return news_.wait(); }
  /// Whatever comes from now on is news. Look at what is after that.
  void hear() noexcept { news_.reset(); }
  void wake() noexcept { news_.set(); }

 private:
  friend HealthBook;

  HealthBook* book_;
  std::optional<std::string> refusal_;
  HealthBook::Entries::iterator entry_;
  /// Where it stands among the entry's watchers. Guarded by the book's mutex.
  std::size_t place_ = 0;
  AsyncEvent news_;
};

}  // namespace nearcall::inline v0::detail
