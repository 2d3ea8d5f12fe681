// SPDX-License-Identifier: Apache-2.0
// spawn() and JoinHandle: who owns a task, who waits for it, where it ends.
#include "support/rounds.hpp"

#include <nearcall/async_event.hpp>
#include <nearcall/event_loop.hpp>
#include <nearcall/resume_on.hpp>
#include <nearcall/spawn.hpp>
#include <nearcall/sync_wait.hpp>
#include <nearcall/task_scope.hpp>
#include <nearcall/thread_pool.hpp>
#include <nearcall/wait.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

namespace nearcall {
namespace {

using namespace std::chrono_literals;

/// Records the loop's state when it goes.
class Witness {
 public:
  explicit Witness(bool& gone) : gone_(&gone) {}
  Witness(Witness&& other) noexcept : gone_(std::exchange(other.gone_, nullptr)) {}
  Witness& operator=(Witness&&) = delete;
  ~Witness() {
    if (gone_ != nullptr) *gone_ = true;
  }

 private:
  bool* gone_;
};

Task<> forever(Witness) {
  co_await sleep_for(std::chrono::hours(10'000));
}

Task<> stop_current() {
  EventLoop::current()->stop();
  co_return;
}

Task<> leave_one_behind(bool& gone) {
  spawn(forever(Witness(gone)));
  co_await sleep_for(1ms);
}

TEST(Spawn, StartsTheTaskOnTheLoop) {
  EventLoop loop;
  spawn(loop, stop_current());

  loop.run();
}

TEST(Spawn, UnfinishedTaskGoesWithItsLoop) {
  bool gone = false;
  {
    EventLoop loop;
    spawn(loop, forever(Witness(gone)));
    loop.poll();
    EXPECT_FALSE(gone);
  }

  EXPECT_TRUE(gone);
}

TEST(Spawn, TaskThatNeverStartedGoesWithItsLoop) {
  bool gone = false;
  {
    EventLoop loop;
    spawn(loop, forever(Witness(gone)));
  }

  EXPECT_TRUE(gone);
}

TEST(Spawn, OnTheLoopOfSyncWaitEndsWithIt) {
  bool gone = false;

  sync_wait(leave_one_behind(gone));

  EXPECT_TRUE(gone);
}

Task<> spawn_from_the_end(Witness witness) {
  class SpawnAtTheEnd {
   public:
    explicit SpawnAtTheEnd(Witness given) : witness_(std::move(given)) {}
    SpawnAtTheEnd(const SpawnAtTheEnd&) = delete;
    SpawnAtTheEnd& operator=(const SpawnAtTheEnd&) = delete;
    ~SpawnAtTheEnd() { spawn(forever(std::move(witness_))); }

   private:
    Witness witness_;
  };
  const SpawnAtTheEnd guard(std::move(witness));
  co_await sleep_for(std::chrono::hours(10'000));
}

TEST(Spawn, TaskSpawnedWhileTheLoopGoesGoesToo) {
  bool gone = false;
  {
    EventLoop loop;
    spawn(loop, spawn_from_the_end(Witness(gone)));
    loop.poll();
  }

  EXPECT_TRUE(gone);
}

Task<> end_in(ThreadPool& pool, EventLoop& loop, int& left) {
  co_await resume_on(pool);
  loop.post([&loop, &left] {
    if (--left == 0) loop.stop();
  });
}

TEST(Spawn, TaskMayEndOnAnotherThread) {
  EventLoop loop;
  int left = 100;
  {
    ThreadPool pool(2);
    for (int index = 0; index < 100; ++index)
      spawn(loop, end_in(pool, loop, left));
    loop.run();
  }  // by now the last one has ended, too

  EXPECT_EQ(left, 0);
  loop.poll();
}

Task<> throw_out() {
  throw std::runtime_error("nobody catches this");
  co_return;
}

TEST(SpawnDeathTest, ExceptionThatLeavesTheTaskIsLoggedAndEndsTheProgram) {
  EventLoop loop;
  spawn(loop, throw_out());

  EXPECT_DEATH(loop.poll(), "an exception left a spawned task: nobody catches this");
}

TEST(SpawnDeathTest, WithoutALoopStopsTheProgram) {
  EXPECT_DEATH(spawn(stop_current()), "this thread has no EventLoop");
}

Task<> end_on(ThreadPool& pool, AsyncEvent& arrived, bool& has_ended) {
  co_await resume_on(pool);
  arrived.set();
  std::this_thread::yield();
  has_ended = true;
}

TEST(Spawn, ALoopThatGoesWaitsForATaskThatIsOnAnotherThread) {
  ThreadPool pool(1);
  AsyncEvent arrived;
  bool has_ended = false;
  {
    EventLoop loop;
    spawn(loop, end_on(pool, arrived, has_ended));
    while (!arrived.is_set())
      loop.poll();
  }

  EXPECT_TRUE(has_ended);
}

Task<int> give_after(std::chrono::nanoseconds pause, int result) {
  co_await sleep_for(pause);
  co_return result;
}

Task<Result<int>> spawned_result() {
  co_return Status::not_found("nothing");
}

Task<Status> spawned_status() {
  co_return Status::aborted("enough");
}

Task<std::string> throw_later() {
  co_await sleep_for(1us);
  throw std::runtime_error("nobody catches this");
}

Task<Result<int>> spawn_and_join(EventLoop& loop, std::chrono::nanoseconds pause) {
  const JoinHandle<int> handle = spawn(loop, give_after(pause, 7));
  co_return co_await handle.join();
}

Task<Result<int>> join(const JoinHandle<int>& handle) {
  co_return co_await handle.join();
}

TEST(JoinHandle, GivesWhatTheTaskReturns) {
  EventLoop loop;
  const EventLoop::Binding binding(loop);

  EXPECT_EQ(*sync_wait(spawn_and_join(loop, 1us)), 7);
}

TEST(JoinHandle, GivesWhatATaskReturnedThatHadEndedBefore) {
  EventLoop loop;
  const EventLoop::Binding binding(loop);
  const JoinHandle<int> handle = spawn(give_after(0ns, 7));
  EXPECT_FALSE(handle.has_ended());

  loop.poll();

  EXPECT_TRUE(handle.has_ended());
  EXPECT_EQ(*sync_wait(join(handle)), 7);
}

TEST(JoinHandle, GivesAResultOrAStatusAsItIs) {
  const auto run = []() -> Task<> {
    const JoinHandle<Result<int>> with_result = spawn(spawned_result());
    const JoinHandle<Status> with_status = spawn(spawned_status());
    const Result<int> result = co_await with_result.join();
    const Status status = co_await with_status.join();
    EXPECT_EQ(result.error().code(), StatusCode::not_found);
    EXPECT_EQ(status.code(), StatusCode::aborted);
  };

  sync_wait(run());
}

TEST(JoinHandle, MayBeJoinedOnAnotherLoop) {
  EventLoop loop;
  std::thread turning([&loop] { loop.run(); });

  EXPECT_EQ(*sync_wait(spawn_and_join(loop, 1us)), 7);

  loop.stop();
  turning.join();
}

TEST(JoinHandle, DroppedLeavesTheTaskToItsLoop) {
  EventLoop loop;
  bool gone = false;
  spawn(loop, forever(Witness(gone)));
  loop.poll();

  EXPECT_FALSE(gone);
}

TEST(JoinHandle, CancelDestroysTheTaskWhereItWaits) {
  EventLoop loop;
  const EventLoop::Binding binding(loop);
  bool gone = false;
  const JoinHandle<> handle = spawn(forever(Witness(gone)));
  loop.poll();

  handle.cancel();
  EXPECT_FALSE(gone) << "not inside of cancel(): the task itself may call it";
  loop.poll();

  EXPECT_TRUE(gone);
  EXPECT_TRUE(handle.has_ended());
  const auto join_it = [](const JoinHandle<>& joined) -> Task<Result<void>> {
    co_return co_await joined.join();
  };
  EXPECT_EQ(sync_wait(join_it(handle)).status().code(), StatusCode::cancelled);
}

TEST(JoinHandle, CancelledBeforeItStartsATaskNeverDoes) {
  EventLoop loop;
  bool gone = false;
  bool has_started = false;
  const auto note_start = [](Witness, bool& started) -> Task<> {
    started = true;
    co_return;
  };
  const JoinHandle<> handle = spawn(loop, note_start(Witness(gone), has_started));

  handle.cancel();
  loop.poll();

  EXPECT_TRUE(gone);
  EXPECT_FALSE(has_started);
}

TEST(JoinHandle, ATaskThatHasEndedKeepsItsResultThoughItIsCancelled) {
  EventLoop loop;
  const EventLoop::Binding binding(loop);
  const JoinHandle<int> handle = spawn(give_after(0ns, 7));
  loop.poll();

  handle.cancel();

  EXPECT_EQ(*sync_wait(join(handle)), 7);
}

TEST(JoinHandle, IsCancelledWhenTheLoopGoes) {
  std::optional<EventLoop> loop(std::in_place);
  const JoinHandle<int> waiting = spawn(*loop, give_after(1h, 7));
  loop->poll();
  const JoinHandle<int> unstarted = spawn(*loop, give_after(1h, 7));

  loop.reset();
  waiting.cancel();  // of no effect by now

  EXPECT_EQ(sync_wait(join(waiting)).error().code(), StatusCode::cancelled);
  EXPECT_EQ(sync_wait(join(unstarted)).error().code(), StatusCode::cancelled);
}

TEST(JoinHandle, ThrowsAgainWhatLeftTheTask) {
  const auto run = []() -> Task<> {
    const JoinHandle<std::string> handle = spawn(throw_later());
    static_cast<void>(co_await handle.join());
  };

  EXPECT_THROW(sync_wait(run()), std::runtime_error);
}

TEST(JoinHandle, OfATaskInAScopeEndsWithTheScope) {
  EventLoop loop;
  TaskScope scope(loop);
  const JoinHandle<int> handle = scope.spawn(give_after(1h, 7));
  loop.poll();

  scope.cancel();

  EXPECT_TRUE(handle.has_ended());
  EXPECT_EQ(sync_wait(join(handle)).error().code(), StatusCode::cancelled);
}

TEST(JoinHandle, MayBeCancelledByAnyThreadWhileTheTaskEndsOrItsLoopGoes) {
  const int rounds = test::rounds(300, 30'000);
  for (int round = 0; round < rounds; ++round) {
    auto loop = std::make_unique<EventLoop>();
    const JoinHandle<int> handle =
        spawn(*loop, give_after(std::chrono::microseconds(round % 3), 7));
    std::thread cancelling([&handle] { handle.cancel(); });
    if (round % 2 == 0) loop->poll();
    loop.reset();
    cancelling.join();
    EXPECT_TRUE(handle.has_ended());
  }
}

TEST(JoinHandleDeathTest, AnExceptionThatNobodyCanJoinEndsTheProgram) {
  const auto drop_late = [] {
    EventLoop loop;
    const EventLoop::Binding binding(loop);
    const JoinHandle<std::string> handle = spawn(throw_later());
    while (!handle.has_ended())
      loop.poll();
  };

  EXPECT_DEATH(drop_late(), "an exception left a spawned task: nobody catches this");
}

TEST(JoinHandleDeathTest, IsJoinedOnce) {
  EventLoop loop;
  const EventLoop::Binding binding(loop);
  const JoinHandle<int> handle = spawn(give_after(0ns, 7));
  EXPECT_EQ(*sync_wait(join(handle)), 7);

  EXPECT_DEATH(static_cast<void>(sync_wait(join(handle))), "joined a second time");
}

TEST(JoinHandleDeathTest, HasATask) {
  const JoinHandle<int> handle;

  EXPECT_FALSE(handle);
  EXPECT_DEATH(handle.cancel(), "there is no task");
}

}  // namespace
}  // namespace nearcall
