// SPDX-License-Identifier: Apache-2.0
// What one more idle connection costs the server, by the bytes that it has allocated.
#include "connection/loop_driver.hpp"
#include "server/call_host.hpp"
#include "server/manual_server.hpp"
#include "support/limit_set.hpp"

#include <malloc.h>

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

namespace {
/// What is allocated now, with what malloc itself needs.
constinit thread_local std::ptrdiff_t allocated = 0;

std::ptrdiff_t cost_of(void* memory) {
  return static_cast<std::ptrdiff_t>(::malloc_usable_size(memory) + sizeof(std::size_t));
}
}  // namespace

// Not inlined: else g++ sees malloc() meet delete, or new meet free(), and warns.
[[gnu::noinline]] void* operator new(std::size_t size) {
  void* const memory = std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  allocated += cost_of(memory);
  return memory;
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  if (memory != nullptr) allocated -= cost_of(memory);
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t /*size*/) noexcept {
  if (memory != nullptr) allocated -= cost_of(memory);
  std::free(memory);
}

namespace nearcall::inline v0::detail {
namespace {

constexpr int connections = 64;
constexpr std::ptrdiff_t most_of_one = 4096;
/// Before it is idle, and after one call.
constexpr std::ptrdiff_t most_after_a_call = 5 * 1024 + 256;

class IdleMemoryTest : public test::ManualServerTest {
 protected:
  /// Connections that have said hello and made that many calls each, which the server has not seen.
  void connect(int calls) {
    for (int i = 0; i < connections; ++i) {
      peers_.push_back(std::make_unique<test::FramePeer>(path(), test::FramePeer::passive));
      peers_.back()->say_hello();
      for (int call = 0; call < calls; ++call) {
        peers_.back()->ask_whole(static_cast<http2::StreamId>(2 * call + 1), "/test.Wrapper/Echo");
      }
    }
  }
  void go_idle() {
    for (int i = 0; i < 3; ++i) {
      advance(LoopDriver::idle_time);
    }
  }
  void answer_all(int calls) {
    for (const auto& peer : peers_) {
      EXPECT_EQ(peer->heard(http2::FrameType::data).size(), static_cast<std::size_t>(calls));
    }
  }

  std::vector<std::unique_ptr<test::FramePeer>> peers_;
  bool is_warm_ = false;
};

TEST_F(IdleMemoryTest, OneMoreIdleConnectionCostsLessThanFourKibibytes) {
  start();
  for (const int calls : {20, 0, 1, 3, 20}) {
    connect(calls);
    const std::ptrdiff_t before = allocated;

    settle();
    const std::ptrdiff_t busy = (allocated - before) / connections;
    go_idle();
    const std::ptrdiff_t idle = (allocated - before) / connections;

    EXPECT_LT(idle, busy);
    if (calls == 1) {
      EXPECT_LE(busy, most_after_a_call);
    }
    // The first time the thread's frames are counted, which stay.
    if (!is_warm_) {
      is_warm_ = true;
    } else {
      EXPECT_LE(idle, most_of_one) << "after " << calls << " calls";
    }
    answer_all(calls);
    peers_.clear();
    settle();
  }
}

TEST_F(IdleMemoryTest, OfManyThatComeAtOnceOnlyTheLastHaveMemoryForMore) {
  start();
  connect(1);
  settle();  // the first time the thread's frames are counted, which stay
  std::ptrdiff_t grown = 0;

  for (int round = 0; round < 3; ++round) {
    connect(1);
    grown -= allocated;
    settle();
    grown += allocated;
  }

  EXPECT_LE(grown / (3 * connections), most_of_one);
  answer_all(1);
}

TEST_F(IdleMemoryTest, AConnectionThatCameBeforeManyServesAsBefore) {
  start();
  connect(1);
  settle();
  connect(1);
  settle();

  for (const auto& peer : peers_) {
    peer->ask_whole(3, "/test.Wrapper/Echo", test::text_of("hello"));
  }
  settle();

  for (const auto& peer : peers_) {
    EXPECT_EQ(peer->heard_on(3).size(), 3U) << "headers, a message and trailers";
  }
}

TEST_F(IdleMemoryTest, AConnectionThatWasIdleServesAsBefore) {
  start();
  test::FramePeer peer(path(), test::FramePeer::passive);
  peer.say_hello();
  for (int round = 0; round < 6; ++round) {
    const auto id = static_cast<http2::StreamId>(2 * round + 1);
    peer.ask_whole(id, "/test.Wrapper/Echo", test::text_of("hello"));
    settle();
    EXPECT_EQ(peer.heard_on(id).size(), 3U) << "headers, a message and trailers";
    if (round % 2 == 1) go_idle();
  }
}

class OpenCallsTest : public test::ManualServerTest {};

TEST_F(OpenCallsTest, CostNoMoreThanTheServerCounts) {
  constexpr int calls = 960;
  start();
  test::FramePeer peer(path(), test::FramePeer::passive);
  peer.say_hello();
  settle();
  const std::ptrdiff_t before = allocated;

  for (int call = 0; call < calls; ++call) {
    peer.ask(static_cast<http2::StreamId>(2 * call + 1), "/test.Wrapper/Chat");
    if (call % 32 == 31) settle();
  }

  const std::ptrdiff_t of_one = (allocated - before) / calls;
  EXPECT_LE(of_one, static_cast<std::ptrdiff_t>(CallHost::cost_of_a_call));
  EXPECT_GE(of_one, static_cast<std::ptrdiff_t>(CallHost::cost_of_a_call / 2)) << "it counts them";
}

/// What the server keeps of a frame whose last byte has not come.
class CutFrameTest : public test::ManualServerTest {
 protected:
  std::ptrdiff_t kept_of(const std::string& frame, const test::LimitSet& limits) {
    start(ServerOptions().limits(limits));
    test::FramePeer peer(path(), test::FramePeer::passive);
    peer.say_hello();
    settle();
    const std::ptrdiff_t before = allocated;
    peer.say(frame.substr(0, frame.size() - 1));
    settle();
    return allocated - before;
  }
};

TEST_F(CutFrameTest, AnUnknownOneIsKeptUpToMaxUnknownPayload) {
  const std::string frame =
      test::frames::raw(static_cast<http2::FrameType>(0xee), 0, 0, std::string(10'000, 'x'));

  EXPECT_LT(kept_of(frame, {.max_unknown_payload = 9'999}), 2'000);
}

TEST_F(CutFrameTest, AGoawayIsKeptUpToMaxGoawayDebug) {
  const std::string frame =
      test::frames::goaway(0, http2::ErrorCode::no_error, std::string(10'000, 'x'));

  EXPECT_GT(kept_of(frame, {.max_goaway_debug = 10'000}), 10'000);
}

}  // namespace
}  // namespace nearcall::inline v0::detail
