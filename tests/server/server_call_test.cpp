// SPDX-License-Identifier: Apache-2.0
// ServerCall: its request, and those that get another answer than the handler's; its end.
#include "server/server_call.hpp"

#include "server/manual_server.hpp"
#include "server/wrapper_service.hpp"
#include "support/session_peer.hpp"

#include <gmock/gmock.h>

#include <future>
#include <optional>

namespace nearcall::test {

namespace http2 = detail::http2;
namespace {

using namespace std::chrono_literals;

const SessionPeer::Fields echo_request = SessionPeer::request_to("/test.Wrapper/Echo");

class ServerCallTest : public WrapperServerTest {
 protected:
  ServerCallTest() { start(ServerOptions().max_receive_message_size(1000)); }
};

class BusyServerTest : public ManualServerTest {
 protected:
  BusyServerTest() {
    start(ServerOptions().busy_handler_warning(50ms));
    peer_.emplace(path(), FramePeer::passive);
    peer_->say_hello();
    settle();
  }

  std::optional<FramePeer> peer_;
};

TEST_F(BusyServerTest, AHandlerThatOccupiesItsLoopIsLoggedWithItsMethodAndTime) {
  detail::Duration takes = 49ms;
  service_.on_echo = [&](ServerContext&, const Text& request) -> Result<Text> {
    clock_.advance(takes);
    return request;
  };
  peer_->ask_whole(1, "/test.Wrapper/Echo");
  settle();
  EXPECT_THAT(log_capture().lines(), testing::IsEmpty());

  takes = 50ms;
  peer_->ask_whole(3, "/test.Wrapper/Echo");
  settle();

  EXPECT_TRUE(log_capture().take("event loop occupied for 50 ms by /test.Wrapper/Echo;"));
}

TEST_F(BusyServerTest, AHandlerThatOccupiesItsLoopLaterOnIsLoggedToo) {
  service_.on_chat = [this](Text&) { clock_.advance(70ms); };
  peer_->ask(1, "/test.Wrapper/Chat");
  settle();
  EXPECT_THAT(log_capture().lines(), testing::IsEmpty());

  peer_->say(frames::data(1, framed(text_of("x"))));
  settle();

  EXPECT_TRUE(log_capture().take("event loop occupied for 70 ms by /test.Wrapper/Chat;"));
}

TEST_F(ServerCallTest, ACallWithoutARequestIsUnimplemented) {
  SessionPeer client(path());

  const auto answer = client.answer_to(client.open(echo_request, /*end_stream=*/true));

  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->fields.at("grpc-status"), "12");
}

TEST_F(ServerCallTest, ACallWithTwoRequestsIsUnimplemented) {
  SessionPeer client(path());
  const std::string one = framed(text_of("one"));

  const auto answer = client.call(echo_request, one + one);

  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->fields.at("grpc-status"), "12");
}

TEST_F(ServerCallTest, ACallWithTwoRequestsIsUnimplementedIfTheEndComesLater) {
  SessionPeer client(path());
  const std::string one = framed(text_of("one"));
  http2::Stream& stream = client.open(echo_request);
  client.send(stream, one + one, /*end_stream=*/false);
  ASSERT_TRUE(client.call(echo_request, one)) << "it has arrived";
  client.send(stream, "", /*end_stream=*/true);

  const auto answer = client.answer_to(stream);

  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->fields.at("grpc-status"), "12");
}

TEST_F(ServerCallTest, ARequestThatComesByteByByteIsOneRequest) {
  SessionPeer client(path());
  http2::Stream& stream = client.open(echo_request);
  for (const char byte : framed(text_of("slowly")))
    client.send(stream, std::string_view(&byte, 1), /*end_stream=*/false);
  client.send(stream, "", /*end_stream=*/true);

  const auto answer = client.answer_to(stream);

  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->body, framed(text_of("slowly")));
}

TEST_F(ServerCallTest, ARequestThatIsCutOffIsInternal) {
  SessionPeer client(path());

  const auto answer = client.call(echo_request, framed(text_of("cut off")).substr(0, 8));

  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->fields.at("grpc-status"), "13");
}

TEST_F(ServerCallTest, BytesThatAreNoMessageAreInternal) {
  SessionPeer client(path());

  const auto answer = client.call(echo_request, std::string("\0\0\0\0\2\x0a\x7f", 7));

  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->fields.at("grpc-status"), "13");
  EXPECT_TRUE(is_serving());
}

TEST_F(ServerCallTest, ARequestOverTheLimitIsRefusedByItsLengthAlone) {
  SessionPeer client(path());
  http2::Stream& stream = client.open(echo_request);

  client.send(stream, std::string("\0\0\0\x03\xe9", 5), /*end_stream=*/false);  // 1001 bytes

  const auto answer = client.answer_to(stream);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->fields.at("grpc-status"), "8");
}

TEST_F(ServerCallTest, ARequestAtTheLimitIsTaken) {
  const std::string most(997, 'x');  // and 3 bytes of tag and length
  ASSERT_EQ(text_of(most).ByteSizeLong(), 1000U);

  EXPECT_TRUE(call(WrapperService::echo, most));
  const Result<Text> above = call(WrapperService::echo, most + "x");
  ASSERT_FALSE(above);
  EXPECT_EQ(above.error().code(), StatusCode::resource_exhausted);
}

TEST_F(ServerCallTest, ItsDeadlineEndsItAtTheServerToo) {
  SessionPeer client(path());
  for (int milliseconds = 1; service_.started.count() == 0; milliseconds *= 4) {
    SessionPeer::Fields hold = SessionPeer::request_to("/test.Wrapper/Hold");
    const std::string timeout = std::to_string(milliseconds) + "m";
    hold.push_back({"grpc-timeout", timeout});

    const auto answer = client.call(hold, framed(Text()));

    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->fields.at("grpc-status"), "4");
  }  // until one began before its deadline

  EXPECT_TRUE(service_.cancelled.wait_for(1));
}

TEST_F(ServerCallTest, ATimeoutThatCannotBeReadIsInternal) {
  SessionPeer client(path());
  SessionPeer::Fields fields = echo_request;
  fields.push_back({"grpc-timeout", "soon"});

  const auto answer = client.call(fields, framed(Text()));

  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->fields.at("grpc-status"), "13");
}

TEST_F(ServerCallTest, ACancellingClientStopsTheHandler) {
  std::stop_source stop;
  std::future<Result<Text>> running = std::async(std::launch::async, [&] {
    return call(WrapperService::hold, "x", CallOptions().cancellation(stop.get_token()));
  });
  ASSERT_TRUE(service_.started.wait_for(1));

  stop.request_stop();

  EXPECT_EQ(running.get().status().code(), StatusCode::cancelled);
  EXPECT_TRUE(service_.cancelled.wait_for(1));
}

TEST_F(ServerCallTest, RepliesOfAStreamKeepTheirOrder) {
  auto chat = client_.bidi_streaming<Text, Text>(WrapperService::chat, CallOptions());
  for (int i = 0; i < 100; ++i)
    ASSERT_TRUE(chat.write(text_of(std::to_string(i))));
  ASSERT_TRUE(chat.writes_done());

  Text reply;
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(chat.read(reply)) << i;
    EXPECT_EQ(reply.value(), std::to_string(i));
  }
  EXPECT_FALSE(chat.read(reply));
  const Status status = chat.finish();
  EXPECT_TRUE(status.ok()) << status.to_string();
}

TEST_F(ServerCallTest, AStreamThatReadsABadMessageEndsInternal) {
  SessionPeer client(path());

  const auto answer = client.call(SessionPeer::request_to("/test.Wrapper/Chat"),
                                  framed(text_of("good")) + std::string("\0\0\0\0\2\x0a\x7f", 7));

  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->body, framed(text_of("good")));
  EXPECT_EQ(answer->fields.at("grpc-status"), "13");
}

}  // namespace
}  // namespace nearcall::test
