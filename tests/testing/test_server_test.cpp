// SPDX-License-Identifier: Apache-2.0
// TestServer: a service and a channel to it in two lines.
#include "server/wrapper_service.hpp"

#include <nearcall/client_stub.hpp>
#include <nearcall/event_loop.hpp>
#include <nearcall/sync_wait.hpp>
#include <nearcall/testing/test_server.hpp>

#include <gmock/gmock.h>

#include <future>
#include <optional>
#include <thread>
#include <utility>

namespace nearcall::test {
namespace {

class TestServerTest : public LogCheckedTest {
 protected:
  static Result<Text> echo(const testing::TestServer& server) {
    const ClientStub client(server.channel(), WrapperService::methods);
    return client.unary<Text>(WrapperService::echo, text_of("hello"), CallOptions());
  }
  static Task<Result<Text>> echo_awaited(const testing::TestServer& server) {
    const ClientStub client(server.channel(), WrapperService::methods);
    co_return co_await client.unary_async<Text>(WrapperService::echo, text_of("hello"),
                                                CallOptions());
  }

  WrapperService service_;
};

TEST_F(TestServerTest, AnswersBlockingCalls) {
  testing::TestServer server(service_);

  EXPECT_EQ(echo(server).value().value(), "hello");
}

TEST_F(TestServerTest, AnswersAwaitedCallsOnAnotherThread) {
  testing::TestServer server(service_);

  EXPECT_EQ(sync_wait(echo_awaited(server)).value().value(), "hello");
}

TEST_F(TestServerTest, AnswersOnTheTestsOwnLoopWithoutAThread) {
  EventLoop loop;
  const EventLoop::Binding binding(loop);
  std::optional<std::thread::id> answered_in;
  service_.on_echo = [&](ServerContext&, const Text& request) -> Result<Text> {
    answered_in = std::this_thread::get_id();
    return request;
  };
  testing::TestServer server(loop, service_);

  EXPECT_EQ(sync_wait(echo_awaited(server)).value().value(), "hello");
  EXPECT_EQ(answered_in, std::this_thread::get_id());
}

TEST_F(TestServerTest, HasANameOfItsOwn) {
  testing::TestServer one(service_);
  WrapperService other_service;
  other_service.on_echo = [](ServerContext&, const Text&) -> Result<Text> {
    return text_of("other");
  };
  testing::TestServer other(other_service);

  EXPECT_NE(one.target(), other.target());
  EXPECT_EQ(echo(one).value().value(), "hello");
  EXPECT_EQ(echo(other).value().value(), "other");
}

TEST_F(TestServerTest, TakesTheOptionsOfBothSides) {
  testing::TestServer server(service_, ServerOptions().max_receive_message_size(3),
                             ChannelOptions().max_receive_message_size(4));
  service_.on_echo = [](ServerContext&, const Text&) { return text_of("far too long"); };
  const ClientStub client(server.channel(), WrapperService::methods);
  const auto call = [&](const Text& request) {
    return client.unary<Text>(WrapperService::echo, request, CallOptions()).status().to_string();
  };

  EXPECT_THAT(call(text_of("long")), testing::HasSubstr("ServerOptions"));
  EXPECT_THAT(call(text_of("x")), testing::HasSubstr("ChannelOptions"));
}

TEST_F(TestServerTest, EndsWhatIsUnderWayWhenItGoes) {
  std::optional<testing::TestServer> server(std::in_place, service_);
  const ClientStub client(server->channel(), WrapperService::methods);
  auto held = std::async(std::launch::async, [&] {
    return client.unary<Text>(WrapperService::stuck, text_of(""), CallOptions()).status();
  });
  ASSERT_TRUE(service_.started.wait_for(1));

  server.reset();

  EXPECT_FALSE(held.get().ok());
  EXPECT_EQ(service_.destroyed.count(), 1);
}

}  // namespace
}  // namespace nearcall::test
