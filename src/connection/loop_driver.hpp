// SPDX-License-Identifier: Apache-2.0
// LoopDriver: drives one Pump on an EventLoop.
#pragma once

#include "async/loop_core.hpp"
#include "connection/pump.hpp"

#include <cstdint>

namespace nearcall::detail {

/// Drives one Pump on a loop: reads when the transport is readable or hot, flushes once a turn.
///
/// The transport's descriptors are registered edge-triggered, once: no system call but reads and
/// writes on the path of a call. Thread safety: none; the loop's thread.
class LoopDriver final : public FdWatcher, public TurnEndHook, public SpinSource {
 public:
  LoopDriver(LoopCore& core, Pump& pump) noexcept;
  LoopDriver(const LoopDriver&) = delete;
  LoopDriver& operator=(const LoopDriver&) = delete;
  ~LoopDriver();

  /// Reads and writes what is there already, then waits for more.
  void start();
  /// Output is there: it leaves when the turn ends.
  void request_flush() { core_->request_turn_end(*this); }
  /// Leaves the loop. The transport must still be there.
  void stop() noexcept;

  LoopCore& core() const noexcept { return *core_; }

  void on_fd_events(std::uint32_t epoll_events) override;
  void on_turn_end() override;
  bool spin_once() override;
  bool prepare_park() override;

 private:
  /// Reads on in the next turn, after others had theirs.
  class ReadOn final : public Runnable {
   public:
    explicit ReadOn(LoopDriver& driver) noexcept : driver_(&driver) {}
    void run() noexcept override { driver_->read_all(); }

   private:
    LoopDriver* driver_;
  };

  struct Watch {
    int fd = -1;
    std::uint32_t events = 0;
  };

  static void on_timer(void* self) noexcept;
  void read_all();
  void read_on();
  bool park_reads();
  void wait_for_write();
  /// Watches `fd` for `events` besides what it is watched for.
  void watch(int fd, short events);
  void set_timer();

  LoopCore* core_;
  Pump* pump_;
  Watch watches_[2];
  Timer timer_;
  TimePoint timer_at_ = no_deadline;
  ReadOn read_on_{*this};
};

}  // namespace nearcall::detail
