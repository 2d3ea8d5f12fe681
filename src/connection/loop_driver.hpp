// SPDX-License-Identifier: Apache-2.0
// LoopDriver: drives one Pump on an EventLoop.
#pragma once

#include "async/loop_core.hpp"
#include "async/run_member.hpp"
#include "connection/pump.hpp"

#include <chrono>
#include <cstdint>
#include <vector>

namespace nearcall::inline v0::detail {

/// Drives one Pump on a loop: reads when the transport is ready or hot, flushes once a turn, no
/// more than its share.
///
/// The transport's descriptors, as many as it names, are registered edge-triggered, once: no system
/// call but reads and writes on the path of a call. What a descriptor was watched for says nothing
/// of what the transport can do now (a TLS session may have to write before it can read), so both
/// directions are tried whichever of them is ready. Thread safety: none; the loop's thread.
class LoopDriver final : public FdWatcher, public TurnEndHook, public SpinSource {
 public:
  LoopDriver(LoopCore& core, Pump& pump) noexcept;
  LoopDriver(const LoopDriver&) = delete;
  LoopDriver& operator=(const LoopDriver&) = delete;
  ~LoopDriver() override;

  /// What is written at once at most.
  static constexpr std::size_t flush_share = std::size_t{1024} * 1024;

  /// A connection on which nothing came for that long, or twice as long, gives memory back.
  static constexpr Duration idle_time = std::chrono::seconds(1);
  /// When a time-out is looked at again that came due in a turn that is used up.
  static constexpr Duration next_look = std::chrono::milliseconds(1);

  /// Reads and writes what is there already, then waits for more.
  void start();
  /// Output is there: it leaves when the turn ends.
  void request_flush() { core_->request_turn_end(*this); }
  /// Gives memory back that the connection has no use for until bytes come. REQUIRES: none of its
  /// events is being handled.
  void trim() noexcept;
  /// Leaves the loop. The transport must still be there.
  void stop() noexcept;

  LoopCore& core() const noexcept { return *core_; }
  /// Where the coroutines of this connection's calls wait for later turns.
  TurnQueue& turn_queue() noexcept { return turn_queue_; }

  void on_fd_events(std::uint32_t epoll_events) override;
  void on_turn_end() override;
  bool spin_once() override;
  bool prepare_park() override;

 private:
  struct Watch {
    int fd = -1;
    std::uint32_t events = 0;
  };

  /// trimmed ──(bytes came)──► active ◄──(bytes came)── quiet ──(idle_time)──► trimmed
  ///                             └──────(idle_time)───────►┘
  enum class Use : std::uint8_t { trimmed, active, quiet };

  static void on_timer(void* self) noexcept;
  /// Reads until nothing is left or this connection has had its share of the turn.
  void read_all();
  void note_use() noexcept;
  /// Gives memory back where nothing came for one to two idle_times.
  void look_for_idleness();
  void read_on();
  void go_on();
  /// Writes up to `most` bytes, and goes on in the next turn with more. False: that was the end.
  bool flush(std::size_t most);
  bool park_reads();
  void wait_for_write();
  /// Watches `fd` for `events` besides what it is watched for.
  void watch(int fd, short events);
  void set_timer();
  void look_again_at(TimePoint when);

  LoopCore* core_;
  Pump* pump_;
  std::vector<Watch> watches_;
  Timer timer_;
  TimePoint timer_at_ = no_deadline;
  TimePoint idle_at_ = no_deadline;
  Use use_ = Use::trimmed;
  /// A peer on this loop, which tells of what it writes, is not polled: nothing is gained by that.
  /// As such counts one of this process until the kernel has woken this end twice in a row: once it
  /// does where the peer wrote before the loop ran.
  static constexpr std::uint8_t wakes_of_others = 2;
  std::uint8_t kernel_wakes_;
  /// The descriptor has shown the end of the stream, or a failure, which it may do only once: what
  /// a read says of having taken all does not count any more.
  bool was_end_told_ = false;
  /// In the next turn, after others had theirs.
  RunMember<&LoopDriver::go_on> go_on_{*this};
  TurnQueue turn_queue_{*core_};
};

}  // namespace nearcall::inline v0::detail
