// SPDX-License-Identifier: Apache-2.0
// Functions on a pool, and the clock: deadlines, a queue, and one that never returns.
#include "server/blocking_server.hpp"
#include "server/manual_server.hpp"
#include "support/child_process.hpp"
#include "support/limit_set.hpp"

#include <nearcall/event_loop.hpp>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <optional>
#include <semaphore>
#include <string>
#include <string_view>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;

/// A server of functions on one thread of a pool, whose time the test moves.
class ManualPooledCallTest : public ManualServerTest {
 protected:
  explicit ManualPooledCallTest(std::size_t max_queued = ThreadPool::default_max_queued)
      : pool_(1, max_queued) {}
  ~ManualPooledCallTest() override {
    go_on_.release(10);
    server_.reset();
  }

  void start(const ServerOptions& options = ServerOptions()) {
    make(ServerOptions(options).handler_pool(pool_));
    server_->add_service(functions_);
    begin();
    peer_.emplace(path(), FramePeer::passive);
    peer_->say_hello({});
    settle();
  }
  /// A call of Unary that the server has.
  void ask(http2::StreamId stream, std::string_view timeout = {}) {
    peer_->ask_whole(stream, "/test.Functions/Unary", Text(), timeout);
    settle();
  }
  std::string status_of(http2::StreamId stream) {
    peer_->listen();
    return peer_->stream(stream).fields.at("grpc-status");
  }
  ScriptedFunctions::Unary until_let() {
    return [this](ServerContext&, const Text& request) {
      arrived_.add();
      go_on_.acquire();
      return request;
    };
  }

  std::counting_semaphore<100> go_on_{0};
  Occasions arrived_;
  ThreadPool pool_;
  ScriptedFunctions functions_;
  std::optional<FramePeer> peer_;
};

TEST_F(ManualPooledCallTest, AFunctionIsToldThatItsDeadlineHasPassed) {
  Occasions returned;
  functions_.on_unary = [&](ServerContext& call, const Text& request) {
    arrived_.add();
    BlockingServerTest::wait_for(call.cancellation());
    EXPECT_TRUE(call.is_cancelled());
    returned.add();
    return request;
  };
  start();
  ask(1, "1S");
  ASSERT_TRUE(arrived_.wait_for(1));

  advance(1s);

  EXPECT_EQ(status_of(1), "4");
  EXPECT_TRUE(returned.wait_for(1));
}

TEST_F(ManualPooledCallTest, ADeadlineHoldsInTheQueueToo) {
  functions_.on_unary = until_let();
  start();
  ask(1);
  ASSERT_TRUE(arrived_.wait_for(1));
  ask(3, "1S");

  advance(1s);

  EXPECT_EQ(status_of(3), "4");
  go_on_.release(2);
  ask(5);
  EXPECT_TRUE(arrived_.wait_for(2));
  server_.reset();
  EXPECT_EQ(arrived_.count(), 2) << "the late one never ran";
}

TEST_F(ManualPooledCallTest, OneThatNeverReturnsIsNamedAgainAndAgainWhileTheLoopGoesOn) {
  const std::string line =
      "/test.Functions/Unary: the handler was cancelled and has not returned from its thread";
  functions_.on_unary = until_let();
  start(ServerOptions().drain_timeout(1s));
  ask(1);
  ASSERT_TRUE(arrived_.wait_for(1));
  ask(3);  // waits for the thread
  stop();

  advance(1s);
  EXPECT_EQ(status_of(1), "14") << "the client need not wait";
  EXPECT_EQ(status_of(3), "14");
  advance(1s);
  EXPECT_TRUE(log_capture().take(line));
  advance(5s);
  EXPECT_FALSE(log_capture().take(line));
  advance(5s);
  EXPECT_TRUE(log_capture().take(line));
  EXPECT_FALSE(has_stopped());

  go_on_.release(2);
  while (!has_stopped())
    settle();
  EXPECT_EQ(arrived_.count(), 1) << "the other one left the queue";
}

TEST_F(ManualPooledCallTest, ACallInTheQueueGoesWithTheServer) {
  Occasions busy;
  ASSERT_TRUE(pool_.try_post([&] {
    busy.add();
    go_on_.acquire();
  }));
  ASSERT_TRUE(busy.wait_for(1));
  functions_.on_unary = until_let();
  start();
  ask(1);

  server_.reset();

  go_on_.release();
  EXPECT_EQ(arrived_.count(), 0);
}

// ---- what calls that wait hold ------------------------------------------------------------------

/// Calls that wait for the pool's only thread, which other work has, or run once they may.
class QueuedCallsTest : public ManualPooledCallTest {
 protected:
  explicit QueuedCallsTest(std::size_t max_queued = ThreadPool::default_max_queued)
      : ManualPooledCallTest(max_queued) {}
  void start_busy(const ServerOptions& options) {
    Occasions busy;
    ASSERT_TRUE(pool_.try_post([&] {
      busy.add();
      go_on_.acquire();
    }));
    ASSERT_TRUE(busy.wait_for(1));
    functions_.on_unary = [this](ServerContext&, const Text&) {
      arrived_.add();
      return Result<Text>(Text());
    };
    start(options);
  }
  /// A request that holds 24 times its size once it is parsed.
  void ask_much(http2::StreamId stream, std::size_t size) {
    constexpr std::size_t most = 16'000;
    const std::string request = framed(text_with_small_fields(size));
    peer_->ask(stream, "/test.Functions/Unary");
    for (std::size_t at = 0; at < request.size(); at += most) {
      const bool is_last = at + most >= request.size();
      peer_->say(frames::data(stream, std::string_view(request).substr(at, most),
                              is_last ? http2::frame_flag::end_stream : 0));
      settle();
    }
    peer_->listen();
  }
  bool is_answered(http2::StreamId stream) {
    settle();
    peer_->listen();
    return peer_->stream(stream).is_over();
  }
};

class TwoQueuedCallsTest : public QueuedCallsTest {
 protected:
  TwoQueuedCallsTest() : QueuedCallsTest(/*max_queued=*/2) {}
};

TEST_F(TwoQueuedCallsTest, WhatTheyHoldCountsAndOthersComeToTheQueueOnceTheyHaveReturned) {
  start_busy(ServerOptions().limits(LimitSet{.max_held_requests = 3'000'000}));
  for (http2::StreamId stream = 1; stream < 11; stream += 2)
    ask_much(stream, 70'000);
  EXPECT_TRUE(log_capture().take("max_held_requests"));
  for (http2::StreamId stream = 1; stream < 11; stream += 2)
    EXPECT_FALSE(is_answered(stream)) << "the queue is full, and would have refused it";

  go_on_.release();

  for (http2::StreamId stream = 1; stream < 11; stream += 2) {
    while (!is_answered(stream)) {
    }
    EXPECT_EQ(status_of(stream), "0");
  }
}

TEST_F(QueuedCallsTest, TheConnectionEndsWhoseQueuedRequestsHoldMoreThanAllMay) {
  start_busy(ServerOptions().max_total_buffered_input(4 << 20));
  std::size_t count = 0;
  while (!peer_->has_ended() && count < 50)
    ask_much(static_cast<http2::StreamId>(2 * count++ + 1), 16'000);

  EXPECT_EQ(count, 11U) << "384 KB each";
  EXPECT_EQ(peer_->goaway(), http2::ErrorCode::enhance_your_calm);
  EXPECT_TRUE(log_capture().take("max_total_buffered_input"));
  peer_.emplace(path(), FramePeer::passive);
  peer_->say_hello({});
  ask(1);
  go_on_.release();
  while (!is_answered(1)) {
  }
  EXPECT_EQ(arrived_.count(), 1) << "the others left the queue";
}

// ---- no threads ---------------------------------------------------------------------------------

/// In a process that may have no more threads, beginning with one.
class WithoutThreads : public ManualPooledCallTest {
 public:
  /// The limit holds for any user but root.
  static bool take_threads() {
    constexpr uid_t nobody_else = 54321;
    if (::geteuid() == 0 && ::setuid(nobody_else) != 0) return false;
    return limit_threads([](rlimit& limit) { limit.rlim_cur = 1; });
  }
  /// 0, or where it went wrong.
  int run() {
    functions_.on_unary = until_let();
    start();
    ask(1);
    if (status_of(1) != "8") return 2;
    if (!log_capture().take("the system gives no thread for the server's pool")) return 3;
    if (!give_threads()) return 4;
    ask(3);
    if (!arrived_.wait_for(1)) return 5;
    if (!take_threads()) return 6;
    ask(5);  // waits for the only thread
    go_on_.release(2);
    for (const http2::StreamId stream : {3U, 5U}) {
      while (!peer_->stream(stream).is_over()) {
        settle();
        peer_->listen();
      }
      if (status_of(stream) != "0") return 7;
    }
    return 0;
  }

 private:
  void TestBody() override {}
  static bool give_threads() {
    return limit_threads([](rlimit& limit) { limit.rlim_cur = limit.rlim_max; });
  }
  template <class F>
  static bool limit_threads(F&& change) {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NPROC, &limit) != 0) return false;
    change(limit);
    return ::setrlimit(RLIMIT_NPROC, &limit) == 0;
  }
};

TEST(PooledCallWithoutThreads, IsResourceExhaustedAndWorksWithThoseThatThereAre) {
  ChildProcess child([] { return WithoutThreads::take_threads() ? WithoutThreads().run() : 1; });

  EXPECT_EQ(child.wait(), 0);
}

TEST_F(ManualPooledCallTest, UsedOnTheLoopItTellsWhatToDo) {
  std::atomic<ServerContext*> context = nullptr;
  functions_.on_unary = [&](ServerContext& call, const Text& request) {
    context = &call;
    return until_let()(call, request);
  };
  start();
  ask(1);
  ASSERT_TRUE(arrived_.wait_for(1));

  loop_.post([&] { EXPECT_DEATH(context.load()->send_headers(), "would wait for themselves"); });
  settle();

  go_on_.release();
}

}  // namespace
}  // namespace nearcall::test
