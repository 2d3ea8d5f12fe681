// SPDX-License-Identifier: Apache-2.0
// SpawnedTask: a task that a loop or a scope owns, and what its JoinHandle shares with it.
#pragma once

#include "async/loop_core.hpp"
#include "async/run_member.hpp"
#include "async/runnable.hpp"
#include "async/scope_core.hpp"
#include "async/semaphore.hpp"

#include <nearcall/resume_on.hpp>
#include <nearcall/task.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>

namespace nearcall::inline v0::detail {

/// Starts as work of its loop, then is in the list of its owner, the loop or a scope, until it has
/// ended: finished, or destroyed where it waits. What it returned, and this, last until the handle
/// is released too.
///
/// Thread safety: cancel(), release(), ended() from any thread, take_frame() where it has ended;
/// the rest from the loop's thread, but for the constructor of one that the loop owns.
class SpawnedTask final : public LoopOwned {
 public:
  /// Posts it to the loop.
  SpawnedTask(LoopCore& loop, TaskFrame frame);
  /// Adds it to the scope, whose loop starts it in this turn, or the next one.
  SpawnedTask(ScopeCore& scope, TaskFrame frame);

  static void* operator new(std::size_t size) { return allocate_frame(size); }
  static void operator delete(void* memory, std::size_t size) noexcept { free_frame(memory, size); }

  /// Ends it now, whether it was started or not. Waits while it is on another thread.
  void destroy() noexcept override;
  /// Ends it in one of the loop's next turns.
  void cancel() noexcept;
  Semaphore& ended() noexcept { return ended_; }
  /// Once. None if it was destroyed before it finished. REQUIRES: it has ended.
  TaskFrame take_frame() noexcept;
  /// Of the owner, or of the handle.
  void release() noexcept;

 private:
  enum class State : std::uint8_t { waits, runs, finished, cancelled, joined };
  ~SpawnedTask() override;
  void begin() noexcept;
  void on_done() noexcept;
  void finish() noexcept;
  bool is_cancel_requested() noexcept;
  [[noreturn]] void abort_by_exception() const noexcept;

  LoopCore* const loop_;
  ScopeCore* const scope_ = nullptr;
  TaskFrame frame_;
  TaskHome home_;
  State state_ = State::waits;
  RunMember<&SpawnedTask::begin, &SpawnedTask::destroy> begin_{*this};
  /// If it ended on another thread.
  RunMember<&SpawnedTask::finish> finish_{*this};
  RunMember<&SpawnedTask::destroy> cancel_{*this};
  /// The owner's and the handle's.
  std::atomic<int> references_{2};
  Semaphore ended_{/*permits=*/0};

  std::mutex mutex_;
  // Guarded by mutex_: who cancels must not meet a loop that has gone.
  bool is_cancel_requested_ = false;
  bool has_left_loop_ = false;
};

}  // namespace nearcall::inline v0::detail
