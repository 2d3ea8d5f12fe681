// SPDX-License-Identifier: Apache-2.0
// Link: two transports in memory, and what is between them: a test says when bytes arrive, where
// they stop, and how those who wait are woken.
#pragma once

#include "support/bell.hpp"
#include "support/transport_kinds.hpp"

#include <nearcall/transport.hpp>

#include <array>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>

namespace nearcall::test {

/// What is between the two ends of a connection. Side 0 is the client's, side 1 the server's.
/// Thread safety: any thread.
class Link {
 public:
  /// What is special about it.
  enum class Manner : std::uint8_t {
    /// What an end writes is on its way until deliver() lets it arrive.
    by_hand,
    /// Reads wait for POLLOUT, writes for POLLIN.
    crossed,
    /// Wakes only those who announced by prepare_wait() that they will sleep. A driver that sleeps
    /// without it, or a second time on an old announcement, is never woken.
    announced,
  };
  enum class Cut : std::uint8_t {
    end_of_stream,  // the reader gets what is on its way, then the end, as if the peer had closed
    reset,          // what is on its way is lost; reads and writes fail on both sides
  };

  /// `capacity`: how many bytes of a direction may be on their way or unread.
  Link(Manner manner, std::size_t capacity);
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  /// The transports of both sides; they share `link`.
  static TransportPair ends(const std::shared_ptr<Link>& link);

  /// How many bytes `side` wrote that have not arrived.
  std::size_t on_its_way(int side) const;
  /// Lets at most `count` bytes that `side` wrote arrive, and, behind the last one, its end.
  void deliver(int side, std::size_t count);
  /// The same for all of both sides.
  void deliver_all();
  void cut(Cut how);
  void set_capacity(std::size_t capacity);
  /// Whether both ends have been closed, by whomever.
  bool is_over() const;
  /// Bytes that wait in it.
  std::size_t size() const;

  /// How often a side was told to sleep, and how often it was woken.
  std::size_t sleeps(int side, Interest interest) const;
  std::size_t wakes(int side, Interest interest) const;
  /// Waits until sleeps() is at least `count`, for ten seconds at most; whether it is.
  bool reaches_sleeps(int side, Interest interest, std::size_t count);

 private:
  class End;
  /// One direction.
  struct Way {
    std::string sent;
    std::string arrived;
    bool is_ended = false;   // the writer writes nothing more
    bool is_unread = false;  // the reader has left
    bool has_end_arrived = false;
    bool is_reset = false;
  };
  /// What tells one side to go on.
  struct Bells {
    explicit Bells(Manner manner)
        : read(manner == Manner::crossed ? POLLOUT : POLLIN, manner == Manner::announced),
          write(POLLIN, manner == Manner::announced) {}

    Bell read;
    Bell write;
  };

  static std::size_t index(int side) noexcept { return static_cast<std::size_t>(side); }
  Bell& bell(int side, Interest interest) const noexcept;
  IoResult read(int side, std::span<std::byte> into);
  IoResult write(int side, std::span<const iovec> from);
  WaitAdvice prepare_wait(int side, Interest interest);
  /// `side` writes nothing any more.
  void finish(int side) noexcept;
  /// And reads nothing.
  void leave(int side) noexcept;
  void finish_locked(int side) noexcept;
  bool has_no_reader(int side) const;
  bool is_ready(int side, Interest interest) const;
  std::size_t room(const Way& way) const;
  void deliver_locked(int side, std::size_t count);
  void wake_all() noexcept;

  const Manner manner_;
  mutable std::mutex mutex_;
  std::condition_variable slept_;
  std::size_t capacity_;
  std::array<Way, 2> ways_;  // by the side that writes
  mutable std::array<Bells, 2> bells_{Bells(manner_), Bells(manner_)};
};

}  // namespace nearcall::test
