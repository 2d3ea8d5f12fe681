// SPDX-License-Identifier: Apache-2.0
// ServerContext: what a handler learns of its call, and what it can say besides its reply.
#include "server/wrapper_service.hpp"
#include "support/session_peer.hpp"

#include <nearcall/server_context.hpp>

#include <gmock/gmock.h>
#include <unistd.h>

#include <functional>
#include <future>
#include <string>
#include <thread>

namespace nearcall::test {

namespace http2 = detail::http2;
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
    context.add_header("early", "1").add_trailer("late", "2");
    return request;
  };
  SessionPeer client(path());

  const auto answer = client.call(SessionPeer::request_to("/test.Wrapper/Echo"), framed(Text()));

  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->fields.at("early"), "1");
  EXPECT_EQ(answer->fields.at("late"), "2");
}

TEST_F(ServerContextTest, TheFirstMistakeWithMetadataEndsTheCallAndIsLogged) {
  for (const bool fails : {false, true}) {
    service_.on_echo = [fails](ServerContext& context, const Text& request) -> Result<Text> {
      context.add_header("fine", "1").add_header("bad key", "x").add_trailer("grpc-status", "0");
      if (fails) return Failure{Status::not_found("nobody")};
      return request;
    };

    const Result<Text> reply = call(WrapperService::echo, "x");

    EXPECT_EQ(reply.status().code(), StatusCode::internal);
    EXPECT_THAT(std::string(reply.status().message()),
                testing::StartsWith("the handler's add_header \"bad key\": "));
    EXPECT_TRUE(log_capture().take("/test.Wrapper/Echo: the handler's add_header \"bad key\""));
  }
}

TEST_F(ServerContextTest, HeadersThatComeTooLateAreAMistakeAndTrailersAreNot) {
  service_.on_echo = [](ServerContext& context, const Text& request) -> Result<Text> {
    context.send_headers().send_headers().add_trailer("still", "fine");
    if (request.value() == "late") context.add_header("too", "late");
    return request;
  };

  EXPECT_TRUE(call(WrapperService::echo, "in time"));
  const Result<Text> late = call(WrapperService::echo, "late");

  EXPECT_EQ(late.status(),
            Status::internal("the handler's add_header \"too\": the headers were sent "
                             "already, with send_headers() or the first message"));
  EXPECT_TRUE(log_capture().take("the headers were sent already"));
}

TEST_F(ServerContextTest, UntilEndingEndsWithTheServersStop) {
  SessionPeer client(path());
  http2::Stream& held = client.open(SessionPeer::request_to("/test.Wrapper/Hold"));
  client.send(held, framed(text_of("either")), /*end_stream=*/true);
  ASSERT_TRUE(service_.started.wait_for(1));

  server_->stop();

  const auto answer = client.answer_to(held);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->fields.at("grpc-status"), "0");
  server_->wait();
}

TEST_F(ServerContextTest, UntilEndingEndsWithTheClientsCancellation) {
  SessionPeer client(path());
  http2::Stream& held = client.open(SessionPeer::request_to("/test.Wrapper/Hold"));
  client.send(held, framed(text_of("either")), /*end_stream=*/true);
  ASSERT_TRUE(service_.started.wait_for(1));

  client.reset(held);

  EXPECT_TRUE(service_.cancelled.wait_for(1));
}

/// A handler's context and stream ends, used where its loop does not run.
TEST_F(ServerContextTest, OnAnotherThreadItSaysWhatToDo) {
  testing::GTEST_FLAG(death_test_style) = "fast";
  std::promise<ServerContext*> has_begun;
  std::promise<void> may_end;
  service_.on_echo = [&](ServerContext& context, const Text& request) -> Result<Text> {
    has_begun.set_value(&context);
    may_end.get_future().wait();
    return request;
  };
  log_capture().allow("busy");
  std::thread client([this] { EXPECT_TRUE(call(WrapperService::echo, "x")); });
  ServerContext& context = *has_begun.get_future().get();

  EXPECT_EQ(context.method(), "/test.Wrapper/Echo") << "a fact of the request";
  EXPECT_DEATH(static_cast<void>(context.is_cancelled()), "or resume_on\\(loop\\) first");
  EXPECT_DEATH(static_cast<void>(context.cancellation()), "before resume_on\\(pool\\)");
  EXPECT_DEATH(context.add_header("key", "value"), "before resume_on\\(pool\\)");
  EXPECT_DEATH(context.send_headers(), "before resume_on\\(pool\\)");
  EXPECT_DEATH(context.add_trailer("key", "value"), "before resume_on\\(pool\\)");
  EXPECT_DEATH(static_cast<void>(context.until_ending()), "before resume_on\\(pool\\)");

  may_end.set_value();
  client.join();
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
