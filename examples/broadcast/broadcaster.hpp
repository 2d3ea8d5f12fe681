// SPDX-License-Identifier: Apache-2.0
// Broadcaster: gives what one thread publishes to all who watch.
#pragma once

#include <nearcall/async_queue.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

enum class WhenFull : std::uint8_t { drop_oldest, end };

/// Thread safety: any thread, also without a loop. REQUIRES: it outlives its watchers.
template <class Event>
class Broadcaster {
 public:
  class Watcher;

  /// Never waits. All watchers share the event; it goes when the last one has sent it.
  void publish(Event event) {
    const auto shared = std::make_shared<const Event>(std::move(event));
    const std::lock_guard lock(mutex_);
    ++published_;
    for (Watcher* watcher : watchers_)
      watcher->put(shared);
  }
  std::size_t watchers() const {
    const std::lock_guard lock(mutex_);
    return watchers_.size();
  }

 private:
  mutable std::mutex mutex_;
  std::uint64_t published_ = 0;
  std::vector<Watcher*> watchers_;
};

/// One who watches, from its constructor to its destructor: a local variable of a handler.
template <class Event>
class Broadcaster<Event>::Watcher {
 public:
  /// At most `capacity` events wait for it.
  Watcher(Broadcaster& from, std::size_t capacity, WhenFull when_full)
      : from_(from), queue_(capacity), when_full_(when_full) {
    const std::lock_guard lock(from_.mutex_);
    began_after_ = from_.published_;
    from_.watchers_.push_back(this);
  }
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;
  ~Watcher() {
    const std::lock_guard lock(from_.mutex_);
    std::erase(from_.watchers_, this);
  }

  /// How many events there had been when it came.
  std::uint64_t began_after() const noexcept { return began_after_; }
  /// What comes next; without a value once it has ended, and has given what waited.
  auto next() { return queue_.pop(); }
  /// Nothing more comes. From any thread.
  void end() noexcept { queue_.close(); }
  /// Whether that is because it was too slow.
  bool was_too_slow() const noexcept { return was_too_slow_; }

 private:
  friend Broadcaster;

  void put(std::shared_ptr<const Event> event) {
    if (when_full_ == WhenFull::drop_oldest) {
      queue_.push_evicting(std::move(event));
    } else if (!queue_.try_push(std::move(event)) && !queue_.is_closed()) {
      was_too_slow_ = true;
      queue_.close();
    }
  }

  Broadcaster& from_;
  nearcall::AsyncQueue<std::shared_ptr<const Event>> queue_;
  const WhenFull when_full_;
  std::uint64_t began_after_ = 0;
  std::atomic<bool> was_too_slow_ = false;
};
