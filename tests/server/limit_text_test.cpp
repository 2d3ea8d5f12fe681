// SPDX-License-Identifier: Apache-2.0
// The text of a size limit says whose it is, in both roles and both directions.
#include "server/wrapper_service.hpp"
#include "support/limit_set.hpp"

#include <nearcall/event_loop.hpp>

#include <gmock/gmock.h>

namespace nearcall::test {
namespace {

using testing::HasSubstr;

class LimitTextTest : public WrapperServerTest {
 protected:
  static Task<Status> await_echo(const ClientStub& client, Text request, CallOptions options) {
    auto first = client.unary_async<Text>(WrapperService::echo, text_of(""), CallOptions());
    static_cast<void>(co_await first);  // from now on the client knows the server's limits
    auto call = client.unary_async<Text>(WrapperService::echo, request, options);
    const Result<Text> reply = co_await call;
    co_return reply.status();
  }
  /// The same in both forms: RESOURCE_EXHAUSTED, and says that.
  void expect_limit(const Text& request, const CallOptions& options, const std::string& text) {
    const Status blocking = client_.unary<Text>(WrapperService::echo, request, options).status();
    EXPECT_EQ(blocking.code(), StatusCode::resource_exhausted);
    EXPECT_THAT(blocking.message(), HasSubstr(text));
    const Status awaited = sync_wait(await_echo(client_, request, options));
    EXPECT_EQ(awaited.code(), StatusCode::resource_exhausted);
    EXPECT_THAT(awaited.message(), HasSubstr(text));
  }
};

TEST_F(LimitTextTest, OfAMessageThatAServerReceives) {
  start(ServerOptions().max_receive_message_size(100));
  expect_limit(text_of(std::string(200, 'x')), CallOptions(),
               "over the receive limit of 100 bytes (the server's "
               "ServerOptions::max_receive_message_size)");
}

TEST_F(LimitTextTest, OfAMessageThatAClientReceives) {
  start();
  expect_limit(text_of(std::string(200, 'x')), CallOptions().max_receive_message_size(100),
               "over the receive limit of 100 bytes (the client's max_receive_message_size, of "
               "ChannelOptions or CallOptions)");
}

TEST_F(LimitTextTest, OfHeadersThatAClientSends) {
  start(ServerOptions().limits(LimitSet{.max_header_list_size = 1024}));
  ASSERT_TRUE(is_serving()) << "the client knows the limit now";
  expect_limit(text_of("a"), CallOptions().metadata("x-large", std::string(2'000, 'x')),
               "that the server takes (SETTINGS_MAX_HEADER_LIST_SIZE)");
}

TEST_F(LimitTextTest, OfHeadersThatAServerSends) {
  service_.on_echo = [](ServerContext& call, const Text& request) -> Result<Text> {
    call.add_header("x-large", std::string(2'000, 'x'));
    return request;
  };
  start(ServerOptions().limits(LimitSet{.max_sent_header_list_size = 1024}));
  expect_limit(text_of("a"), CallOptions(),
               "1024 bytes that may be sent (max_sent_header_list_size, or the client's limit)");
}

TEST_F(LimitTextTest, OfAMessageOfOurOwnHasAReasonAndOfAPeersHasNone) {
  start(ServerOptions().max_receive_message_size(100));
  const Status of_server = call(WrapperService::echo, std::string(200, 'x')).status();
  EXPECT_EQ(of_server.reason(), StatusReason::none) << "the server said it";

  const Status of_client =
      call(WrapperService::echo, std::string(20, 'x'), CallOptions().max_receive_message_size(10))
          .status();
  EXPECT_EQ(of_client.reason(), StatusReason::limit);
}

}  // namespace
}  // namespace nearcall::test
