// SPDX-License-Identifier: Apache-2.0
// A handler that is a client itself: what it passes on of its call, and what it may wait for.
#include "integration/echo_server.hpp"

#include <nearcall/trace_context.hpp>

#include <gmock/gmock.h>

#include <optional>
#include <stop_token>
#include <string_view>
#include <thread>
#include <vector>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

/// Passes unary calls on to another server, and what ends them; streams are asked the wrong way.
class Forwarder final : public Echo::Service {
 public:
  explicit Forwarder(const std::string& target) : channel_(target), echo_(channel_) {}

  /// Ends all calls to the other server.
  std::stop_source stop;

 private:
  Task<Result<EchoReply>> Unary(ServerContext& call, EchoRequest request) override {
    const CallOptions options =
        CallOptions(call, "request-id").timeout(1min).cancellation(stop.get_token());
    auto forwarded = echo_.UnaryAsync(request, options);
    Result<EchoReply> reply = co_await forwarded;
    const Metadata& headers = co_await forwarded.headers();
    for (const Metadata::Entry& entry : headers)
      call.add_header(entry.key(), entry.value());
    co_return reply;
  }
  Task<Result<EchoReply>> NotThere(ServerContext& /*call*/, EchoRequest request) override {
    co_return echo_.Unary(request);  // blocks, on the thread of the loop
  }

  Channel channel_;
  Echo::Client echo_;
};

/// The same as functions.
class BlockingForwarder final : public Echo::BlockingService {
 public:
  explicit BlockingForwarder(const std::string& target) : channel_(target), echo_(channel_) {}

  std::stop_source stop;

 private:
  Result<EchoReply> Unary(ServerContext& call, const EchoRequest& request) override {
    const CallOptions options =
        CallOptions(call, "request-id").timeout(1min).cancellation(stop.get_token());
    CallInfo info;
    Result<EchoReply> reply = echo_.Unary(request, options, &info);
    for (const Metadata::Entry& entry : info.headers())
      call.add_header(entry.key(), entry.value());
    return reply;
  }

  Channel channel_;
  Echo::Client echo_;
};

/// Over three places: this program, a server in front, and the one that it calls in its handlers.
template <class Front>
class PassedOn : public EchoServerTest {
 protected:
  PassedOn() {
    front_.add_service(forwarder_);
    front_.listen(target_of_front());
    EXPECT_TRUE(front_.start());
  }
  ~PassedOn() override {
    front_.stop();
    front_.wait();
  }
  std::string target_of_front() const { return "unix:" + folder_.file("front.sock"); }

  Front forwarder_{target()};
  Server front_;
  Channel channel_to_front_{target_of_front()};
  Echo::Client through_{channel_to_front_};
};
using HandlerCalls = PassedOn<Forwarder>;

using BothKinds = testing::Types<Forwarder, BlockingForwarder>;
TYPED_TEST_SUITE(PassedOn, BothKinds, );

TYPED_TEST(PassedOn, TheDeadlineIsThatOfTheCallThatIsServed) {
  EchoRequest request;
  request.set_show_deadline(true);

  const Result<EchoReply> reply = this->through_.Unary(request, CallOptions().timeout(20s));

  ASSERT_TRUE(reply.ok()) << reply.status().to_string();
  EXPECT_LE(reply->number(), 20U);
}

TYPED_TEST(PassedOn, TheHandlersOwnTimeoutCountsWhereItIsEarlier) {
  EchoRequest request;
  request.set_show_deadline(true);

  const Result<EchoReply> reply = this->through_.Unary(request, CallOptions().timeout(1h));

  ASSERT_TRUE(reply.ok()) << reply.status().to_string();
  EXPECT_LE(reply->number(), 60U);
}

TYPED_TEST(PassedOn, TheDeadlineEndsTheCallAtTheLastServer) {
  EchoRequest request;
  request.set_wait_for_cancel(true);

  const Result<EchoReply> reply = this->through_.Unary(request, CallOptions().timeout(100ms));

  EXPECT_EQ(reply.status().code(), StatusCode::deadline_exceeded);
  EXPECT_TRUE(!this->service_.started.reaches(1, 0ms) || this->service_.cancelled.reaches(1));
}

TYPED_TEST(PassedOn, ACancellationArrivesAtTheLastServer) {
  EchoRequest request;
  request.set_wait_for_cancel(true);
  std::stop_source stop;
  std::jthread canceller([&] {
    EXPECT_TRUE(this->service_.started.reaches(1));
    stop.request_stop();
  });

  const Result<EchoReply> reply =
      this->through_.Unary(request, CallOptions().cancellation(stop.get_token()));

  EXPECT_EQ(reply.status().code(), StatusCode::cancelled);
  EXPECT_TRUE(this->service_.cancelled.reaches(1));
}

TYPED_TEST(PassedOn, TheCallIsInTheSameTraceAndASpanOfItsOwn) {
  const auto trace =
      TraceContext::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "vendor=x");
  CallInfo info;

  ASSERT_TRUE(this->through_.Unary(EchoRequest(), CallOptions().trace(*trace), &info).ok());

  const std::vector<std::string_view> seen = info.headers().get_all("header-traceparent");
  ASSERT_EQ(seen.size(), 1U) << "by the last server";
  const auto passed_on = TraceContext::parse(seen.front());
  ASSERT_TRUE(passed_on);
  EXPECT_EQ(passed_on->trace_id(), trace->trace_id());
  EXPECT_NE(passed_on->span_id(), trace->span_id());
  EXPECT_TRUE(passed_on->is_sampled());
  EXPECT_EQ(info.headers().get("header-tracestate"), "vendor=x");
}

TYPED_TEST(PassedOn, ATraceThatIsNoneIsNotPassedOn) {
  const auto options =
      CallOptions().metadata("traceparent", "00-1-2-3").metadata("tracestate", "a=1");
  CallInfo info;

  ASSERT_TRUE(this->through_.Unary(EchoRequest(), options, &info).ok());

  EXPECT_EQ(info.headers().get("header-traceparent"), std::nullopt);
  EXPECT_EQ(info.headers().get("header-tracestate"), std::nullopt);
}

TYPED_TEST(PassedOn, TheHandlersOwnTokenEndsItsCallToo) {
  EchoRequest request;
  request.set_wait_for_cancel(true);
  std::jthread canceller([&] {
    EXPECT_TRUE(this->service_.started.reaches(1));
    this->forwarder_.stop.request_stop();
  });

  const Result<EchoReply> reply = this->through_.Unary(request, CallOptions().timeout(20s));

  EXPECT_EQ(reply.status(), Status(StatusCode::cancelled, "the call was cancelled"));
}

TYPED_TEST(PassedOn, OfTheMetadataOnlyWhatIsNamedIsTakenOver) {
  const CallOptions options = CallOptions()
                                  .metadata("request-id", "first")
                                  .metadata("authorization", "secret")
                                  .metadata("request-id", "second");
  CallInfo info;

  const Result<EchoReply> reply = this->through_.Unary(request_of("payload"), options, &info);

  ASSERT_TRUE(reply.ok()) << reply.status().to_string();
  EXPECT_THAT(info.headers().get_all("header-request-id"), testing::ElementsAre("first", "second"));
  EXPECT_FALSE(info.headers().get("header-authorization"));
}

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

TEST_F(HandlerCalls, ThatBlockAreRefusedAndToldOfTheAsyncForm) {
  const Result<EchoReply> reply =
      through_.NotThere(request_of("payload"), CallOptions().timeout(10s));

  EXPECT_EQ(reply.status().code(), StatusCode::failed_precondition);
  EXPECT_THAT(reply.status().message(), HasSubstr("Async"));
}

}  // namespace
}  // namespace nearcall::test
