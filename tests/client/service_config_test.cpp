// SPDX-License-Identifier: Apache-2.0
// Service configs: what is read, what is refused, and what calls are ruled by.
#include "client/service_config.hpp"

#include "client/script_methods.hpp"
#include "support/log_capture.hpp"

#include <nearcall/event_loop.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;
using detail::MethodConfig;
using detail::ServiceConfig;
using testing::HasSubstr;

class ServiceConfigTest : public LogCheckedTest {};

/// What is wrong with it, after "service_config(): ".
std::string error_of(const std::string& json) {
  const Result<ServiceConfig> parsed = ServiceConfig::parse(json);
  if (parsed) return "nothing";
  EXPECT_EQ(parsed.error().code(), StatusCode::failed_precondition);
  EXPECT_EQ(parsed.error().reason(), StatusReason::misuse);
  const std::string& message = parsed.error().message();
  const std::string prefix = "service_config(): ";
  EXPECT_TRUE(message.starts_with(prefix)) << message;
  return message.substr(prefix.size());
}

/// The same, of a config of one method that says `members`.
std::string error_of_method(const std::string& members) {
  return error_of(R"({"methodConfig": [{"name": [{}], )" + members + "}]}");
}

std::string retry_policy(const std::string& attempts,
                         const std::string& initial = R"("0.1s")",
                         const std::string& longest = R"("1s")",
                         const std::string& multiplier = "2",
                         const std::string& codes = R"(["UNAVAILABLE"])") {
  return R"("retryPolicy": {"maxAttempts": )" + attempts + R"(, "initialBackoff": )" + initial +
         R"(, "maxBackoff": )" + longest + R"(, "backoffMultiplier": )" + multiplier +
         R"(, "retryableStatusCodes": )" + codes + "}";
}

/// What of `config` names the method, by its timeout in seconds; 0: nothing.
long found(const ServiceConfig& config, std::string_view path) {
  const MethodConfig* const method = config.find(path);
  return method == nullptr || !method->timeout ? 0 : *method->timeout / 1s;
}

TEST_F(ServiceConfigTest, TheMostExactNameCounts) {
  const Result<ServiceConfig> config = ServiceConfig::parse(R"({"methodConfig": [
      {"name": [{}], "timeout": "1s"},
      {"name": [{"service": "a.B"}, {"service": "a.C", "method": null}], "timeout": "2s"},
      {"name": [{"service": "a.B", "method": "D"}], "timeout": "3s"},
      {"timeout": "4s"}]})");
  ASSERT_TRUE(config.ok()) << config.status().to_string();
  EXPECT_EQ(found(*config, "/a.B/D"), 3);
  EXPECT_EQ(found(*config, "/a.B/E"), 2);
  EXPECT_EQ(found(*config, "/a.C/D"), 2);
  EXPECT_EQ(found(*config, "/a.F/D"), 1);
}

TEST_F(ServiceConfigTest, WhatNobodyNamedHasNone) {
  const Result<ServiceConfig> config =
      ServiceConfig::parse(R"({"methodConfig": [{"name": [{"service": "a.B", "method": "C"}]}]})");
  ASSERT_TRUE(config.ok());
  EXPECT_NE(config->find("/a.B/C"), nullptr);
  EXPECT_EQ(config->find("/a.B/D"), nullptr);
  EXPECT_EQ(config->find("/a.B/"), nullptr);
  EXPECT_EQ(config->find(""), nullptr);
}

TEST_F(ServiceConfigTest, AllFieldsAreRead) {
  const Result<ServiceConfig> config = ServiceConfig::parse(R"({
      "methodConfig": [
        {"name": [{"service": "a.B"}], "timeout": "1.5s", "waitForReady": true,
         "maxRequestMessageBytes": 0, "maxResponseMessageBytes": "100",
         "retryPolicy": {"maxAttempts": 3, "initialBackoff": ".1s", "maxBackoff": "1s",
                         "backoffMultiplier": 1.6, "retryableStatusCodes": ["ABORTED", 14]}},
        {"name": [{"service": "a.C"}],
         "hedgingPolicy": {"maxAttempts": 4, "hedgingDelay": "0.5s",
                           "nonFatalStatusCodes": ["INTERNAL"]}}],
      "retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1},
      "loadBalancingConfig": [{"other": {}}, {"pick_first": {"shuffleAddressList": true}}],
      "healthCheckConfig": {"serviceName": "a.B"}})");
  ASSERT_TRUE(config.ok()) << config.status().to_string();

  const MethodConfig& retried = *config->find("/a.B/x");
  EXPECT_EQ(retried.timeout, 1500ms);
  EXPECT_EQ(retried.wait_for_ready, true);
  EXPECT_EQ(retried.max_request_size, 0U);
  EXPECT_EQ(retried.max_response_size, 100U);
  ASSERT_TRUE(retried.retry.has_value());
  EXPECT_EQ(retried.retry->max_attempts, 3);
  EXPECT_EQ(retried.retry->initial_backoff, 100ms);
  EXPECT_EQ(retried.retry->max_backoff, 1s);
  EXPECT_EQ(retried.retry->backoff_multiplier, 1.6);
  EXPECT_TRUE(retried.retry->retryable.contains(StatusCode::aborted));
  EXPECT_TRUE(retried.retry->retryable.contains(StatusCode::unavailable));
  EXPECT_FALSE(retried.retry->retryable.contains(StatusCode::internal));
  EXPECT_FALSE(retried.hedging.has_value());

  const MethodConfig& hedged = *config->find("/a.C/x");
  ASSERT_TRUE(hedged.hedging.has_value());
  EXPECT_EQ(hedged.hedging->max_attempts, 4);
  EXPECT_EQ(hedged.hedging->delay, 500ms);
  EXPECT_TRUE(hedged.hedging->non_fatal.contains(StatusCode::internal));

  ASSERT_TRUE(config->throttling().has_value());
  EXPECT_EQ(config->throttling()->max_tokens, 10'000);
  EXPECT_EQ(config->throttling()->token_ratio, 100);
  ASSERT_TRUE(config->load_balancing().has_value());
  EXPECT_EQ(config->load_balancing()->policy, "pick_first");
  EXPECT_TRUE(config->load_balancing()->shuffles);
  EXPECT_EQ(config->health_check(), "a.B");
}

TEST_F(ServiceConfigTest, AnEmptyOneAndUnknownFieldsAreFine) {
  EXPECT_EQ(error_of("{}"), "nothing");
  EXPECT_EQ(error_of(R"({"later": [1], "methodConfig": [{"name": [{"x": 1}], "y": {}}]})"),
            "nothing");
  EXPECT_EQ(error_of(R"({"methodConfig": null, "retryThrottling": null})"), "nothing");
}

TEST_F(ServiceConfigTest, WrongTypesAreNamedWithTheirPath) {
  EXPECT_EQ(error_of(R"({"methodConfig": {}})"), "methodConfig: must be an array");
  EXPECT_EQ(error_of(R"({"methodConfig": [{}, 1]})"), "methodConfig[1]: must be an object");
  EXPECT_EQ(error_of(R"({"methodConfig": [{"name": [{"service": 1}]}]})"),
            "methodConfig[0].name[0].service: must be a string");
  EXPECT_EQ(error_of_method(R"("timeout": 1)"),
            "methodConfig[0].timeout: must be a duration that is not negative, such as \"1.5s\"");
  EXPECT_EQ(error_of_method(R"("waitForReady": "true")"),
            "methodConfig[0].waitForReady: must be true or false");
  EXPECT_EQ(error_of_method(R"("maxRequestMessageBytes": [])"),
            "methodConfig[0].maxRequestMessageBytes: must be a number");
  EXPECT_EQ(error_of(R"({"methodConfig": [null]})"), "methodConfig[0]: is missing");
  EXPECT_EQ(error_of(R"({"healthCheckConfig": 1})"), "healthCheckConfig: must be an object");
}

TEST_F(ServiceConfigTest, AbsurdNumbersAreNamedWithTheirPath) {
  EXPECT_EQ(error_of(R"({"methodConfig": [{}, {)" + retry_policy("1") + "}]}"),
            "methodConfig[1].retryPolicy.maxAttempts: must be 2 or more");
  EXPECT_EQ(error_of_method(retry_policy("-3")),
            "methodConfig[0].retryPolicy.maxAttempts: must be a whole number from 0 to 4294967295");
  EXPECT_THAT(error_of_method(retry_policy("2.5")), HasSubstr("maxAttempts: must be a whole"));
  EXPECT_THAT(error_of_method(retry_policy("1e300")), HasSubstr("maxAttempts: must be a whole"));
  EXPECT_EQ(error_of_method(retry_policy("2", R"("0s")")),
            "methodConfig[0].retryPolicy.initialBackoff: must be more than zero");
  EXPECT_THAT(error_of_method(retry_policy("2", R"("1s")", R"("-1s")")),
              HasSubstr("maxBackoff: must be a duration"));
  EXPECT_EQ(error_of_method(retry_policy("2", R"("1s")", R"("1s")", "0")),
            "methodConfig[0].retryPolicy.backoffMultiplier: must be more than zero");
  EXPECT_THAT(error_of_method(R"("maxResponseMessageBytes": 1e12)"),
              HasSubstr("maxResponseMessageBytes: must be a whole number"));
  EXPECT_EQ(error_of(R"({"retryThrottling": {"maxTokens": 0, "tokenRatio": 1}})"),
            "retryThrottling.maxTokens: must be more than zero");
  EXPECT_EQ(error_of(R"({"retryThrottling": {"maxTokens": 1, "tokenRatio": 0.0001}})"),
            "retryThrottling.tokenRatio: must be 0.001 or more");
  EXPECT_EQ(error_of(R"({"retryThrottling": {"maxTokens": 4294967295, "tokenRatio": 1e300}})"),
            "nothing");
  EXPECT_NE(error_of(R"({"retryThrottling": {"maxTokens": 1, "tokenRatio": 1e999}})"), "nothing");
}

TEST_F(ServiceConfigTest, WhatIsRequiredAndMissingIsNamed) {
  EXPECT_EQ(error_of_method(R"("retryPolicy": {})"),
            "methodConfig[0].retryPolicy.maxAttempts: is missing");
  EXPECT_EQ(error_of_method(R"("hedgingPolicy": {"hedgingDelay": "1s"})"),
            "methodConfig[0].hedgingPolicy.maxAttempts: is missing");
  EXPECT_EQ(error_of_method(retry_policy("2", R"("1s")", R"("1s")", "1", "[]")),
            "methodConfig[0].retryPolicy.retryableStatusCodes: must have one");
  EXPECT_EQ(error_of(R"({"retryThrottling": {"maxTokens": 1}})"),
            "retryThrottling.tokenRatio: is missing");
}

TEST_F(ServiceConfigTest, CodesThatAreNoFailuresAreNamed) {
  for (const char* const codes :
       {R"(["OK"])", R"([0])", R"(["unavailable"])", R"([17])", R"([99999])"}) {
    EXPECT_THAT(error_of_method(retry_policy("2", R"("1s")", R"("1s")", "1", codes)),
                HasSubstr("retryableStatusCodes[0]: must be the name of a status code"))
        << codes;
  }
}

TEST_F(ServiceConfigTest, WhatCannotBothBeIsRefused) {
  EXPECT_EQ(error_of_method(retry_policy("2") + R"(, "hedgingPolicy": {"maxAttempts": 2})"),
            "methodConfig[0]: has a retryPolicy and a hedgingPolicy; there may be one of them");
  EXPECT_EQ(error_of(R"({"methodConfig": [{"name": [{"service": "a"}]},
                                          {"name": [{}, {"service": "a", "method": ""}]}]})"),
            "methodConfig[1].name[1]: stands twice");
  EXPECT_EQ(error_of(R"({"methodConfig": [{"name": [{"method": "a"}]}]})"),
            "methodConfig[0].name[0]: has a method and no service");
  EXPECT_EQ(error_of(R"({"methodConfig": [{"name": [{"service": "a/b"}]}]})"),
            "methodConfig[0].name[0].service: may not have a '/'");
}

TEST_F(ServiceConfigTest, PoliciesOfLoadBalancingThatNobodyKnowsAreRefused) {
  EXPECT_THAT(error_of(R"({"loadBalancingConfig": [{"x": {}}, {"y": {}}]})"),
              HasSubstr("loadBalancingConfig: has no policy that is known here"));
  EXPECT_EQ(error_of(R"({"loadBalancingConfig": [{"x": {}, "y": {}}]})"),
            "loadBalancingConfig[0]: must have the name of one policy");
  EXPECT_EQ(error_of(R"({"loadBalancingConfig": [{"round_robin": 1}]})"),
            "loadBalancingConfig[0].round_robin: must be an object");
  EXPECT_EQ(error_of(R"({"loadBalancingConfig": [{"pick_first": {"shuffleAddressList": 1}}]})"),
            "loadBalancingConfig[0].pick_first.shuffleAddressList: must be true or false");
  EXPECT_EQ(error_of(R"({"loadBalancingPolicy": "x"})"),
            "loadBalancingPolicy: no such policy is known here");
  const Result<ServiceConfig> older = ServiceConfig::parse(R"({"loadBalancingPolicy":
      "ROUND_ROBIN"})");
  ASSERT_TRUE(older.ok());
  EXPECT_EQ(older->load_balancing()->policy, "round_robin");
}

TEST_F(ServiceConfigTest, WhatIsNoJsonObjectIsRefused) {
  for (const char* const text : {"", "x", "[]", "1", "{", "{}}", "{} {}", R"({"a": })",
                                 R"({"a": 1, "a": 2})", "{\"a\": \"\xff\"}"}) {
    EXPECT_THAT(error_of(text), HasSubstr("no JSON object: ")) << text;
  }
}

TEST_F(ServiceConfigTest, DeepNestingIsRefused) {
  constexpr std::size_t depth = 100'000;
  const std::string arrays =
      R"({"later": )" + std::string(depth, '[') + std::string(depth, ']') + "}";
  std::string objects;
  for (std::size_t i = 0; i < depth; ++i)
    objects += R"({"a":)";
  objects += "1" + std::string(depth, '}');
  const std::string quotes = R"({'"': )" + std::string(depth, '[') + std::string(depth, ']') + "}";
  for (const std::string& json : {arrays, objects, quotes})
    EXPECT_EQ(error_of(json), "its JSON is nested more than 32 deep");
}

TEST_F(ServiceConfigTest, NestingThatIsAllowedIsRead) {
  const auto nested = [](std::size_t depth) {
    return R"({"later": )" + std::string(depth - 1, '[') + std::string(depth - 1, ']') + "}";
  };
  EXPECT_EQ(error_of(nested(32)), "nothing");
  EXPECT_THAT(error_of(nested(33)), HasSubstr("nested more"));
  EXPECT_EQ(error_of(R"({"later": "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"[["})"),
            "nothing");
}

TEST_F(ServiceConfigTest, TenMegabytesAreRefusedUnread) {
  const std::string json =
      R"({"later": ")" + std::string(std::size_t{10} * 1024 * 1024, 'x') + "\"}";
  EXPECT_THAT(error_of(json), HasSubstr("bytes of JSON are over the 1048576 that it may have"));
  const std::string most =
      R"({"later": ")" + std::string(ServiceConfig::max_size - 13, 'x') + "\"}";
  ASSERT_EQ(most.size(), ServiceConfig::max_size);
  EXPECT_EQ(error_of(most), "nothing");
}

TEST_F(ServiceConfigTest, AThousandAttemptsAreFiveAndOneLogLine) {
  const Result<ServiceConfig> config =
      ServiceConfig::parse(R"({"methodConfig": [{"name": [{}], )" + retry_policy("1000") + "}, {" +
                           retry_policy("7") + "}]}");
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->find("/a/b")->retry->max_attempts, 5);
  EXPECT_TRUE(log_capture().take("maxAttempts 1000 counts as 5"));
  EXPECT_TRUE(log_capture().lines().empty());
}

// ---- calls --------------------------------------------------------------------------------------

ScriptedServer::Script answer_all_with(std::string value) {
  return [value = std::move(value)](SessionPeer& peer) { EXPECT_TRUE(peer.answer_all(value)); };
}

std::string for_all(const std::string& members) {
  return R"({"methodConfig": [{"name": [{}], )" + members + "}]}";
}

TEST_F(ServiceConfigTest, ACallWithAWrongOneFailsAndNamesTheField) {
  const ChannelOptions options = ChannelOptions().service_config(for_all(R"("timeout": 7)"));
  EXPECT_THAT(options.misuse().message(), HasSubstr("methodConfig[0].timeout: must be"));
  const ClientStub stub(Channel("unix:/nobody/here", options), test_methods);

  EXPECT_EQ(Channel("unix:/nobody/here", options).connect(), options.misuse());
  EXPECT_EQ(call_unary(stub).status(), options.misuse());
  EXPECT_EQ(sync_wait(await_unary(stub)).status(), options.misuse());
}

TEST_F(ServiceConfigTest, AWrongOneIsNotForgiven) {
  EXPECT_FALSE(ChannelOptions().service_config("x").service_config("{}").misuse().ok());
}

TEST_F(ServiceConfigTest, CallsWaitForReadyAsTheConfigSaysOrAsTheySayThemselves) {
  const std::string target = "unix:/nobody/is/here";
  const ChannelOptions options =
      ChannelOptions().service_config(for_all(R"("waitForReady": true)"));
  const ClientStub stub(Channel(target, options), test_methods);
  const CallOptions brief = CallOptions().timeout(20ms);
  EXPECT_EQ(call_unary(stub, brief).status().code(), StatusCode::deadline_exceeded);
  EXPECT_EQ(sync_wait(await_unary(stub, brief)).status().code(), StatusCode::deadline_exceeded);
  const CallOptions hasty = patient().wait_for_ready(false);
  EXPECT_EQ(call_unary(stub, hasty).status().code(), StatusCode::unavailable);
  EXPECT_EQ(sync_wait(await_unary(stub, hasty)).status().code(), StatusCode::unavailable);
}

TEST_F(ServiceConfigTest, TheTimeoutIsThatOfTheConfigOrTheCallsIfThatIsShorter) {
  const auto timeout_of = [](const CallOptions& options) {
    std::string sent;
    ScriptedServer server({[&sent](SessionPeer& peer) {
      http2::Stream* const stream = peer.next_call();
      ASSERT_NE(stream, nullptr);
      sent = peer.header("grpc-timeout");
      peer.answer(*stream, "x");
      EXPECT_TRUE(peer.wait_for_end());
    }});
    {
      Channel channel("mine", server.options().service_config(for_all(R"("timeout": "15s")")));
      EXPECT_TRUE(call_unary(ClientStub(channel, test_methods), options).ok());
    }
    server.join();
    return sent;
  };
  EXPECT_EQ(timeout_of(CallOptions()), timeout_of(CallOptions().timeout(15s)));
  EXPECT_EQ(timeout_of(CallOptions().timeout(14s)), timeout_of(CallOptions().timeout(14s)));
  EXPECT_NE(timeout_of(CallOptions().timeout(14s)), timeout_of(CallOptions()));
  EXPECT_EQ(timeout_of(CallOptions().timeout(16s)), timeout_of(CallOptions()));
}

TEST_F(ServiceConfigTest, ARequestOverItsLimitIsNotSent) {
  ScriptedServer server({answer_all_with("x")});
  Channel channel("mine",
                  server.options().service_config(for_all(R"("maxRequestMessageBytes": 8)")));
  const ClientStub stub(channel, test_methods);
  const auto expect_refusal = [](const Status& status) {
    EXPECT_EQ(status.code(), StatusCode::resource_exhausted);
    EXPECT_EQ(status.message(),
              "a message of 9 bytes is over the send limit of 8 bytes (the client's "
              "max_send_message_size, of ChannelOptions or CallOptions, or maxRequestMessageBytes "
              "of its service config)");
  };
  const Text fits = text_of("123456");
  const Text large = text_of("1234567");
  ASSERT_EQ(fits.ByteSizeLong(), 8U);

  EXPECT_TRUE(stub.unary<Text>(unary_method, fits, patient()).ok());
  expect_refusal(stub.unary<Text>(unary_method, large, patient()).status());
  expect_refusal(stub.server_streaming<Text>(serve_method, large, patient()).finish());
  auto chat = stub.bidi_streaming<Text, Text>(chat_method, patient());
  EXPECT_TRUE(chat.write(fits));
  EXPECT_FALSE(chat.write(large));
  expect_refusal(chat.finish());
}

TEST_F(ServiceConfigTest, AnAwaitedRequestOverItsLimitIsNotSent) {
  ScriptedServer server({answer_all_with("x")});
  Channel channel("mine",
                  server.options().service_config(for_all(R"("maxRequestMessageBytes": 8)")));
  const ClientStub stub(channel, test_methods);
  const Status status = sync_wait([](const ClientStub& on) -> Task<Status> {
    const Text large = text_of("1234567");
    auto unary = on.unary_async<Text>(unary_method, large, patient());
    const Result<Text> reply = co_await unary;
    EXPECT_EQ(reply.status().code(), StatusCode::resource_exhausted);
    auto chat = on.bidi_streaming_async<Text, Text>(chat_method, patient());
    const bool is_taken = co_await chat.write(large);
    EXPECT_FALSE(is_taken);
    co_return co_await chat.finish();
  }(stub));
  EXPECT_EQ(status.code(), StatusCode::resource_exhausted);
  EXPECT_THAT(status.message(), HasSubstr("maxRequestMessageBytes"));
}

TEST_F(ServiceConfigTest, AReplyOverItsLimitIsRefused) {
  ScriptedServer server({answer_all_with("1234567")});
  const auto reply_with = [&server](std::size_t limit, ChannelOptions options,
                                    const CallOptions& of_call = patient()) {
    options.service_config(for_all(R"("maxResponseMessageBytes": )" + std::to_string(limit)));
    Channel channel("mine", options.connector(server.options().connector()));
    return call_unary(ClientStub(channel, test_methods), of_call).status();
  };
  EXPECT_TRUE(reply_with(9, ChannelOptions()).ok());
  const Status refused = reply_with(8, ChannelOptions());
  EXPECT_EQ(refused.code(), StatusCode::resource_exhausted);
  EXPECT_THAT(refused.message(), HasSubstr("maxResponseMessageBytes of its service config"));
  EXPECT_FALSE(reply_with(9, ChannelOptions().max_receive_message_size(8)).ok());
  EXPECT_FALSE(reply_with(8, ChannelOptions().max_receive_message_size(9)).ok());
  EXPECT_FALSE(reply_with(9, ChannelOptions(), patient().max_receive_message_size(8)).ok());
  EXPECT_TRUE(reply_with(9, ChannelOptions().max_receive_message_size(8),
                         patient().max_receive_message_size(9))
                  .ok())
      << "what the call says counts instead of the channel's";
}

TEST_F(ServiceConfigTest, AConfigMayAllowMoreThanTheDefault) {
  const std::string large(std::size_t{5} * 1024 * 1024, 'x');
  ScriptedServer server({answer_all_with(large)});
  Channel channel(
      "mine", server.options().service_config(for_all(R"("maxResponseMessageBytes": 8000000)")));
  EXPECT_TRUE(call_unary(ClientStub(channel, test_methods)).ok());
}

}  // namespace
}  // namespace nearcall::test
