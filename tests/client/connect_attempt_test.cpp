// SPDX-License-Identifier: Apache-2.0
// Attempts to connect: those that succeed, fail, throw, come late or are not wanted any more.
#include "client/connect_attempt.hpp"

#include "support/handshaking_transport.hpp"
#include "transport/socket_transport.hpp"

#include <nearcall/resume_on.hpp>
#include <nearcall/thread_pool.hpp>

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>

#include <chrono>
#include <functional>
#include <future>
#include <stdexcept>
#include <thread>

namespace nearcall::inline v0::detail {
namespace {

using namespace std::chrono_literals;
using Connected = Result<std::unique_ptr<Transport>>;
using TimePoint = std::chrono::steady_clock::time_point;

TimePoint far_away() {
  return std::chrono::steady_clock::now() + 60s;
}

/// Runs one function of the test.
class TestConnector final : public Connector {
 public:
  using Function = std::function<Task<Connected>(ConnectContext)>;
  explicit TestConnector(Function function) : function_(std::move(function)) {}
  Task<Connected> connect(ConnectContext context) override { return function_(std::move(context)); }

 private:
  Function function_;
};

/// What an attempt holds: a half-open connection, and whether the other end sees it.
class Held {
 public:
  Held() {
    Result<SocketPair> pair = make_socketpair();
    EXPECT_TRUE(pair.ok());
    ours_ = std::move(pair->first);
    theirs_ = std::move(pair->second);
  }
  std::unique_ptr<Transport> take() { return std::move(ours_); }
  bool is_closed() {
    std::byte byte{};
    return theirs_->try_read({&byte, 1}).kind() == IoResult::Kind::end_of_stream;
  }

 private:
  std::unique_ptr<Transport> ours_;
  std::unique_ptr<Transport> theirs_;
};

Task<Connected> connect_at_once(Held& held) {
  co_return held.take();
}

Task<Connected> connect_after_a_turn(Held& held) {
  co_await sleep_for(1ms);
  co_return held.take();
}

Task<Connected> never_connect(std::unique_ptr<Transport> half_open) {
  co_await sleep_for(1h);
  co_return std::move(half_open);
}

Task<Connected> refuse(std::unique_ptr<Transport> half_open, Status why) {
  co_await sleep_for(1ms);
  half_open->shutdown_write();
  co_return Failure{std::move(why)};
}

Task<Connected> throw_of_attempt() {
  throw std::runtime_error("no more sockets today");
  co_return Failure{Status(StatusCode::internal, "not reached")};
}

Task<Connected> throw_a_number(std::unique_ptr<Transport> half_open) {
  co_await sleep_for(1ms);
  half_open->shutdown_write();
  throw 7;
}

TEST(ConnectAttempt, GivesTheConnectorTargetDeadlineAndCancellation) {
  const TimePoint deadline = far_away();
  std::stop_source stop;
  Held held;
  std::string target;
  TimePoint seen_deadline{};
  std::stop_token seen_stop;
  const auto connector = std::make_shared<TestConnector>([&](ConnectContext context) {
    target = context.target();
    seen_deadline = context.deadline();
    seen_stop = context.cancellation();
    return connect_at_once(held);
  });

  const Connected connected =
      connect_blocking(connector, ConnectContext("mine:there", deadline, stop.get_token()));

  ASSERT_TRUE(connected.ok()) << connected.status().to_string();
  EXPECT_EQ(target, "mine:there");
  EXPECT_EQ(seen_deadline, deadline);
  EXPECT_TRUE(seen_stop == stop.get_token());
}

TEST(ConnectAttempt, AConnectorThatNeverWaitsIsEnough) {
  Held held;
  const auto connector =
      std::make_shared<TestConnector>([&](const ConnectContext&) { return connect_at_once(held); });

  const Connected connected = connect_blocking(connector, ConnectContext("t", far_away(), {}));

  ASSERT_TRUE(connected.ok()) << connected.status().to_string();
  EXPECT_NE(*connected, nullptr);
  EXPECT_FALSE(held.is_closed());
}

TEST(ConnectAttempt, AConnectorMayWaitOnTheLoopItRunsOn) {
  Held held;
  const auto connector = std::make_shared<TestConnector>(
      [&](const ConnectContext&) { return connect_after_a_turn(held); });

  const Connected connected = connect_blocking(connector, ConnectContext("t", far_away(), {}));

  ASSERT_TRUE(connected.ok()) << connected.status().to_string();
  EXPECT_FALSE(held.is_closed());
}

TEST(ConnectAttempt, AConnectorThatSucceedsInTimeDoesNotNeedTimeLeft) {
  Held held;
  const auto connector =
      std::make_shared<TestConnector>([&](const ConnectContext&) { return connect_at_once(held); });

  const Connected connected =
      connect_blocking(connector, ConnectContext("t", std::chrono::steady_clock::now(), {}));

  EXPECT_TRUE(connected.ok()) << connected.status().to_string();
}

TEST(ConnectAttempt, OneThatHasToWaitWithoutDescriptorsIsAnErrorAndNotTheEnd) {
  Held held;
  const auto connector = std::make_shared<TestConnector>(
      [&](const ConnectContext&) { return never_connect(held.take()); });
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{3, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);

  const Connected connected = connect_blocking(connector, ConnectContext("t", far_away(), {}));

  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(connected.status().code(), StatusCode::unavailable) << connected.status().to_string();
  EXPECT_EQ(connected.status().reason(), StatusReason::system_limit);
  EXPECT_TRUE(held.is_closed());
}

TEST(ConnectAttempt, OneThatIsLateIsDestroyedWhereItWaitsAndWhatItHeldIsClosed) {
  Held held;
  const auto connector = std::make_shared<TestConnector>(
      [&](const ConnectContext&) { return never_connect(held.take()); });

  const Connected connected = connect_blocking(
      connector, ConnectContext("mine:slow", std::chrono::steady_clock::now() + 5ms, {}));

  ASSERT_FALSE(connected.ok());
  EXPECT_NE(connected.error().message().find("mine:slow"), std::string::npos);
  EXPECT_NE(connected.error().message().find("too long"), std::string::npos);
  EXPECT_TRUE(held.is_closed());
}

TEST(ConnectAttempt, OneThatIsNotWantedAnyMoreEndsAtOnceFromAnotherThread) {
  Held held;
  std::stop_source stop;
  const auto connector = std::make_shared<TestConnector>(
      [&](const ConnectContext&) { return never_connect(held.take()); });
  std::jthread stopper([&stop] { stop.request_stop(); });

  const Connected connected =
      connect_blocking(connector, ConnectContext("mine:slow", far_away(), stop.get_token()));

  ASSERT_FALSE(connected.ok());
  EXPECT_EQ(connected.error().code(), StatusCode::cancelled);
  EXPECT_TRUE(held.is_closed());
}

TEST(ConnectAttempt, OneThatWasStoppedBeforehandEndsAtOnce) {
  Held held;
  std::stop_source stop;
  stop.request_stop();
  const auto connector = std::make_shared<TestConnector>(
      [&](const ConnectContext&) { return never_connect(held.take()); });

  const Connected connected =
      connect_blocking(connector, ConnectContext("t", far_away(), stop.get_token()));

  ASSERT_FALSE(connected.ok());
  EXPECT_EQ(connected.error().code(), StatusCode::cancelled);
  EXPECT_TRUE(held.is_closed());
}

TEST(ConnectAttempt, AFailureIsPassedOnAndTheHalfOpenConnectionIsClosed) {
  Held held;
  const Status why(StatusCode::permission_denied, "wrong user");
  const auto connector = std::make_shared<TestConnector>(
      [&](const ConnectContext&) { return refuse(held.take(), why); });

  const Connected connected = connect_blocking(connector, ConnectContext("t", far_away(), {}));

  ASSERT_FALSE(connected.ok());
  EXPECT_EQ(connected.error(), why);
  EXPECT_TRUE(held.is_closed());
}

TEST(ConnectAttempt, AnExceptionIsUnavailableAndSaysWhatWasThrown) {
  const auto connector =
      std::make_shared<TestConnector>([](const ConnectContext&) { return throw_of_attempt(); });

  const Connected connected = connect_blocking(connector, ConnectContext("t", far_away(), {}));

  ASSERT_FALSE(connected.ok());
  EXPECT_EQ(connected.error().code(), StatusCode::unavailable);
  EXPECT_EQ(connected.error().message(), "t: the connector threw: no more sockets today");
}

TEST(ConnectAttempt, WhatIsThrownNeedNotBeAStandardException) {
  Held held;
  const auto connector = std::make_shared<TestConnector>(
      [&](const ConnectContext&) { return throw_a_number(held.take()); });

  const Connected connected = connect_blocking(connector, ConnectContext("t", far_away(), {}));

  ASSERT_FALSE(connected.ok());
  EXPECT_EQ(connected.error().code(), StatusCode::unavailable);
  EXPECT_TRUE(held.is_closed());
}

TEST(ConnectAttempt, WhatIsThrownBeforeThereIsATaskIsUnavailableToo) {
  const auto connector =
      std::make_shared<TestConnector>([](const ConnectContext&) -> Task<Connected> {
        throw std::runtime_error("no more sockets today");
      });
  const auto number =
      std::make_shared<TestConnector>([](const ConnectContext&) -> Task<Connected> { throw 7; });

  const Connected connected = connect_blocking(connector, ConnectContext("t", far_away(), {}));
  const Connected by_number = connect_blocking(number, ConnectContext("t", far_away(), {}));

  EXPECT_EQ(connected.status(),
            Status(StatusCode::unavailable, "t: the connector threw: no more sockets today"));
  EXPECT_EQ(by_number.status(), Status(StatusCode::unavailable, "t: the connector threw"));
}

TEST(ConnectAttempt, NoTaskIsUnavailable) {
  const auto connector =
      std::make_shared<TestConnector>([](const ConnectContext&) { return Task<Connected>(); });

  const Connected connected = connect_blocking(connector, ConnectContext("t", far_away(), {}));

  EXPECT_EQ(connected.status(), Status(StatusCode::unavailable, "t: the connector made no task"));
}

Task<Connected> make_nothing() {
  co_return std::unique_ptr<Transport>();
}

TEST(ConnectAttempt, NoConnectionIsUnavailable) {
  const auto connector =
      std::make_shared<TestConnector>([](const ConnectContext&) { return make_nothing(); });

  const Connected connected = connect_blocking(connector, ConnectContext("t", far_away(), {}));

  EXPECT_EQ(connected.status(),
            Status(StatusCode::unavailable, "t: the connector made no connection"));
}

// ---- connectors that go to a pool ---------------------------------------------------------------

Task<Connected> connect_on_a_pool(ThreadPool& pool, std::unique_ptr<Transport> made) {
  co_await resume_on(pool);
  co_return std::move(made);
}

Task<Connected> throw_on_a_pool(ThreadPool& pool) {
  co_await resume_on(pool);
  throw std::runtime_error("no more sockets today");
}

/// Is given up while it is there: `begun` is told, and it ends when `go_on` is.
Task<Connected> linger_on_a_pool(ThreadPool& pool,
                                 std::unique_ptr<Transport> half_open,
                                 std::promise<void>& begun,
                                 std::shared_future<void> go_on) {
  co_await resume_on(pool);
  begun.set_value();
  go_on.wait();
  co_return std::move(half_open);
}

TEST(ConnectAttempt, AConnectorMayEndOnAPool) {
  ThreadPool pool(1);
  Held held;
  const auto connector = std::make_shared<TestConnector>(
      [&](const ConnectContext&) { return connect_on_a_pool(pool, held.take()); });

  const Connected connected = connect_blocking(connector, ConnectContext("t", far_away(), {}));

  ASSERT_TRUE(connected.ok()) << connected.status().to_string();
  EXPECT_NE(*connected, nullptr);
}

TEST(ConnectAttempt, TheHandshakeOfWhatWasMadeOnAPoolIsWaitedForOnTheLoop) {
  ThreadPool pool(1);
  Held held;
  test::HandshakeScript script;
  script.steps = 2;
  script.is_ours_to_do = true;
  script.events = POLLOUT;
  const auto connector = std::make_shared<TestConnector>([&](const ConnectContext&) {
    return connect_on_a_pool(pool,
                             std::make_unique<test::HandshakingTransport>(held.take(), script));
  });

  const Connected connected = connect_blocking(connector, ConnectContext("t", far_away(), {}));

  ASSERT_TRUE(connected.ok()) << connected.status().to_string();
}

TEST(ConnectAttempt, WhatAConnectorThrowsOnAPoolIsUnavailable) {
  ThreadPool pool(1);
  const auto connector =
      std::make_shared<TestConnector>([&](const ConnectContext&) { return throw_on_a_pool(pool); });

  const Connected connected = connect_blocking(connector, ConnectContext("t", far_away(), {}));

  EXPECT_EQ(connected.status().code(), StatusCode::unavailable);
  EXPECT_NE(connected.status().message().find("no more sockets today"), std::string::npos);
}

TEST(ConnectAttempt, OneThatIsCancelledOnAPoolIsWaitedForAndCloses) {
  ThreadPool pool(1);
  Held held;
  std::stop_source stop;
  std::promise<void> begun;
  std::promise<void> go_on;
  const auto connector = std::make_shared<TestConnector>([&](const ConnectContext&) {
    return linger_on_a_pool(pool, held.take(), begun, go_on.get_future().share());
  });
  const std::jthread impatient([&] {
    begun.get_future().wait();
    stop.request_stop();
    go_on.set_value();
  });

  const Connected connected =
      connect_blocking(connector, ConnectContext("t", far_away(), stop.get_token()));

  if (!connected.ok()) {
    EXPECT_EQ(connected.status().code(), StatusCode::cancelled);
    EXPECT_TRUE(held.is_closed());
  }
}

}  // namespace
}  // namespace nearcall::inline v0::detail
