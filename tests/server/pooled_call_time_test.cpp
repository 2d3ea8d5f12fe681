// SPDX-License-Identifier: Apache-2.0
// Functions on a pool, and the clock: deadlines, a queue, and one that never returns.
#include "server/blocking_server.hpp"
#include "server/manual_server.hpp"

#include <nearcall/event_loop.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <semaphore>
#include <string>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;

/// A server of functions on one thread of a pool, whose time the test moves.
class ManualPooledCallTest : public ManualServerTest {
 protected:
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
  ThreadPool pool_{1};
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
