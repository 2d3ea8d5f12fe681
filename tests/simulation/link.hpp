// SPDX-License-Identifier: Apache-2.0
// Link: two transports in memory whose bytes arrive, stop or get lost when the simulation says so.
#pragma once

#include "base/unique_fd.hpp"

#include <nearcall/transport.hpp>

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>

namespace nearcall::test {

/// What is between the two ends of a connection. Side 0 is the client's, side 1 the server's.
///
/// What an end writes is on its way until deliver() lets it arrive. Thread safety: none.
class Link {
 public:
  enum class Cut : std::uint8_t {
    end_of_stream,  // the reader gets what is on its way, then the end, as if the peer had closed
    reset,          // what is on its way is lost; reads and writes fail on both sides
  };

  explicit Link(std::size_t capacity);
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  /// The transports of both sides; they share `link`.
  static std::pair<std::unique_ptr<Transport>, std::unique_ptr<Transport>> ends(
      const std::shared_ptr<Link>& link);

  /// How many bytes `side` wrote that have not arrived.
  std::size_t on_its_way(int side) const noexcept { return ways_[index(side)].sent.size(); }
  /// Lets at most `count` bytes that `side` wrote arrive, and, behind the last one, its end.
  void deliver(int side, std::size_t count);
  void cut(Cut how);
  /// How many bytes of a direction may be on their way or unread.
  void set_capacity(std::size_t capacity) noexcept;
  /// Whether both ends have been closed, by whomever.
  bool is_over() const noexcept { return ways_[0].is_ended && ways_[1].is_ended; }
  /// Bytes that wait in it.
  std::size_t size() const noexcept;

 private:
  class End;
  /// One direction.
  struct Way {
    std::string sent;
    std::string arrived;
    bool is_ended = false;  // the writer writes nothing more
    bool has_end_arrived = false;
    bool is_reset = false;
    detail::UniqueFd readable;  // eventfd(2): something for the reader to learn
    detail::UniqueFd writable;  // the same for the writer
  };

  static std::size_t index(int side) noexcept { return static_cast<std::size_t>(side); }
  IoResult read(int side, std::span<std::byte> into);
  IoResult write(int side, std::span<const iovec> from);
  WaitAdvice prepare_wait(int side, Interest interest) const;
  /// `side` neither reads nor writes any more.
  void leave(int side) noexcept;

  std::size_t capacity_;
  std::array<Way, 2> ways_;  // by the side that writes
};

}  // namespace nearcall::test
