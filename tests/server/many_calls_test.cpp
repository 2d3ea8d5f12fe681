// SPDX-License-Identifier: Apache-2.0
// A client with far more calls at once than a server takes, both as they are by default.
#include "server/wrapper_service.hpp"

#include <nearcall/event_loop.hpp>
#include <nearcall/when.hpp>

#include <algorithm>
#include <utility>
#include <vector>

namespace nearcall::test {
namespace {

Task<bool> is_echoed(const ClientStub& client) {
  auto call = client.unary_async<Text>(WrapperService::echo, text_of("one of many"), CallOptions());
  const Result<Text> reply = co_await call;
  co_return reply.ok() && reply->value() == "one of many";
}

class ManyCallsTest : public WrapperServerTest {};

TEST_F(ManyCallsTest, TenThousandAtOnceAreAllServed) {
  start();
  std::vector<Task<bool>> calls;
  for (int i = 0; i < 10'000; ++i)
    calls.push_back(is_echoed(client_));

  const std::vector<bool> echoed = sync_wait(when_all(std::move(calls)));

  EXPECT_EQ(std::count(echoed.begin(), echoed.end(), true), 10'000);
}

}  // namespace
}  // namespace nearcall::test
