// SPDX-License-Identifier: Apache-2.0
// ServerContext: what a handler learns of its call, and what it can say besides its reply.
#include "server/raw_client.hpp"
#include "server/wrapper_service.hpp"

#include <nearcall/server_context.hpp>

#include <gmock/gmock.h>
#include <unistd.h>

#include <functional>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;

class ServerContextTest : public WrapperServerTest {
 protected:
  ServerContextTest() { start(); }

  /// Makes one call in which `look` sees the context; whether it was answered with OK.
  bool look_at_a_call(std::function<void(ServerContext&)> look,
                      const CallOptions& options = CallOptions()) {
    bool has_looked = false;
    service_.on_echo = [&](ServerContext& context, const Text& request) -> Result<Text> {
      look(context);
      has_looked = true;
      return request;
    };
    const Result<Text> reply = call(WrapperService::echo, "x", options);
    EXPECT_TRUE(reply) << reply.status().to_string();
    return has_looked && reply.ok();
  }
};

TEST_F(ServerContextTest, KnowsWhoCallsAndWhat) {
  EXPECT_TRUE(look_at_a_call([](ServerContext& context) {
    EXPECT_TRUE(context.peer().has_credentials());
    EXPECT_EQ(context.peer().uid(), ::geteuid());
    EXPECT_EQ(context.peer().pid(), ::getpid());
    EXPECT_EQ(context.method(), "/test.Wrapper/Echo");
    EXPECT_EQ(context.authority(), "localhost");
  }));
}

TEST_F(ServerContextTest, HasTheClientsMetadataInOrder) {
  const CallOptions options = CallOptions()
                                  .metadata("name", "first")
                                  .metadata("blob-bin", {"\0\xff", 2})
                                  .metadata("name", "second");

  EXPECT_TRUE(look_at_a_call(
      [](ServerContext& context) {
        EXPECT_THAT(context.metadata().get_all("name"), testing::ElementsAre("first", "second"));
        EXPECT_EQ(context.metadata().get("blob-bin"), std::string_view("\0\xff", 2));
        EXPECT_FALSE(context.metadata().get("te")) << "not the transport's headers";
      },
      options));
}

TEST_F(ServerContextTest, HasADeadlineOnlyIfTheClientHas) {
  EXPECT_TRUE(look_at_a_call([](ServerContext& context) {
    EXPECT_EQ(context.deadline(), std::chrono::steady_clock::time_point::max());
  }));
  EXPECT_TRUE(look_at_a_call(
      [](ServerContext& context) {
        const auto left = context.deadline() - std::chrono::steady_clock::now();
        EXPECT_GT(left, 50s);
        EXPECT_LE(left, 60s);
      },
      CallOptions().timeout(60s)));
}

TEST_F(ServerContextTest, IsNotCancelledWhileTheClientWaits) {
  EXPECT_TRUE(look_at_a_call([](ServerContext& context) {
    EXPECT_FALSE(context.is_cancelled());
    EXPECT_FALSE(context.cancellation().stop_requested());
    EXPECT_FALSE(context.server_stopping().stop_requested());
  }));
}

TEST_F(ServerContextTest, HeadersAndTrailersReachTheClient) {
  service_.on_echo = [](ServerContext& context, const Text& request) -> Result<Text> {
    EXPECT_TRUE(context.add_header("early", "1"));
    EXPECT_TRUE(context.add_trailer("late", "2"));
    return request;
  };
  RawClient client(path());

  const auto answer = client.call(RawClient::request_to("/test.Wrapper/Echo"), framed(Text()));

  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->fields.at("early"), "1");
  EXPECT_EQ(answer->fields.at("late"), "2");
}

TEST_F(ServerContextTest, HeadersAreRefusedOnceTheyWereSent) {
  EXPECT_TRUE(look_at_a_call([](ServerContext& context) {
    context.send_headers();
    context.send_headers();
    const Result<void> late = context.add_header("too", "late");
    EXPECT_EQ(late.status().code(), StatusCode::failed_precondition);
    EXPECT_TRUE(context.add_trailer("still", "fine"));
  }));
}

TEST_F(ServerContextTest, WhatMetadataRefusesIsRefusedHere) {
  EXPECT_TRUE(look_at_a_call([](ServerContext& context) {
    EXPECT_FALSE(context.add_header("grpc-status", "0"));
    EXPECT_FALSE(context.add_header("bad key", "x"));
    EXPECT_FALSE(context.add_trailer("line", "a\r\nb"));
  }));
}

TEST_F(ServerContextTest, ACallUnderWayIsServedOnWhileTheServerDrains) {
  auto chat = client_.bidi_streaming<Text, Text>(WrapperService::chat, CallOptions());
  ASSERT_TRUE(chat.write(text_of("hold the server open")));
  ASSERT_TRUE(chat.read());

  server_->stop();

  ASSERT_TRUE(chat.write(text_of("still served")));
  EXPECT_TRUE(chat.read());
  ASSERT_TRUE(chat.writes_done());
  EXPECT_TRUE(chat.finish().ok());
  server_->wait();
}

}  // namespace
}  // namespace nearcall::test
