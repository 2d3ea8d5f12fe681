// SPDX-License-Identifier: Apache-2.0
// Attempts of one call on a channel to several backends, each of which is picked for.
#include "client/several_backends.hpp"

#include <nearcall/channel.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;

class LoopRoutes : public SeveralBackends {
 protected:
  static constexpr const char* retries =
      R"({"methodConfig": [{"name": [{}], "retryPolicy": {"maxAttempts": 3,
          "initialBackoff": "0.001s", "maxBackoff": "0.001s", "backoffMultiplier": 1,
          "retryableStatusCodes": ["UNAVAILABLE"]}}], "loadBalancingConfig": [{"round_robin": {}}]})";
};

INSTANTIATE_TEST_SUITE_P(Forms,
                         LoopRoutes,
                         testing::Values(CallForm::blocking, CallForm::awaited),
                         testing::PrintToStringParamName());

TEST_P(LoopRoutes, ARetryIsPickedForAnew) {
  at("a").refuse_calls();
  at("b").refuse_calls();
  const Channel channel = this->channel(options().service_config(retries));

  EXPECT_EQ(who_answers(channel, 4), "cccc");
}

TEST_P(LoopRoutes, SoIsARepeatOfWhatAServerThatLeavesDidNotBegin) {
  at("a").leave();
  const Channel channel = this->channel(options().picker(Picker::round_robin()));

  const std::string answers = who_answers(channel, 6);

  EXPECT_EQ(answers.size(), 6U);
  EXPECT_EQ(std::ranges::count(answers, 'a'), 0);
}

TEST_P(LoopRoutes, ARequestStreamIsRetriedElsewhereToo) {
  at("a").refuse_calls();
  at("b").refuse_calls();
  const Channel channel = this->channel(options().service_config(retries));
  const ClientStub stub(channel, test_methods);
  if (!is_blocking()) return;

  for (int i = 0; i < 3; ++i) {
    auto call = stub.client_streaming<Text, Text>(collect_method, patient());
    EXPECT_TRUE(call.write(text_of("one")));
    const Result<Text> reply = call.finish();
    ASSERT_TRUE(reply.ok()) << reply.status().to_string();
    EXPECT_EQ(reply->value(), "c");
  }
}

TEST_P(LoopRoutes, ConnectionsThatAreLostAreReplacedElsewhere) {
  const Channel channel = this->channel();
  EXPECT_EQ(who_answers(channel), "a");

  at("a").leave();
  at("a").take_down();
  EXPECT_EQ(who_answers(channel, 2), "bb");
}

}  // namespace
}  // namespace nearcall::test
