// SPDX-License-Identifier: Apache-2.0
// Calls on a channel to several backends: from one to the next, until all have failed, and waiting.
#include "client/balancer.hpp"
#include "client/several_backends.hpp"

#include <nearcall/channel.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;

class BalancerConnect : public SeveralBackends {
 protected:
  void take_all_down() {
    for (const char* const name : {"a", "b", "c"})
      at(name).take_down();
  }
  Status connect(const Channel& channel, std::chrono::nanoseconds patience = 0ns) {
    return is_blocking() ? channel.connect(patience) : sync_wait(channel.connect_async(patience));
  }
  int attempts() { return at("a").attempts() + at("b").attempts() + at("c").attempts(); }
  CallOptions waiting() { return patient().wait_for_ready(); }
};

INSTANTIATE_TEST_SUITE_P(Forms,
                         BalancerConnect,
                         testing::Values(CallForm::blocking, CallForm::awaited),
                         testing::PrintToStringParamName());

TEST_P(BalancerConnect, ACallFailsAtOnceWhenEachHasFailedOnce) {
  take_all_down();
  const Channel channel = this->channel();

  const Status status = call(channel).status();

  EXPECT_EQ(status.code(), StatusCode::unavailable);
  EXPECT_EQ(status.reason(), StatusReason::no_server);
  EXPECT_NE(status.message().find("nobody listens"), std::string::npos) << status.message();
  EXPECT_EQ(attempts(), 3);
}

TEST_P(BalancerConnect, TheNextCallTriesThemAgainWhateverThePausesSay) {
  take_all_down();
  const Channel channel = this->channel();
  EXPECT_FALSE(call(channel).ok());

  at("c").bring_up();
  EXPECT_EQ(who_answers(channel), "c");
}

TEST_P(BalancerConnect, AThousandThatAreDownFailACall) {
  std::vector<std::string> targets;
  for (int i = 0; i < 1000; ++i)
    targets.push_back("unix:/nobody/listens/here/" + std::to_string(i));
  const Channel channel = Channel::to_any(targets);

  const Status status = call(channel).status();

  EXPECT_EQ(status.reason(), StatusReason::no_server) << status.to_string();
}

TEST_P(BalancerConnect, MoreThanAThousandAreLeftOutAndTheLogSaysSo) {
  std::vector<std::string> targets;
  for (int i = 0; i < 1001; ++i)
    targets.push_back("a");
  const Channel same = Channel::to_any(targets, options());
  EXPECT_TRUE(log_capture().take("1001 backends are more than the 1000"));

  EXPECT_EQ(who_answers(same), "a");
}

TEST_P(BalancerConnect, ACallThatWaitsGoesToWhicheverComesFirst) {
  take_all_down();
  const Channel channel = this->channel();
  const std::jthread later([this] {
    while (attempts() < 7)
      std::this_thread::yield();
    at("b").bring_up();
  });

  EXPECT_EQ(who_answers(channel, waiting()), "b");
}

TEST_P(BalancerConnect, ACallThatWaitsEndsAtItsDeadlineAndSaysWhatItWaitedFor) {
  take_all_down();
  const Channel channel = this->channel();

  const Status status = call(channel, CallOptions().timeout(500ms).wait_for_ready()).status();

  EXPECT_EQ(status.code(), StatusCode::deadline_exceeded);
  EXPECT_NE(status.message().find("the server could not be reached"), std::string::npos)
      << status.message();
}

TEST_P(BalancerConnect, ACallThatWaitsIsCancelled) {
  take_all_down();
  const Channel channel = this->channel();
  std::stop_source stop;
  const std::jthread later([&] {
    while (attempts() < 4)
      std::this_thread::yield();
    stop.request_stop();
  });

  EXPECT_EQ(call(channel, waiting().cancellation(stop.get_token())).status().code(),
            StatusCode::cancelled);
}

TEST_P(BalancerConnect, ManyThatWaitAreServedWhenOneComes) {
  take_all_down();
  const Channel channel = this->channel();
  std::vector<std::jthread> callers;
  std::atomic<int> served{0};
  for (int i = 0; i < 8; ++i) {
    callers.emplace_back([&] {
      if (who_answers(channel, waiting()) == "c") ++served;
    });
  }
  while (attempts() < 6)
    std::this_thread::yield();
  at("c").bring_up();
  callers.clear();

  EXPECT_EQ(served, 8);
}

TEST_P(BalancerConnect, ConnectingNeedsOneOfThem) {
  at("a").take_down();
  const Channel channel = this->channel();

  const Status status = connect(channel);
  EXPECT_TRUE(status.ok()) << status.to_string();
  EXPECT_EQ(channel.state(), ConnectivityState::ready);
  EXPECT_EQ(at("b").attempts(), 1);
  EXPECT_EQ(who_answers(channel), "b");
  EXPECT_EQ(at("b").attempts(), 1);
}

TEST_P(BalancerConnect, ConnectingFailsWhenAllHaveAndWaitsWhereItMay) {
  take_all_down();
  const Channel channel = this->channel();
  EXPECT_EQ(connect(channel).reason(), StatusReason::no_server);
  EXPECT_EQ(channel.state(), ConnectivityState::transient_failure);

  const int so_far = attempts();
  const std::jthread later([this, so_far] {
    while (attempts() < so_far + 4)
      std::this_thread::yield();
    at("a").bring_up();
  });
  const Status status = connect(channel, 20s);
  EXPECT_TRUE(status.ok()) << status.to_string();
}

Task<Result<Text>> outlive(std::optional<Channel>& channel) {
  std::optional<ClientStub> stub(std::in_place, *channel, test_methods);
  auto call = stub->unary_async<Text>(unary_method, text_of("request"), patient());
  stub.reset();
  channel.reset();
  co_return co_await call;
}

TEST_P(BalancerConnect, ACallOutlivesItsChannel) {
  std::optional<Channel> channel = this->channel();
  if (!is_blocking()) {
    const Result<Text> reply = sync_wait(outlive(channel));
    EXPECT_TRUE(reply.ok()) << reply.status().to_string();
    return;
  }
  std::optional<ClientStub> stub(std::in_place, *channel, test_methods);
  auto call = stub->bidi_streaming<Text, Text>(chat_method, patient());
  stub.reset();
  channel.reset();
  EXPECT_TRUE(call.write(text_of("request")));
  EXPECT_TRUE(call.writes_done());
  EXPECT_EQ(call.read()->value(), "a");
  EXPECT_TRUE(call.finish().ok());
}

}  // namespace
}  // namespace nearcall::test
