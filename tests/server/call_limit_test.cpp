// SPDX-License-Identifier: Apache-2.0
// CallLimit: as many calls at a time as the server, or a method, may have; those that wait have
// turns, and the rest is told at once.
#include "server/call_limit.hpp"

#include "server/blocking_server.hpp"
#include "support/session_peer.hpp"

#include <gmock/gmock.h>

#include <future>
#include <memory>
#include <string>
#include <vector>

namespace nearcall::test {
namespace {

using testing::HasSubstr;

/// A ticket, and what it was told.
class Caller final : private detail::TicketOwner {
 public:
  using State = detail::CallTicket::State;

  Caller(EventLoop& loop, detail::CallLimit* of_method, detail::CallLimit* of_server)
      : ticket_(*this, detail::Access::core(loop), of_method, of_server), state(ticket_.enter()) {}

  void leave() { ticket_.leave(); }

 private:
  void on_admitted() override { state = State::admitted; }
  void on_refused(const Status& /*why*/) override { state = State::refused; }

  detail::CallTicket ticket_;

 public:
  State state;
};

class CallLimit : public testing::Test {
 protected:
  using State = Caller::State;
  using Callers = std::vector<std::unique_ptr<Caller>>;

  Caller& add(Callers& to, detail::CallLimit* of_method, detail::CallLimit* of_server) {
    return *to.emplace_back(std::make_unique<Caller>(loop_, of_method, of_server));
  }
  /// Lets the loop do what was posted.
  void turn() {
    loop_.post([this] { loop_.stop(); });
    loop_.run();
  }

  EventLoop loop_{SpinPolicy::off()};
};

TEST_F(CallLimit, AsManyEnterAsManyWaitAndTheRestIsRefused) {
  detail::CallLimit limit("the server", 2, 3);
  Callers callers;
  for (int i = 0; i < 6; ++i)
    add(callers, nullptr, &limit);

  EXPECT_EQ(callers[1]->state, State::admitted);
  EXPECT_EQ(callers[2]->state, State::waits);
  EXPECT_EQ(callers[4]->state, State::waits);
  EXPECT_EQ(callers[5]->state, State::refused);
  EXPECT_EQ(limit.refusal().code(), StatusCode::resource_exhausted);
  EXPECT_EQ(limit.refusal().reason(), StatusReason::limit);
  EXPECT_EQ(limit.refusal().message(),
            "the server has 2 calls under way, and 3 others wait "
            "(ServerOptions::max_concurrent_calls)");
}

TEST_F(CallLimit, ThoseThatWaitEnterInTheOrderOfComing) {
  detail::CallLimit limit("the server", 1, 3);
  Callers callers;
  for (int i = 0; i < 4; ++i)
    add(callers, nullptr, &limit);

  for (std::size_t i = 0; i + 1 < 4; ++i) {
    callers[i]->leave();
    turn();
    EXPECT_EQ(callers[i + 1]->state, State::admitted) << i;
    if (i + 2 < 4) {
      EXPECT_EQ(callers[i + 2]->state, State::waits) << i;
    }
  }
}

TEST_F(CallLimit, OneThatLeavesTheQueueFreesItsPlaceAndNoMore) {
  detail::CallLimit limit("the server", 1, 1);
  Callers callers;
  add(callers, nullptr, &limit);
  Caller& gone = add(callers, nullptr, &limit);
  gone.leave();

  EXPECT_EQ(add(callers, nullptr, &limit).state, State::waits);
  EXPECT_EQ(add(callers, nullptr, &limit).state, State::refused);
}

TEST_F(CallLimit, OneThatLeavesBeforeItHearsOfItsTurnPassesItOn) {
  detail::CallLimit limit("the server", 1, 2);
  Callers callers;
  add(callers, nullptr, &limit);
  Caller& second = add(callers, nullptr, &limit);
  Caller& third = add(callers, nullptr, &limit);

  callers[0]->leave();
  second.leave();
  turn();

  EXPECT_EQ(second.state, State::waits) << "it was not told";
  EXPECT_EQ(third.state, State::admitted);
  third.leave();
  EXPECT_EQ(add(callers, nullptr, &limit).state, State::admitted);
}

TEST_F(CallLimit, AMethodsLimitComesBeforeTheServers) {
  detail::CallLimit method("/a.B/C", 1, 1);
  detail::CallLimit server("the server", 1, 0);
  Callers callers;
  add(callers, &method, nullptr);
  Caller& waits = add(callers, &method, &server);
  Caller& other = add(callers, nullptr, &server);
  EXPECT_EQ(waits.state, State::waits);
  EXPECT_EQ(other.state, State::admitted);

  callers[0]->leave();
  turn();

  EXPECT_EQ(waits.state, State::refused) << "the server is full";
  EXPECT_EQ(add(callers, &method, nullptr).state, State::admitted) << "it has given that back";
}

class ServerCallLimit : public BlockingServerTest {
 protected:
  static constexpr const char* unary_path = "/test.Functions/Unary";
};

TEST_F(ServerCallLimit, FunctionsBeyondItAreToldAtOnceWhichLimitItIs) {
  start(ServerOptions().max_concurrent_calls(2));
  functions_.on_unary = until_let();
  std::vector<std::future<Result<Text>>> running;
  for (int i = 0; i < 2; ++i)
    running.push_back(call_elsewhere("x"));
  ASSERT_TRUE(arrived_.wait_for(2));

  const Status refused = call("y").status();
  EXPECT_EQ(refused.code(), StatusCode::resource_exhausted);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("the server has 2 calls under way"));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("max_concurrent_calls"));
  EXPECT_TRUE(log_capture().take("2 calls under way"));
  EXPECT_FALSE(ClientStub(channel_, WrapperService::methods)
                   .unary<Text>(WrapperService::echo, text_of("x"), CallOptions())
                   .ok())
      << "coroutines are calls too";
  go_on_.release(2);
  for (std::future<Result<Text>>& each : running)
    EXPECT_TRUE(each.get());
  EXPECT_TRUE(is_serving());
}

TEST_F(ServerCallLimit, OneMethodsIsItsAlone) {
  start(ServerOptions().max_concurrent_calls(unary_path, 1));
  functions_.on_unary = until_let();
  std::future<Result<Text>> running = call_elsewhere("x");
  ASSERT_TRUE(arrived_.wait_for(1));

  EXPECT_THAT(std::string(call("y").status().message()),
              HasSubstr("/test.Functions/Unary has 1 calls under way"));
  EXPECT_TRUE(log_capture().take("1 calls under way"));
  EXPECT_TRUE(is_serving());
  go_on_.release();
  EXPECT_TRUE(running.get());
}

TEST_F(ServerCallLimit, ThoseThatWaitAreServedAndTheDeadlineOfOneEndsItsWait) {
  start(ServerOptions().threads(2).max_concurrent_calls(1, 2));
  functions_.on_unary = until_let();
  std::future<Result<Text>> running = call_elsewhere("first");
  ASSERT_TRUE(arrived_.wait_for(1));
  std::future<Result<Text>> waiting = call_elsewhere("second");

  const Status late = call("third", CallOptions().timeout(std::chrono::milliseconds(30))).status();
  EXPECT_EQ(late.code(), StatusCode::deadline_exceeded);
  EXPECT_EQ(arrived_.count(), 1);
  go_on_.release(2);

  EXPECT_TRUE(running.get());
  EXPECT_TRUE(waiting.get());
  EXPECT_EQ(arrived_.count(), 2);
}

TEST_F(ServerCallLimit, StreamsCountUntilTheirHandlerReturns) {
  start(ServerOptions().max_concurrent_calls(1));
  SessionPeer client(path());
  http2::Stream& chat = client.open(SessionPeer::request_to("/test.Wrapper/Chat"));
  client.bytes(chat, framed(text_of("hello")));
  ASSERT_TRUE(client.ping());

  const auto refused = client.call(SessionPeer::request_to("/test.Wrapper/Chat"), "");
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->field("grpc-status"), "8");
  EXPECT_TRUE(log_capture().take("1 calls under way"));
  client.bytes(chat, "", /*end_stream=*/true);
  const auto answer = client.answer_to(chat);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->field("grpc-status"), "0");
  EXPECT_TRUE(is_serving());
}

TEST_F(ServerCallLimit, AServerThatStopsDropsThoseThatWait) {
  start(ServerOptions().max_concurrent_calls(1, 10).drain_timeout(std::chrono::milliseconds(10)));
  functions_.on_unary = until_cancelled();
  std::vector<std::future<Result<Text>>> calls;
  for (int i = 0; i < 5; ++i)
    calls.push_back(call_elsewhere("x"));
  ASSERT_TRUE(arrived_.wait_for(1));

  server_->stop();
  server_->wait();

  for (std::future<Result<Text>>& each : calls)
    EXPECT_FALSE(each.get());
}

TEST_F(ServerCallLimit, AMethodThatNobodyServesIsAMistakeAtTheStart) {
  Server server(ServerOptions().max_concurrent_calls("/test.Functions/Nuary", 1));
  server.add_service(functions_).listen("unix:" + path());

  const Result<void> started = server.start();

  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code(), StatusCode::failed_precondition);
  EXPECT_THAT(std::string(started.error().message()), HasSubstr("/test.Functions/Nuary"));
}

}  // namespace
}  // namespace nearcall::test
