// SPDX-License-Identifier: Apache-2.0
// Unary calls between threads over a real socket: blocking and awaited.
#include "integration/echo_server.hpp"

#include <gmock/gmock.h>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class UnaryCall : public EchoServerTest {};

TEST_F(UnaryCall, BringsTheReplyBack) {
  const Result<EchoReply> reply = echo_.Unary(request_of("payload"), CallOptions().timeout(10s));

  ASSERT_TRUE(reply.ok()) << reply.status().to_string();
  EXPECT_EQ(reply->payload(), "payload");
}

TEST_F(UnaryCall, CarriesMessagesOfEverySizeAroundTheLimitsOfFramesAndWindows) {
  for (const std::size_t size :
       {0U, 1U, 16'379U, 16'380U, 65'535U, 65'536U, 1'048'576U, 4'000'000U}) {
    const std::string payload(size, 'x');

    const Result<EchoReply> reply = echo_.Unary(request_of(payload), CallOptions().timeout(10s));

    ASSERT_TRUE(reply.ok()) << size << ": " << reply.status().to_string();
    EXPECT_EQ(reply->payload(), payload) << size;
  }
}

TEST_F(UnaryCall, OverTheLimitOfTheServerIsResourceExhaustedAndNamesTheLimit) {
  const Result<EchoReply> reply =
      echo_.Unary(request_of(std::string(5'000'000, 'x')), CallOptions().timeout(10s));

  ASSERT_FALSE(reply.ok());
  EXPECT_EQ(reply.status().code(), StatusCode::resource_exhausted);
  EXPECT_THAT(reply.status().message(), HasSubstr("4194304"));
  EXPECT_TRUE(echo_.Unary(request_of("next"), CallOptions().timeout(10s)).ok());
}

TEST_F(UnaryCall, OverTheLimitOfTheCallIsResourceExhausted) {
  const Result<EchoReply> reply = echo_.Unary(
      request_of(std::string(1000, 'x')), CallOptions().timeout(10s).max_receive_message_size(100));

  EXPECT_EQ(reply.status().code(), StatusCode::resource_exhausted);
}

TEST_F(UnaryCall, MetadataBeyondTheLimitOfTheServerIsResourceExhaustedAndNamesTheLimit) {
  const CallOptions large = CallOptions().timeout(10s).metadata("key", std::string(20'000, 'x'));
  ASSERT_TRUE(echo_.Unary(request_of("x"), CallOptions().timeout(10s)).ok());

  const Status status = echo_.Unary(request_of("x"), large).status();

  EXPECT_EQ(status.code(), StatusCode::resource_exhausted) << status.to_string();
  EXPECT_NE(status.message().find("16384"), std::string::npos) << status.to_string();
  EXPECT_TRUE(echo_.Unary(request_of("x"), CallOptions().timeout(10s)).ok());
}

TEST_F(UnaryCall, AFailureCarriesCodeMessageAndTrailers) {
  EchoRequest request;
  request.set_code(static_cast<int>(StatusCode::not_found));
  request.set_message("no such user: 100 % \n gone");

  const Result<EchoReply> reply =
      echo_.Unary(request, CallOptions().timeout(10s).metadata("key", "value"));

  ASSERT_FALSE(reply.ok());
  EXPECT_EQ(reply.error().code(), StatusCode::not_found);
  EXPECT_EQ(reply.error().message(), "no such user: 100 % \n gone");
  EXPECT_EQ(reply.error().trailers().get("trailer-key"), "value");
}

TEST_F(UnaryCall, AHandlerThatThrowsIsUnknownAndIsLogged) {
  EchoRequest request;
  request.set_throw_exception(true);

  const Result<EchoReply> reply = echo_.Unary(request, CallOptions().timeout(10s));

  EXPECT_EQ(reply.status().code(), StatusCode::unknown);
  EXPECT_TRUE(log_.take("as the test asked"));
}

TEST_F(UnaryCall, OfAMethodThatIsNotImplementedIsUnimplementedAndNamesIt) {
  const Result<EchoReply> reply = echo_.NotThere(EchoRequest(), CallOptions().timeout(10s));

  EXPECT_EQ(reply.status().code(), StatusCode::unimplemented);
  EXPECT_THAT(reply.status().message(), HasSubstr("NotThere"));
}

TEST_F(UnaryCall, ToASocketThatIsNotThereIsUnavailableAndNamesThePath) {
  Channel nowhere("unix:" + folder_.file("nobody.sock"));
  const Echo::Client echo(nowhere);

  const Result<EchoReply> reply = echo.Unary(EchoRequest(), CallOptions().timeout(10s));

  EXPECT_EQ(reply.status().code(), StatusCode::unavailable);
  EXPECT_THAT(reply.status().message(), HasSubstr("nobody.sock"));
}

TEST_F(UnaryCall, WithBadMetadataFailsBeforeItIsSent) {
  const Result<EchoReply> reply =
      echo_.Unary(EchoRequest(), CallOptions().timeout(10s).metadata("grpc-own", "x"));

  EXPECT_EQ(reply.status().code(), StatusCode::invalid_argument);
}

Task<void> blocking_call_on_the_loop(const Echo::Client& echo, Status* status) {
  *status = echo.Unary(EchoRequest(), CallOptions().timeout(10s)).status();
  co_return;
}

TEST_F(UnaryCall, BlockingOnAThreadThatRunsALoopIsRefusedAndNamesTheAsyncForm) {
  Status status;

  sync_wait(blocking_call_on_the_loop(echo_, &status));

  EXPECT_EQ(status.code(), StatusCode::failed_precondition);
  EXPECT_THAT(status.message(), HasSubstr("Async"));
}

Task<void> two_side_by_side(const Echo::Client& echo) {
  auto first = echo.UnaryAsync(request_of("one"), CallOptions().timeout(10s));
  auto second = echo.UnaryAsync(request_of("two"), CallOptions().timeout(10s));
  const Result<EchoReply> two = co_await second;
  const Result<EchoReply> one = co_await first;
  EXPECT_TRUE(one.ok()) << one.status().to_string();
  EXPECT_TRUE(two.ok()) << two.status().to_string();
  if (one) {
    EXPECT_EQ(one->payload(), "one");
  }
  if (two) {
    EXPECT_EQ(two->payload(), "two");
  }
}

TEST_F(UnaryCall, TwoThatWereStartedRunSideBySide) {
  sync_wait(two_side_by_side(echo_));
}

Task<void> headers_and_trailers(const Echo::Client& echo) {
  auto call = echo.UnaryAsync(request_of("x"), CallOptions().timeout(10s).metadata("key", "value"));
  const Metadata& headers = co_await call.headers();
  EXPECT_EQ(headers.get("header-key"), "value");
  const Result<EchoReply> reply = co_await call;
  EXPECT_TRUE(reply.ok()) << reply.status().to_string();
  EXPECT_EQ(call.trailers().get("trailer-key"), "value");
}

TEST_F(UnaryCall, AwaitedShowsHeadersAndTrailers) {
  sync_wait(headers_and_trailers(echo_));
}

Task<void> awaited_of_every_size(const Echo::Client& echo) {
  for (const std::size_t size : {0U, 100U, 16'380U, 65'536U, 1'048'576U, 4'000'000U}) {
    const Result<EchoReply> reply =
        co_await echo.UnaryAsync(request_of(std::string(size, 'x')), CallOptions().timeout(10s));
    EXPECT_TRUE(reply.ok()) << size << ": " << reply.status().to_string();
    if (reply) {
      EXPECT_EQ(reply->payload().size(), size);
    }
  }
}

TEST_F(UnaryCall, AwaitedCarriesMessagesOfEverySize) {
  sync_wait(awaited_of_every_size(echo_));
}

TEST_F(UnaryCall, AsyncWithoutALoopFailsAndSaysWhatIsMissing) {
  const auto call = echo_.UnaryAsync(EchoRequest());

  ASSERT_TRUE(call.is_done());
  EXPECT_EQ(call.status().code(), StatusCode::failed_precondition);
}

}  // namespace
}  // namespace nearcall::test
