// SPDX-License-Identifier: Apache-2.0
// The answer of a call: what the handler returned or threw, and what of it is too large.
#include "server/server_call.hpp"
#include "server/wrapper_service.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

namespace nearcall::test {
namespace {

class ServerAnswerTest : public WrapperServerTest {
 protected:
  ServerAnswerTest() { start(ServerOptions()); }
};

TEST_F(ServerAnswerTest, AnswersWithWhatTheHandlerReturns) {
  const Result<Text> reply = call(WrapperService::echo, "hello");

  ASSERT_TRUE(reply) << reply.status().to_string();
  EXPECT_EQ(reply->value(), "hello");
}

TEST_F(ServerAnswerTest, AFailureReachesTheClientWithItsMessageAndTrailers) {
  service_.on_echo = [](ServerContext& context, const Text&) -> Result<Text> {
    context.add_trailer("reason", "because");
    return Failure{Status(StatusCode::not_found, "no such user: \u00fc")};
  };

  const Result<Text> reply = call(WrapperService::echo, "hello");

  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code(), StatusCode::not_found);
  EXPECT_EQ(reply.error().message(), "no such user: \u00fc");
  EXPECT_EQ(reply.error().trailers().get("reason"), "because");
}

TEST_F(ServerAnswerTest, ALongMessageIsCutForTheClientAndItsCodeStays) {
  service_.on_echo = [](ServerContext&, const Text&) -> Result<Text> {
    return Failure{Status::not_found(std::string(20'000, 'x'))};
  };

  const Result<Text> reply = call(WrapperService::echo, "hello");

  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code(), StatusCode::not_found);
  EXPECT_TRUE(reply.error().message().ends_with("x (cut: the trailers may count 8192 bytes)"));
  EXPECT_LT(reply.error().message().size(), 8192U);
  EXPECT_TRUE(log_capture().take("a part of the message was left out"));
}

TEST_F(ServerAnswerTest, AFailureKeepsItsCodeWhenItsHeadersAreTooLarge) {
  service_.on_echo = [](ServerContext& context, const Text&) -> Result<Text> {
    context.add_header("large", std::string(10'000, 'x'));
    return Failure{Status::not_found("nobody")};
  };

  const Result<Text> reply = call(WrapperService::echo, "hello");

  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error(), Status::not_found("nobody"));
  EXPECT_TRUE(log_capture().take("headers were left out"));
}

TEST_F(ServerAnswerTest, AnAnswerWhoseHeadersAreTooLargeIsResourceExhausted) {
  service_.on_echo = [](ServerContext& context, const Text& request) -> Result<Text> {
    context.add_header("large", std::string(10'000, 'x'));
    return request;
  };

  const Result<Text> reply = call(WrapperService::echo, "hello");

  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code(), StatusCode::resource_exhausted);
}

TEST_F(ServerAnswerTest, AnOkCallStaysOkWhenItsTrailersAreTooLarge) {
  service_.on_echo = [](ServerContext& context, const Text& request) -> Result<Text> {
    context.add_trailer("large", std::string(10'000, 'x'));
    return request;
  };

  EXPECT_TRUE(call(WrapperService::echo, "hello"));
  EXPECT_TRUE(log_capture().take("trailers were left out"));
}

TEST_F(ServerAnswerTest, AnExceptionIsUnknownToTheClientAndTextInTheLog) {
  service_.on_echo = [](ServerContext&, const Text&) -> Result<Text> {
    throw std::runtime_error("the secret reason");
  };

  const Result<Text> reply = call(WrapperService::echo, "hello");

  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code(), StatusCode::unknown);
  EXPECT_EQ(reply.error().message().find("secret"), std::string::npos);
  EXPECT_TRUE(log_capture().take("/test.Wrapper/Echo: the handler threw: the secret reason"));
  service_.on_echo = nullptr;
  EXPECT_TRUE(is_serving());
}

}  // namespace
}  // namespace nearcall::test
