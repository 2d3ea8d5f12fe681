// SPDX-License-Identifier: Apache-2.0
// How a blocking call ends, whatever the server does.
#include "client/script_methods.hpp"
#include "support/enough_time.hpp"
#include "support/log_capture.hpp"

#include <gtest/gtest.h>

#include <future>
#include <thread>

namespace nearcall::test {

namespace http2 = detail::http2;
namespace {

using namespace std::chrono_literals;
using http2::ErrorCode;

class BlockingCallTest : public LogCheckedTest {};

/// The status of a unary call that the server treats as `script` says.
Status status_of_unary(const std::function<void(SessionPeer&, http2::Stream&)>& script,
                       const CallOptions& options = patient()) {
  ScriptedServer server({[&script](SessionPeer& peer) {
    http2::Stream* const stream = peer.next_call();
    ASSERT_NE(stream, nullptr);
    script(peer, *stream);
    peer.flush();
    EXPECT_TRUE(peer.wait_for_end());
  }});
  Channel channel("mine", server.options());
  return call_unary(ClientStub(channel, test_methods), options).status();
}

TEST_F(BlockingCallTest, AReplyAndOkAreAReply) {
  const Status status = status_of_unary(
      [](SessionPeer& peer, http2::Stream& stream) { peer.answer(stream, "reply"); });

  EXPECT_TRUE(status.ok()) << status.to_string();
}

TEST_F(BlockingCallTest, OkWithoutAReplyIsUnimplemented) {
  const Status status = status_of_unary([](SessionPeer& peer, http2::Stream& stream) {
    peer.begin(stream);
    peer.end(stream);
  });

  EXPECT_EQ(status.code(), StatusCode::unimplemented);
}

TEST_F(BlockingCallTest, OkInTrailersOnlyIsUnimplemented) {
  const Status status = status_of_unary([](SessionPeer& peer, http2::Stream& stream) {
    peer.headers(stream,
                 {{":status", "200"}, {"content-type", "application/grpc"}, {"grpc-status", "0"}},
                 /*end_stream=*/true);
  });

  EXPECT_EQ(status.code(), StatusCode::unimplemented);
}

TEST_F(BlockingCallTest, TwoRepliesAreUnimplemented) {
  const Status status = status_of_unary([](SessionPeer& peer, http2::Stream& stream) {
    peer.begin(stream);
    peer.message(stream, "one");
    peer.message(stream, "two");
    peer.end(stream);
  });

  EXPECT_EQ(status.code(), StatusCode::unimplemented);
}

TEST_F(BlockingCallTest, TwoRepliesThatArriveOneByOneAreUnimplementedToo) {
  const Status status = status_of_unary([](SessionPeer& peer, http2::Stream& stream) {
    peer.begin(stream);
    for (const char* reply : {"one", "two", "three"}) {
      peer.message(stream, reply);
      peer.flush();
    }
    peer.end(stream);
  });

  EXPECT_EQ(status.code(), StatusCode::unimplemented);
}

TEST_F(BlockingCallTest, AnEndWithoutGrpcStatusIsUnknown) {
  const Status by_data = status_of_unary([](SessionPeer& peer, http2::Stream& stream) {
    peer.begin(stream);
    peer.message(stream, "reply");
    peer.session().end_stream(stream);
  });
  const Status by_trailers = status_of_unary([](SessionPeer& peer, http2::Stream& stream) {
    peer.begin(stream);
    peer.message(stream, "reply");
    peer.headers(stream, {{"other", "x"}}, /*end_stream=*/true);
  });

  EXPECT_EQ(by_data.code(), StatusCode::unknown) << by_data.to_string();
  EXPECT_EQ(by_trailers.code(), StatusCode::unknown) << by_trailers.to_string();
}

TEST_F(BlockingCallTest, AReplyThatStopsHalfwayIsNotAReply) {
  const Status status = status_of_unary([](SessionPeer& peer, http2::Stream& stream) {
    peer.begin(stream);
    peer.bytes(stream, std::string_view("\0\0\0\0\x09half", 9));
    peer.end(stream);
  });

  EXPECT_EQ(status.code(), StatusCode::internal) << status.to_string();
}

TEST_F(BlockingCallTest, AReplyThatDoesNotParseIsInternal) {
  const Status status = status_of_unary([](SessionPeer& peer, http2::Stream& stream) {
    peer.begin(stream);
    peer.bytes(stream, std::string_view("\0\0\0\0\x02\xff\xff", 7));
    peer.end(stream);
  });

  EXPECT_EQ(status.code(), StatusCode::internal) << status.to_string();
}

TEST_F(BlockingCallTest, AReplyOverTheLimitIsResourceExhaustedBeforeItsBytesCome) {
  const Status status = status_of_unary(
      [](SessionPeer& peer, http2::Stream& stream) {
        peer.begin(stream);
        peer.bytes(stream, std::string_view("\0\0\0\1\0", 5));
        peer.flush();
        EXPECT_EQ(peer.wait_for_reset(stream), ErrorCode::cancel);
      },
      patient().max_receive_message_size(255));

  EXPECT_EQ(status.code(), StatusCode::resource_exhausted);
}

TEST_F(BlockingCallTest, AFailureCarriesItsMessageAndTrailers) {
  const Status status = status_of_unary([](SessionPeer& peer, http2::Stream& stream) {
    peer.headers(stream,
                 {{":status", "200"},
                  {"content-type", "application/grpc"},
                  {"grpc-status", "5"},
                  {"grpc-message", "no%20such%20user"},
                  {"who", "alice"}},
                 /*end_stream=*/true);
  });

  EXPECT_EQ(status.code(), StatusCode::not_found);
  EXPECT_EQ(status.message(), "no such user");
  EXPECT_EQ(status.trailers().get("who"), "alice");
}

TEST_F(BlockingCallTest, AnHttpStatusThatIsNot200MeansWhatGrpcSaysItMeans) {
  const std::pair<const char*, StatusCode> cases[] = {
      {"400", StatusCode::internal},          {"401", StatusCode::unauthenticated},
      {"403", StatusCode::permission_denied}, {"404", StatusCode::unimplemented},
      {"429", StatusCode::unavailable},       {"431", StatusCode::internal},
      {"502", StatusCode::unavailable},       {"503", StatusCode::unavailable},
      {"504", StatusCode::unavailable},       {"418", StatusCode::unknown}};
  for (const auto& [http, code] : cases) {
    const Status status = status_of_unary([http = http](SessionPeer& peer, http2::Stream& stream) {
      peer.headers(stream, {{":status", http}, {"content-type", "text/html"}},
                   /*end_stream=*/true);
    });
    EXPECT_EQ(status.code(), code) << http << ": " << status.to_string();
  }
}

TEST_F(BlockingCallTest, AResetMeansWhatGrpcSaysItMeans) {
  const std::pair<ErrorCode, StatusCode> cases[] = {
      {ErrorCode::no_error, StatusCode::internal},
      {ErrorCode::protocol_error, StatusCode::internal},
      {ErrorCode::internal_error, StatusCode::internal},
      {ErrorCode::cancel, StatusCode::cancelled},
      {ErrorCode::enhance_your_calm, StatusCode::resource_exhausted},
      {ErrorCode::inadequate_security, StatusCode::permission_denied}};
  for (const auto& [reset, code] : cases) {
    const Status status = status_of_unary(
        [reset = reset](SessionPeer& peer, http2::Stream& stream) { peer.reset(stream, reset); });
    EXPECT_EQ(status.code(), code) << to_string(reset) << ": " << status.to_string();
  }
}

TEST_F(BlockingCallTest, AServerThatClosesInTheMiddleIsUnavailable) {
  ScriptedServer server({[](SessionPeer& peer) {
    http2::Stream* const stream = peer.next_call();
    ASSERT_NE(stream, nullptr);
    peer.begin(*stream);
  }});
  Channel channel("mine", server.options());

  const Status status = call_unary(ClientStub(channel, test_methods)).status();

  EXPECT_EQ(status.code(), StatusCode::unavailable) << status.to_string();
  EXPECT_EQ(status.message().find("mine: "), 0U);
}

TEST_F(BlockingCallTest, AServerThatBreaksHttp2IsUnavailable) {
  ScriptedServer server({[](SessionPeer& peer) {
    ASSERT_NE(peer.next_call(), nullptr);
    const std::byte bad_window[4] = {};
    peer.session().send_frame(0x8, 0, 0, bad_window);  // WINDOW_UPDATE by 0
    peer.flush();
    EXPECT_TRUE(peer.wait_for_end());
    EXPECT_TRUE(peer.has_goaway());
  }});
  Channel channel("mine", server.options());

  const Status status = call_unary(ClientStub(channel, test_methods)).status();

  EXPECT_EQ(status.code(), StatusCode::unavailable) << status.to_string();
}

TEST_F(BlockingCallTest, ADeadlineEndsTheCallAndTellsTheServer) {
  with_enough_time([](std::chrono::milliseconds timeout) {
    return has_told_of_deadline([timeout](const Channel& channel) {
      return call_unary(ClientStub(channel, test_methods), CallOptions().timeout(timeout)).status();
    });
  });
}

TEST_F(BlockingCallTest, AStopRequestFromAnotherThreadEndsTheCallAndTellsTheServer) {
  std::stop_source stop;
  const Status status = status_of_unary(
      [&stop](SessionPeer& peer, http2::Stream& stream) {
        stop.request_stop();
        EXPECT_EQ(peer.wait_for_reset(stream), ErrorCode::cancel);
      },
      patient().cancellation(stop.get_token()));

  EXPECT_EQ(status.code(), StatusCode::cancelled);
}

Task<Result<std::unique_ptr<Transport>>> never_connect() {
  co_await sleep_for(1h);
  co_return Failure{Status(StatusCode::internal, "not reached")};
}

TEST_F(BlockingCallTest, ADeadlineThatPassesWhileConnectingIsDeadlineExceeded) {
  Channel channel(
      "mine", ChannelOptions().connector([](const ConnectContext&) { return never_connect(); }));

  const Status status =
      call_unary(ClientStub(channel, test_methods), CallOptions().timeout(5ms)).status();

  EXPECT_EQ(status.code(), StatusCode::deadline_exceeded) << status.to_string();
}

TEST_F(BlockingCallTest, AConnectTimeoutThatPassesWithTimeLeftIsUnavailable) {
  Channel channel("mine", ChannelOptions().connect_timeout(5ms).connector(
                              [](const ConnectContext&) { return never_connect(); }));

  const Status status = call_unary(ClientStub(channel, test_methods)).status();

  EXPECT_EQ(status.code(), StatusCode::unavailable) << status.to_string();
}

TEST_F(BlockingCallTest, AStopRequestEndsACallThatStillConnects) {
  std::stop_source stop;
  Channel channel("mine", ChannelOptions().connector([&stop](const ConnectContext&) {
    stop.request_stop();
    return never_connect();
  }));

  const Status status =
      call_unary(ClientStub(channel, test_methods), patient().cancellation(stop.get_token()))
          .status();

  EXPECT_EQ(status.code(), StatusCode::cancelled) << status.to_string();
}

TEST_F(BlockingCallTest, AStopRequestFromAnotherThreadEndsACallThatStillConnects) {
  std::stop_source stop;
  std::promise<std::stop_token> connecting;
  Channel channel("mine", ChannelOptions().connector([&](const ConnectContext& context) {
    connecting.set_value(context.cancellation());
    return never_connect();
  }));
  std::stop_token seen;
  const std::jthread stopper([&] {
    seen = connecting.get_future().get();
    stop.request_stop();
  });

  const Status status =
      call_unary(ClientStub(channel, test_methods), patient().cancellation(stop.get_token()))
          .status();

  EXPECT_EQ(status.code(), StatusCode::cancelled) << status.to_string();
  EXPECT_TRUE(seen.stop_requested());
}

TEST_F(BlockingCallTest, AStopThatWasRequestedBeforeConnectsNowhere) {
  std::stop_source stop;
  stop.request_stop();
  ScriptedServer server({[](SessionPeer&) {}});
  Channel channel("mine", server.options());

  const Status status =
      call_unary(ClientStub(channel, test_methods), patient().cancellation(stop.get_token()))
          .status();

  EXPECT_EQ(status.code(), StatusCode::cancelled);
  EXPECT_EQ(server.connection_count(), 0U);
}

TEST_F(BlockingCallTest, ADeadlineThatHasPassedSendsNothing) {
  ScriptedServer server({[](SessionPeer&) {}});
  Channel channel("mine", server.options());

  const Status status =
      call_unary(ClientStub(channel, test_methods), CallOptions().timeout(0s)).status();

  EXPECT_EQ(status.code(), StatusCode::deadline_exceeded);
  EXPECT_EQ(server.connection_count(), 0U);
}

TEST_F(BlockingCallTest, AStopRequestEndsACallThatWaitsForRoom) {
  ScriptedServer server({[](SessionPeer& peer) {
                          http2::Stream* const warm = peer.next_call();
                          ASSERT_NE(warm, nullptr);
                          peer.answer(*warm, "warm");
                          EXPECT_TRUE(peer.answer_all("reply"));
                          EXPECT_EQ(peer.session().stats().streams_opened, 2U);
                        }},
                        one_stream_at_a_time());
  Channel channel("mine", server.options().max_connections(1));
  const ClientStub stub(channel, test_methods);
  ASSERT_TRUE(call_unary(stub).ok());
  auto first = stub.bidi_streaming<Text, Text>(chat_method, patient());
  ASSERT_TRUE(first.write(text_of("hello")));
  std::stop_source stop;

  std::jthread stopper([&stop] { stop.request_stop(); });
  const Status second = call_unary(stub, patient().cancellation(stop.get_token())).status();

  EXPECT_EQ(second.code(), StatusCode::cancelled) << second.to_string();
  EXPECT_TRUE(first.finish().ok());
}

TEST_F(BlockingCallTest, ACallMayOutliveItsStubAndItsChannel) {
  ScriptedServer server({[](SessionPeer& peer) {
    http2::Stream* const stream = peer.next_call();
    ASSERT_NE(stream, nullptr);
    peer.answer(*stream, "reply");
    EXPECT_TRUE(peer.wait_for_end());
  }});
  auto channel = std::make_unique<Channel>("mine", server.options());
  {
    auto call = ClientStub(*channel, test_methods)
                    .server_streaming<Text>(serve_method, text_of("request"), patient());
    channel.reset();

    EXPECT_TRUE(call.read().has_value());
    EXPECT_TRUE(call.finish().ok());
  }
}

TEST_F(BlockingCallTest, RepliesAreReadOneByOneAndThenTheEnd) {
  ScriptedServer server({[](SessionPeer& peer) {
    http2::Stream* const stream = peer.next_call();
    ASSERT_NE(stream, nullptr);
    peer.begin(*stream);
    peer.message(*stream, "one");
    peer.message(*stream, "two");
    peer.flush();
    peer.message(*stream, "three");
    peer.end(*stream, "9");
    EXPECT_TRUE(peer.wait_for_end());
  }});
  Channel channel("mine", server.options());

  auto call = ClientStub(channel, test_methods)
                  .server_streaming<Text>(serve_method, text_of("request"), patient());
  std::vector<std::string> replies;
  while (const std::optional<Text> reply = call.read())
    replies.push_back(reply->value());

  EXPECT_EQ(replies, (std::vector<std::string>{"one", "two", "three"}));
  EXPECT_EQ(call.finish().code(), StatusCode::failed_precondition);
  EXPECT_EQ(call.read(), std::nullopt);
}

TEST_F(BlockingCallTest, TrailersAreEmptyUntilAnotherThreadHasReadTheEnd) {
  std::promise<void> has_asked;
  ScriptedServer server({[&has_asked](SessionPeer& peer) {
    http2::Stream* const stream = peer.next_headers();
    ASSERT_NE(stream, nullptr);
    peer.begin(*stream);
    peer.message(*stream, "one");
    peer.flush();
    has_asked.get_future().wait();
    peer.headers(*stream, {{"grpc-status", "0"}, {"sum", "7"}}, /*end_stream=*/true);
    peer.session().release(*stream);
    peer.flush();
    EXPECT_TRUE(peer.wait_for_end());
  }});
  Channel channel("mine", server.options());
  auto call = ClientStub(channel, test_methods).bidi_streaming<Text, Text>(chat_method, patient());
  std::jthread reader([&call] {
    while (call.read())
      continue;
  });

  const Metadata& early = call.trailers();
  EXPECT_TRUE(early.empty());
  has_asked.set_value();
  for (int i = 0; i < 100'000 && call.trailers().empty(); ++i)
    ASSERT_TRUE(early.empty());
  reader.join();

  EXPECT_TRUE(early.empty());
  EXPECT_EQ(call.trailers().get("sum"), "7");
  EXPECT_TRUE(call.finish().ok());
}

TEST_F(BlockingCallTest, FinishHearsTheEndThoughNobodyReadMoreThanAWindowHolds) {
  std::promise<void> window_is_full;
  ScriptedServer server({[&window_is_full](SessionPeer& peer) {
    http2::Stream* const stream = peer.next_headers();
    ASSERT_NE(stream, nullptr);
    peer.begin(*stream);
    for (int i = 0; i < 30'000; ++i)
      peer.message(*stream, std::string(100, 'x'));
    peer.end(*stream);
    peer.flush();
    window_is_full.set_value();
    EXPECT_TRUE(peer.wait_for_end());
  }});
  Channel channel("mine", server.options());
  auto call = ClientStub(channel, test_methods).bidi_streaming<Text, Text>(chat_method, patient());
  const std::future<void> waiting = window_is_full.get_future();
  while (waiting.wait_for(0s) != std::future_status::ready)
    EXPECT_TRUE(call.write(text_of("go on")));  // which takes in what has come

  EXPECT_TRUE(call.finish().ok());
}

TEST_F(BlockingCallTest, CancelFromAnotherThreadWakesTheReader) {
  std::promise<void> reading;
  ScriptedServer server({[&reading](SessionPeer& peer) {
    http2::Stream* const stream = peer.next_call();
    ASSERT_NE(stream, nullptr);
    reading.set_value();
    EXPECT_EQ(peer.wait_for_reset(*stream), ErrorCode::cancel);
    EXPECT_TRUE(peer.wait_for_end());
  }});
  Channel channel("mine", server.options());
  auto call = ClientStub(channel, test_methods)
                  .server_streaming<Text>(serve_method, text_of("request"), patient());
  const std::jthread canceller([&] {
    reading.get_future().wait();
    call.cancel();
  });

  EXPECT_EQ(call.read(), std::nullopt);
  EXPECT_EQ(call.finish().code(), StatusCode::cancelled);
}

TEST_F(BlockingCallTest, DroppingACallResetsItsStream) {
  ScriptedServer server({[](SessionPeer& peer) {
    http2::Stream* const stream = peer.next_headers();
    ASSERT_NE(stream, nullptr);
    EXPECT_EQ(peer.wait_for_reset(*stream), ErrorCode::cancel);
    EXPECT_TRUE(peer.wait_for_end());
  }});
  Channel channel("mine", server.options());
  {
    auto call =
        ClientStub(channel, test_methods).bidi_streaming<Text, Text>(chat_method, patient());
    EXPECT_TRUE(call.write(text_of("hello")));
  }
}

TEST_F(BlockingCallTest, AfterTheEndWritesSayNoAndFinishSaysWhy) {
  ScriptedServer server({[](SessionPeer& peer) {
    http2::Stream* const stream = peer.next_headers();
    ASSERT_NE(stream, nullptr);
    peer.headers(*stream,
                 {{":status", "200"}, {"content-type", "application/grpc"}, {"grpc-status", "8"}},
                 /*end_stream=*/true);
    peer.flush();
    EXPECT_TRUE(peer.wait_for_end());
  }});
  Channel channel("mine", server.options());
  auto call = ClientStub(channel, test_methods).bidi_streaming<Text, Text>(chat_method, patient());

  EXPECT_EQ(call.read(), std::nullopt);
  EXPECT_FALSE(call.write(text_of("too late")));
  EXPECT_FALSE(call.writes_done());
  EXPECT_EQ(call.finish().code(), StatusCode::resource_exhausted);
}

}  // namespace
}  // namespace nearcall::test
