// SPDX-License-Identifier: Apache-2.0
// A handler that is a client itself: it awaits a call to another server on its own loop.
#include "integration/echo_server.hpp"

#include <gmock/gmock.h>

#include <stop_token>
#include <thread>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

/// Passes unary calls on to another server, and what ends them; streams are asked the wrong way.
class Forwarder final : public Echo::Service {
 public:
  explicit Forwarder(const std::string& target) : channel_(target), echo_(channel_) {}

 private:
  Task<Result<EchoReply>> Unary(ServerContext& call, EchoRequest request) override {
    const CallOptions options =
        CallOptions().deadline(call.deadline()).cancellation(call.cancellation());
    auto forwarded = echo_.UnaryAsync(request, options);
    co_return co_await forwarded;
  }
  Task<Result<EchoReply>> NotThere(ServerContext& /*call*/, EchoRequest request) override {
    co_return echo_.Unary(request);  // blocks, on the thread of the loop
  }

  Channel channel_;
  Echo::Client echo_;
};

class HandlerCalls : public EchoServerTest {
 protected:
  HandlerCalls() {
    front_.add_service(forwarder_);
    front_.listen(target_of_front());
    EXPECT_TRUE(front_.start());
  }
  ~HandlerCalls() override {
    front_.stop();
    front_.wait();
  }
  std::string target_of_front() const { return "unix:" + folder_.file("front.sock"); }

  Forwarder forwarder_{target()};
  Server front_;
  Channel channel_to_front_{target_of_front()};
  Echo::Client through_{channel_to_front_};
};

TEST_F(HandlerCalls, BringTheOtherServersReplyBack) {
  for (int i = 0; i < 100; ++i) {
    const Result<EchoReply> reply =
        through_.Unary(request_of("payload"), CallOptions().timeout(10s));

    ASSERT_TRUE(reply.ok()) << reply.status().to_string();
    EXPECT_EQ(reply->payload(), "payload");
  }
}

TEST_F(HandlerCalls, BringTheOtherServersStatusBack) {
  EchoRequest request;
  request.set_code(static_cast<int>(StatusCode::not_found));
  request.set_message("no such thing");

  const Result<EchoReply> reply = through_.Unary(request, CallOptions().timeout(10s));

  EXPECT_EQ(reply.status(), Status(StatusCode::not_found, "no such thing"));
}

TEST_F(HandlerCalls, AreCancelledWithTheCallThatTheyServe) {
  EchoRequest request;
  request.set_wait_for_cancel(true);
  std::stop_source stop;
  std::jthread canceller([&] {
    EXPECT_TRUE(service_.started.reaches(1));
    stop.request_stop();
  });

  const Result<EchoReply> reply =
      through_.Unary(request, CallOptions().cancellation(stop.get_token()));

  EXPECT_EQ(reply.status().code(), StatusCode::cancelled);
  EXPECT_TRUE(service_.cancelled.reaches(1));
}

TEST_F(HandlerCalls, ThatBlockAreRefusedAndToldOfTheAsyncForm) {
  const Result<EchoReply> reply =
      through_.NotThere(request_of("payload"), CallOptions().timeout(10s));

  EXPECT_EQ(reply.status().code(), StatusCode::failed_precondition);
  EXPECT_THAT(reply.status().message(), HasSubstr("Async"));
}

}  // namespace
}  // namespace nearcall::test
