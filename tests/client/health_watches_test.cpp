// SPDX-License-Identifier: Apache-2.0
// Which backends get calls where the service config has a healthCheckConfig (gRFC A17).
#include "client/health_watches.hpp"

#include "client/several_backends.hpp"

#include <nearcall/channel.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;

class HealthWatchesTest : public SeveralBackends {
 protected:
  static constexpr int serving = 1;
  static constexpr int not_serving = 2;
  static constexpr int unknown_service = 3;

  static std::string config(const std::string& policy) {
    return R"({"loadBalancingConfig": [{")" + policy +
           R"(": {}}], "healthCheckConfig": {"serviceName": "test.Script"}})";
  }
  Channel checking(const std::string& policy = "round_robin") {
    return channel(options().service_config(config(policy)));
  }
};

INSTANTIATE_TEST_SUITE_P(Forms,
                         HealthWatchesTest,
                         testing::Values(CallForm::blocking, CallForm::awaited),
                         testing::PrintToStringParamName());

TEST_P(HealthWatchesTest, CallsGoToBackendsThatServe) {
  at("a").set_health(not_serving);
  at("b").set_health(serving);
  at("c").set_health(unknown_service);
  const Channel channel = checking();

  EXPECT_EQ(who_answers(channel, 4), "bbbb");
  EXPECT_EQ(channel.state(), ConnectivityState::ready);
}

TEST_P(HealthWatchesTest, OneWithoutAHealthServiceCountsAsHealthy) {
  const Channel channel = checking();

  EXPECT_EQ(who_answers(channel).size(), 1U);
  EXPECT_TRUE(log_capture().take("no health service, so it counts as healthy"));
  log_capture().allow("no health service, so it counts as healthy");
}

TEST_P(HealthWatchesTest, WhereNoneServesCallsFailAndSayWhy) {
  for (const char* const name : {"a", "b", "c"})
    at(name).set_health(not_serving);
  const Channel channel = checking();

  const Status status = call(channel).status();

  EXPECT_EQ(status.code(), StatusCode::unavailable);
  EXPECT_NE(status.message().find("says that it does not serve"), std::string::npos)
      << status.message();
  EXPECT_EQ(channel.state(), ConnectivityState::transient_failure);
}

TEST_P(HealthWatchesTest, ThoseThatAreDownDoNotServe) {
  for (const char* const name : {"a", "b", "c"})
    at(name).take_down();
  const Status status = call(checking()).status();
  EXPECT_EQ(status.code(), StatusCode::unavailable);
  EXPECT_NE(status.message().find("nobody listens"), std::string::npos) << status.message();
}

TEST_P(HealthWatchesTest, ACallThatWaitsIsServedOnceABackendComes) {
  for (const char* const name : {"a", "b", "c"}) {
    at(name).take_down();
    at(name).set_health(serving);
  }
  const Channel channel = checking();
  EXPECT_FALSE(call(channel).ok());
  at("b").bring_up();

  EXPECT_EQ(who_answers(channel, patient().wait_for_ready()), "b");
}

TEST_P(HealthWatchesTest, PickFirstAsksNobody) {
  at("a").set_health(not_serving);
  EXPECT_EQ(who_answers(checking("pick_first")), "a");
}

TEST_P(HealthWatchesTest, OneTargetIsCheckedToo) {
  at("a").set_health(not_serving);
  const Channel channel("a", options().service_config(config("round_robin")));
  EXPECT_EQ(call(channel).status().code(), StatusCode::unavailable);
}

}  // namespace
}  // namespace nearcall::test
