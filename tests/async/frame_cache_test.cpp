// SPDX-License-Identifier: Apache-2.0
// Frames: reused on their thread, freed on any, bounded; and a steady state without malloc.
#include <nearcall/event_loop.hpp>
#include <nearcall/sync_wait.hpp>
#include <nearcall/task.hpp>
#include <nearcall/wait.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>
#include <thread>
#include <vector>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define NEARCALL_TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define NEARCALL_TEST_SANITIZED 1
#endif
#endif

#ifndef NEARCALL_TEST_SANITIZED
namespace {
/// Counts up with each allocation of this thread.
constinit thread_local long allocations = 0;
}  // namespace

void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t /*size*/) noexcept {
  std::free(memory);
}
#endif

namespace nearcall::inline v0::detail {
namespace {

using namespace std::chrono_literals;

TEST(FrameCache, FramesOfAllSizesAreUsableWhole) {
  std::vector<void*> frames;
  for (std::size_t size = 1; size < 5000; size += 37) {
    frames.push_back(allocate_frame(size));
    std::memset(frames.back(), 0x5a, size);
  }
  std::size_t size = 1;
  for (void* frame : frames) {
    free_frame(frame, size);
    size += 37;
  }
}

TEST(FrameCache, FramesMayBeFreedOnAnotherThread) {
  std::vector<void*> frames(1000);
  for (void*& frame : frames)
    frame = allocate_frame(512);

  std::jthread([&] {
    for (void* frame : frames)
      free_frame(frame, 512);
  }).join();
}

TEST(FrameCache, FramesMayBeFreedWhileAThreadEnds) {
  struct AtExit {
    void* frame = nullptr;
    ~AtExit() { free_frame(frame, 256); }
  };
  std::jthread([] {
    thread_local AtExit at_exit;  // made before the cache, so it goes after it
    at_exit.frame = allocate_frame(256);
    free_frame(allocate_frame(256), 256);
  }).join();
}

#ifndef NEARCALL_TEST_SANITIZED

TEST(FrameCache, FreedFrameIsTheNextOfItsSize) {
  void* const first = allocate_frame(300);
  free_frame(first, 300);

  void* const other_size = allocate_frame(400);
  void* const second = allocate_frame(310);

  EXPECT_EQ(second, first);
  EXPECT_NE(other_size, first);
  free_frame(second, 310);
  free_frame(other_size, 400);
}

TEST(FrameCache, OneThreadKeepsABoundedAmount) {
  std::jthread([] {
    std::vector<void*> frames(10'000);
    for (void*& frame : frames)
      frame = allocate_frame(1024);
    for (void* frame : frames)
      free_frame(frame, 1024);
    const long before = allocations;
    for (void*& frame : frames)
      frame = allocate_frame(1024);
    EXPECT_GE(allocations - before, 10'000 - 256);
    EXPECT_LT(allocations - before, 10'000);
    for (void* frame : frames)
      free_frame(frame, 1024);
  }).join();
}

Task<int> child(bool sleeps) {
  if (sleeps) co_await sleep_for(1us);
  co_return 1;
}

Task<long> count_allocations(int rounds, bool sleeps) {
  long sum = 0;
  for (int round = 0; round < 10; ++round)
    sum += co_await child(sleeps);
  const long before = allocations;
  for (int round = 0; round < rounds; ++round)
    sum += co_await child(sleeps);
  EXPECT_EQ(sum, rounds + 10);
  co_return allocations - before;
}

TEST(FrameCache, TasksAndSleepsAllocateNothingInTheSteadyState) {
  EXPECT_EQ(sync_wait(count_allocations(1000, /*sleeps=*/false)), 0);
  EXPECT_EQ(sync_wait(count_allocations(100, /*sleeps=*/true)), 0);
}

#endif

}  // namespace
}  // namespace nearcall::inline v0::detail
