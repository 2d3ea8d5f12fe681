// SPDX-License-Identifier: Apache-2.0
// ConnectionQuota: how many connections a server has, what they hold, and which of them give way.
#pragma once

#include "async/loop_core.hpp"

#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>

namespace nearcall::inline v0::detail {

/// Counts a server's connections, of each user and of all, and the bytes that they hold. Where a
/// newcomer finds no place, the connection is asked to give way that has been idle longest: of the
/// newcomer's own user, or of the one who has most places, and more than the newcomer's. Where all
/// hold too many bytes, the one is asked that holds most, of the user who holds most. What
/// handlers keep of connections that have ended counts, too, but asks nobody for a trifle.
///
/// Who is asked no longer counts, so that the newcomer need not wait for it; so there may be
/// `most_asked` connections beyond the limits for a moment. Who begins a call meanwhile declines,
/// and counts again.
///
/// Thread safety: any thread; a Place is its connection's loop's.
class ConnectionQuota {
 public:
  struct Limits {
    std::size_t connections = 0;
    std::size_t connections_per_uid = 0;
    /// Bytes that all connections together have received and not read, or wait to send.
    std::size_t input = 0;
    std::size_t output = 0;
  };
  /// What a connection is asked to give way for.
  enum class Ask : std::uint8_t { nothing, place, input, output };

  static constexpr std::size_t most_asked = 64;
  /// While connections that have ended hold half of what all may, the part of it that is worth
  /// asking for.
  static constexpr std::size_t parts_worth_asking_for = 256;
  /// How many connections a newcomer has looked at: all, with the default limits.
  static constexpr std::size_t most_looked_at = 1024;

 private:
  struct Entry;

 public:
  /// One connection's place; gives it back when it goes.
  class Place {
   public:
    Place() noexcept = default;
    Place(Place&&) noexcept = default;
    Place& operator=(Place&&) noexcept = default;
    ~Place() = default;

    /// From now on it may be asked: `give_way` is run on the loop, and finds asked(). It must not
    /// go before leave(). It counts as idle.
    void settle(LoopCore& core, Runnable& give_way) noexcept;
    /// Gives the place back; `give_way` is not used any more.
    void leave() noexcept;
    void set_busy() noexcept;
    void set_idle(TimePoint since) noexcept;
    /// It has ended, and is asked for nothing more: what it reports is what its handlers keep.
    void set_ended() noexcept;
    /// What it holds now, in bytes.
    void report(std::size_t input_size, std::size_t output_size) noexcept;
    Ask asked() const noexcept;
    /// It stays: it is not idle, or what it was asked for is there again.
    void decline(TimePoint now) noexcept;
    /// Whether all connections hold more than they may, of what this one was asked for.
    bool is_still_needed() const noexcept;

   private:
    friend ConnectionQuota;
    struct Release {
      void operator()(Entry* entry) const noexcept;
    };
    explicit Place(Entry& entry) noexcept : entry_(&entry) {}

    std::unique_ptr<Entry, Release> entry_;
  };

  explicit ConnectionQuota(const Limits& limits) noexcept;
  ConnectionQuota(const ConnectionQuota&) = delete;
  ConnectionQuota& operator=(const ConnectionQuota&) = delete;
  ~ConnectionQuota();

  /// A place, or nothing when a limit is reached and nobody gives way. Peers without credentials
  /// share one uid.
  std::optional<Place> take(uid_t uid);

 private:
  /// Bytes by kind.
  static constexpr std::size_t input = 0;
  static constexpr std::size_t output = 1;
  using Bytes = std::array<std::atomic<std::size_t>, 2>;

  struct User {
    User(ConnectionQuota& its_quota, uid_t its_uid) noexcept : quota(&its_quota), uid(its_uid) {}

    ConnectionQuota* const quota;  // read without the mutex
    const uid_t uid;
    std::size_t staying = 0;  // places, without those that were asked
    std::size_t entries = 0;  // all of them
    Bytes bytes{};
  };

  bool make_room(const User& newcomer) noexcept;
  template <class IsBetter>
  Entry* find(IsBetter&& is_better) noexcept;
  void ask(Entry& entry, Ask what) noexcept;
  void stay(Entry& entry) noexcept;
  void release(Entry& entry) noexcept;
  void note(Entry& entry, std::size_t kind, std::size_t now) noexcept;
  /// REQUIRES: the mutex is held, as for what is above but note().
  void relieve(std::size_t kind) noexcept;
  bool is_over(std::size_t kind) const noexcept {
    return bytes_[kind].load(std::memory_order_relaxed) > most(kind);
  }
  std::size_t most(std::size_t kind) const noexcept {
    return kind == input ? limits_.input : limits_.output;
  }

  const Limits limits_;
  Bytes bytes_{};
  Bytes bytes_of_ended_{};
  std::mutex mutex_;  // guards what follows, and what the entries say of themselves
  std::unordered_map<uid_t, User> users_;
  IntrusiveList<Entry> entries_;
  std::size_t size_ = 0;
  std::size_t staying_ = 0;
  std::size_t asked_ = 0;
  std::size_t asked_for_bytes_ = 0;
};

}  // namespace nearcall::inline v0::detail
