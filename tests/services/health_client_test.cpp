// SPDX-License-Identifier: Apache-2.0
// check_health(): what a client is told of a server's health, in both forms.
#include "support/call_form.hpp"

#include <nearcall/event_loop.hpp>
#include <nearcall/health.hpp>
#include <nearcall/server.hpp>
#include <nearcall/sync_wait.hpp>
#include <nearcall/testing/test_server.hpp>

#include <gmock/gmock.h>

namespace nearcall::test {
namespace {

using testing::TestServer;

/// A service of no methods.
class OtherService final : public Service {
 public:
  OtherService() : Service("test.Other", {}) {}
};

std::string in_words(const Result<ServingStatus>& health) {
  return health ? std::string(to_string(*health)) : health.error().to_string();
}

Task<std::string> awaited(const Channel& channel, std::string service) {
  const Result<ServingStatus> health = co_await check_health_async(channel, std::move(service));
  co_return in_words(health);
}

class CheckHealthTest : public testing::TestWithParam<CallForm> {
 protected:
  std::string check(const Channel& channel, const std::string& service = "") {
    if (GetParam() == CallForm::awaited) return sync_wait(awaited(channel, service));
    return in_words(check_health(channel, service));
  }
};
INSTANTIATE_TEST_SUITE_P(,
                         CheckHealthTest,
                         testing::Values(CallForm::blocking, CallForm::awaited),
                         testing::PrintToStringParamName());

TEST_P(CheckHealthTest, TellsTheServersStatusAndThatOfEachService) {
  Health health;
  const TestServer server(health);
  health.set("down", ServingStatus::not_serving);
  health.set("vague", ServingStatus::unknown);

  EXPECT_EQ(check(server.channel()), "SERVING");
  EXPECT_EQ(check(server.channel(), "down"), "NOT_SERVING");
  EXPECT_EQ(check(server.channel(), "vague"), "UNKNOWN");
  EXPECT_EQ(check(server.channel(), "absent"), "NOT_FOUND: health: no such service");
}

TEST_P(CheckHealthTest, OfAServerWithoutHealthIsUnimplemented) {
  OtherService other;
  const TestServer server(other);

  EXPECT_THAT(check(server.channel()), testing::StartsWith("UNIMPLEMENTED"));
}

}  // namespace
}  // namespace nearcall::test
