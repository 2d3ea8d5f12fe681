// SPDX-License-Identifier: Apache-2.0
// PoolQueue: which of a pool's work has a thread, and which waits for one.
#pragma once

#include "async/intrusive_list.hpp"
#include "async/runnable.hpp"

#include <cstddef>
#include <cstdint>
#include <unordered_map>

namespace nearcall::inline v0::detail {

/// For whom a pool does work. Those that are equal have one share between them.
struct PoolClient {
  enum class Kind : std::uint8_t { program, user, process, connection };

  Kind kind = Kind::program;
  std::uint64_t id = 0;

  bool operator==(const PoolClient&) const = default;
};

class PoolWork;

/// Gives work its threads, as far as numbers go: one after the other of those for whom it is done,
/// and to each the oldest of its work. No client but the program itself may have more threads than
/// `most_of_what_is_left` times those that it leaves free, nor more of the threads and the places
/// to wait together: what one of them has for good, in calls that wait for it, the next one lacks,
/// but finds a part of the rest.
///
/// Thread safety: none.
class PoolQueue {
 public:
  static constexpr std::size_t most_of_what_is_left = 3;

  enum class Answer : std::uint8_t { taken, full, share_is_used };
  struct Share;
  /// Work that is to run now; its share is given to end() then.
  struct Next {
    PoolWork* work;
    Share* share;
  };

  /// At most `max_threads` have a thread, and `max_queued` wait for one.
  PoolQueue(std::size_t max_threads, std::size_t max_queued) noexcept;
  PoolQueue(const PoolQueue&) = delete;
  PoolQueue& operator=(const PoolQueue&) = delete;
  ~PoolQueue();

  /// Takes work of the program's, however much there is.
  void add(PoolWork& work);
  Answer try_add(PoolWork& work, PoolClient client);
  /// Takes work out that has not been next() yet.
  void remove(PoolWork& work) noexcept;
  /// Work that has a thread, in the order in which it got it; null: there is none.
  Next next() noexcept;
  /// Its thread is free for other work.
  void end(Share& share) noexcept;

  /// How many have a thread, and have not been next().
  std::size_t ready() const noexcept { return ready_count_; }

 private:
  static constexpr bool may_have_more(std::size_t has, std::size_t left) noexcept {
    return has < most_of_what_is_left * left;
  }

  std::size_t free_threads() const noexcept { return max_threads_ - with_thread_; }
  /// Of threads and places to wait.
  std::size_t free_places() const noexcept;
  Share& share_of(PoolClient client);
  bool may_have_thread(const Share& share) const noexcept;
  void put(PoolWork& work, Share& share) noexcept;
  void give_thread(PoolWork& work) noexcept;
  void give_free_thread() noexcept;
  void drop_if_unused(Share& share) noexcept;

  struct Hash {
    std::size_t operator()(const PoolClient& client) const noexcept {
      return static_cast<std::size_t>(client.id * 4 + static_cast<std::uint64_t>(client.kind));
    }
  };

  const std::size_t max_threads_;
  const std::size_t max_queued_;
  std::unordered_map<PoolClient, Share, Hash> shares_;
  /// Those who have work that waits, in the order of their turns.
  IntrusiveList<Share> turns_;
  IntrusiveList<PoolWork> ready_;
  std::size_t ready_count_ = 0;
  std::size_t with_thread_ = 0;  // ready, or running
  std::size_t waiting_ = 0;
};

/// Work in a pool's queue.
class PoolWork : public Runnable {
 public:
  /// What the queue notes of it.
  struct Note {
    PoolQueue::Share* share = nullptr;
    bool has_thread = false;
  };
  Note& note() noexcept { return note_; }

 protected:
  ~PoolWork() = default;

 private:
  Note note_;
};

/// What one client has of a pool. There is one while it has anything.
struct PoolQueue::Share : ListHook {
  explicit Share(PoolClient its_client) noexcept : client(its_client) {}

  const PoolClient client;
  std::size_t threads = 0;
  std::size_t waiting_count = 0;
  IntrusiveList<PoolWork> waiting;
};

}  // namespace nearcall::inline v0::detail
