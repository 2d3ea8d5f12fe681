// SPDX-License-Identifier: Apache-2.0
// Servers that break the rules or the budgets, against our client: under both of its drivers.
#include "integration/both_drivers.hpp"
#include "integration/echo_frames.hpp"
#include "integration/server_process.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <chrono>

namespace nearcall::test {

namespace http2 = detail::http2;
namespace {

using namespace std::chrono_literals;
using http2::ErrorCode;
using http2::FrameType;
using testing::HasSubstr;
namespace flag = http2::frame_flag;

class HostileServerTest : public testing::TestWithParam<ClientDriver> {
 protected:
  /// The status of one call to a server that does this, and how long it took.
  Status status_of_call(HostileServer::Script script, std::chrono::milliseconds timeout = 20s) {
    HostileServer server({std::move(script)});
    Channel channel("http://localhost", server.options());
    return status_of_call(channel, timeout);
  }
  Status status_of_call(Channel& channel, std::chrono::milliseconds timeout) {
    const Echo::Client echo(channel);
    const auto begin = std::chrono::steady_clock::now();
    const Status status =
        GetParam() == ClientDriver::blocking ? by_thread(echo, timeout) : by_loop(echo, timeout);
    took_ = std::chrono::steady_clock::now() - begin;
    return status;
  }

  LogCapture log_;
  std::chrono::nanoseconds took_{};

 private:
  static Status by_thread(const Echo::Client& echo, std::chrono::milliseconds timeout) {
    return echo.Unary(request_of("x"), CallOptions().timeout(timeout)).status();
  }
  static Task<void> await(const Echo::Client& echo,
                          std::chrono::milliseconds timeout,
                          Status* status) {
    const Result<EchoReply> reply =
        co_await echo.UnaryAsync(request_of("x"), CallOptions().timeout(timeout));
    *status = reply.status();
  }
  static Status by_loop(const Echo::Client& echo, std::chrono::milliseconds timeout) {
    Status status;
    sync_wait(await(echo, timeout, &status));
    return status;
  }
};

INSTANTIATE_TEST_SUITE_P(Drivers,
                         HostileServerTest,
                         testing::Values(ClientDriver::blocking, ClientDriver::loop),
                         driver_name);

TEST_P(HostileServerTest, ThatIsHonestIsServedHere) {
  EXPECT_TRUE(status_of_call(answering(begin() + frames::data(1, framed("")) + ok())).ok());
}

TEST_P(HostileServerTest, ThatSpeaksHttp1IsNamed) {
  const Status status = status_of_call([](FramePeer& client) {
    client.say("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
    client.hear_end();
  });

  EXPECT_EQ(status.code(), StatusCode::unavailable);
  EXPECT_THAT(status.message(), HasSubstr("HTTP/1.1 response"));
  EXPECT_THAT(status.message(), HasSubstr("http://localhost"));
}

TEST_P(HostileServerTest, ThatSaysRubbishIsUnavailable) {
  const Status status = status_of_call([](FramePeer& client) {
    client.say(std::string(1000, '\xaa'));
    client.hear_end();
  });

  EXPECT_EQ(status.code(), StatusCode::unavailable);
  EXPECT_THAT(status.message(), HasSubstr("not HTTP/2"));
}

TEST_P(HostileServerTest, ThatClosesAtOnceIsUnavailable) {
  EXPECT_EQ(status_of_call([](FramePeer&) {}).code(), StatusCode::unavailable);
}

TEST_P(HostileServerTest, ThatNeverAnswersIsLateAtTheDeadline) {
  const Status status = status_of_call([](FramePeer& client) { client.hear_end(); }, 100ms);

  EXPECT_EQ(status.code(), StatusCode::deadline_exceeded);
  EXPECT_LT(took_, 3s);
}

TEST_P(HostileServerTest, ThatSaysInterimResponsesWithoutEndIsCutOff) {
  std::string answer;
  for (int i = 0; i < 10'000; ++i)
    answer += frames::headers(1, frames::block({{":status", "103"}}));

  const Status status = status_of_call(answering(answer));

  EXPECT_EQ(status.code(), StatusCode::resource_exhausted) << status.to_string();
  EXPECT_THAT(status.message(), HasSubstr("1xx"));
}

TEST_P(HostileServerTest, ThatSendsHugeHeadersIsCutOffAndTheLimitIsNamed) {
  const std::string large(17'000, 'a');
  const std::string block =
      frames::response_block() + frames::block({{"large", large}, {"larger", large}});

  const Status status = status_of_call(answering(frames::headers(1, block.substr(0, 16'384), 0) +
                                                 frames::continuation(1, block.substr(16'384))));

  EXPECT_EQ(status.code(), StatusCode::resource_exhausted) << status.to_string();
  EXPECT_THAT(status.message(), HasSubstr("max_header_list_size"));
}

TEST_P(HostileServerTest, ThatSendsAnHpackBombIsCutOff) {
  std::string bomb = frames::response_block();
  bomb += std::string("\x40\x01x", 3) + std::string("\x7f\xbd\x1d", 3) + std::string(3900, 'a');
  bomb += std::string(12'000, '\xbe');

  const Status status = status_of_call(answering(frames::headers(1, bomb)));

  EXPECT_EQ(status.code(), StatusCode::resource_exhausted) << status.to_string();
}

TEST_P(HostileServerTest, ThatFloodsContinuationsIsLeft) {
  std::string answer = frames::headers(1, frames::response_block(), 0);
  for (int i = 0; i < 100'000; ++i)
    answer += frames::continuation(1, "", 0);

  EXPECT_EQ(status_of_call(answering(answer)).code(), StatusCode::unavailable);
}

TEST_P(HostileServerTest, WhoseMessageIsOverTheLimitIsCutOffAndTheLimitIsNamed) {
  const Status status =
      status_of_call(answering(begin() + frames::data(1, std::string("\0\xff\xff\xff\xff", 5))));

  EXPECT_EQ(status.code(), StatusCode::resource_exhausted);
  EXPECT_THAT(status.message(), HasSubstr("4194304"));
}

TEST_P(HostileServerTest, WhoseMessageNeverEndsIsLateAtTheDeadline) {
  const Status status = status_of_call(
      answering(begin() + frames::data(1, std::string(1, '\0') + frames::be32(4'000'000) +
                                              std::string(10'000, 'x'))),
      100ms);

  EXPECT_EQ(status.code(), StatusCode::deadline_exceeded);
  EXPECT_LT(took_, 3s);
}

TEST_P(HostileServerTest, WhoseMessageIsCutOffIsInternal) {
  const Status status =
      status_of_call(answering(begin() + frames::data(1, framed("abcdef").substr(0, 8)) + ok()));

  EXPECT_EQ(status.code(), StatusCode::internal) << status.to_string();
  EXPECT_THAT(status.message(), HasSubstr("inside a message"));
}

TEST_P(HostileServerTest, WhoseMessageIsNoProtobufIsInternalAndTheTypeIsNamed) {
  const Status status =
      status_of_call(answering(begin() + frames::data(1, framed("\xff\xff\xff")) + ok()));

  EXPECT_EQ(status.code(), StatusCode::internal) << status.to_string();
  EXPECT_THAT(status.message(), HasSubstr("nearcall.test.EchoReply"));
}

TEST_P(HostileServerTest, WhoseMessageIsCompressedUnaskedIsInternal) {
  const Status status = status_of_call(answering(begin() + frames::data(1, framed("x", 1)) + ok()));

  EXPECT_EQ(status.code(), StatusCode::internal) << status.to_string();
  EXPECT_THAT(status.message(), HasSubstr("compressed"));
}

TEST_P(HostileServerTest, WhoseEncodingWasNotOfferedIsInternalAndNamed) {
  const std::string block = frames::block(
      {{":status", "200"}, {"content-type", "application/grpc"}, {"grpc-encoding", "snappy"}});

  const Status status =
      status_of_call(answering(frames::headers(1, block) + frames::data(1, framed("x", 1)) + ok()));

  EXPECT_EQ(status.code(), StatusCode::internal) << status.to_string();
  EXPECT_THAT(status.message(), HasSubstr("snappy"));
}

TEST_P(HostileServerTest, WhoNamesAnEncodingAndCompressesNothingIsUnderstood) {
  const std::string block = frames::block(
      {{":status", "200"}, {"content-type", "application/grpc"}, {"grpc-encoding", "gzip"}});

  const Status status =
      status_of_call(answering(frames::headers(1, block) + frames::data(1, framed("")) + ok()));

  EXPECT_TRUE(status.ok()) << status.to_string();
}

TEST_P(HostileServerTest, ThatPushesIsLeft) {
  const Status status = status_of_call(answering(frames::raw(
      FrameType::push_promise, flag::end_headers, 1, frames::be32(2) + frames::request_block())));

  EXPECT_EQ(status.code(), StatusCode::unavailable);
  EXPECT_THAT(status.message(), HasSubstr("PUSH_PROMISE"));
}

TEST_P(HostileServerTest, WhoseGoawayIsRubbishIsLeft) {
  for (const std::string& answer :
       {frames::raw(FrameType::goaway, 0, 0, "abc"),
        frames::raw(FrameType::goaway, 0, 1, std::string(8, '\0')),
        frames::goaway(1, ErrorCode::no_error) + frames::goaway(5, ErrorCode::no_error)}) {
    EXPECT_EQ(status_of_call(answering(answer)).code(), StatusCode::unavailable);
  }
}

TEST_P(HostileServerTest, WhoseGoawayCarriesAMegabyteIsQuotedInShort) {
  const Status status = status_of_call([](FramePeer& client) {
    if (!awaits_call(client)) return;
    client.say(frames::goaway(1, ErrorCode::internal_error, std::string(1'000'000, 'x')));
  });

  EXPECT_EQ(status.code(), StatusCode::unavailable);
  EXPECT_LT(status.message().size(), 4'000U);
}

TEST_P(HostileServerTest, ThatFloodsSettingsDoesNotHoldACallBeyondItsDeadline) {
  std::string flood;
  for (int i = 0; i < 100'000; ++i)
    flood += frames::settings({{http2::SettingId::initial_window_size, 65'535}});

  const Status status = status_of_call(
      [&](FramePeer& client) {
        if (!client.greet()) return;
        client.say_deaf(flood);
        client.hear_end();
      },
      300ms);

  EXPECT_NE(status.code(), StatusCode::ok);
  EXPECT_LT(took_, 5s);
}

TEST_P(HostileServerTest, ThatFloodsPingsDoesNotHoldACallBeyondItsDeadline) {
  std::string flood;
  for (int i = 0; i < 1'000'000; ++i)
    flood += frames::ping("flooding");

  const Status status = status_of_call(
      [&](FramePeer& client) {
        if (!client.greet()) return;
        client.say(flood);
        client.hear_end();
      },
      300ms);

  EXPECT_NE(status.code(), StatusCode::ok);
  EXPECT_LT(took_, 5s);
}

TEST_P(HostileServerTest, WhoseDataComesBeforeItsHeadersIsInternal) {
  const Status status = status_of_call(answering(frames::data(1, framed("")) + ok()));

  EXPECT_EQ(status.code(), StatusCode::internal) << status.to_string();
}

TEST_P(HostileServerTest, WhoseTrailersComeFirstIsInternal) {
  EXPECT_EQ(status_of_call(answering(ok())).code(), StatusCode::internal);
}

TEST_P(HostileServerTest, WhoseTrailersComeWithoutAReplyIsUnimplemented) {
  EXPECT_EQ(status_of_call(answering(begin() + ok())).code(), StatusCode::unimplemented);
}

TEST_P(HostileServerTest, WhoseDataGoesOnAfterTheTrailersHarmsNoCall) {
  HostileServer server({answering(begin() + frames::data(1, framed("")) + ok() +
                                  frames::data(1, std::string(1000, 'x')) + begin() + ok())});
  Channel channel("http://localhost", server.options());

  for (int i = 0; i < 5; ++i) {
    const Status status = status_of_call(channel, 20s);
    EXPECT_TRUE(status.ok()) << i << ": " << status.to_string();
  }
}

TEST_P(HostileServerTest, ThatResetsAgainAndAgainHarmsNoOtherCall) {
  std::string answer = begin() + frames::data(1, framed("")) + ok();
  for (int i = 0; i < 10'000; ++i)
    answer += frames::rst_stream(1, ErrorCode::cancel);
  HostileServer server({answering(answer)});
  Channel channel("http://localhost", server.options());

  const Status status = status_of_call(channel, 20s);

  EXPECT_TRUE(status.ok()) << status.to_string();
}

TEST_P(HostileServerTest, ThatResetsEveryCallIsWhatTheCodeMeans) {
  struct Case {
    ErrorCode code;
    StatusCode status;
  };
  for (const Case& one : {Case{ErrorCode::refused_stream, StatusCode::unavailable},
                          Case{ErrorCode::cancel, StatusCode::cancelled},
                          Case{ErrorCode::enhance_your_calm, StatusCode::resource_exhausted},
                          Case{ErrorCode::inadequate_security, StatusCode::permission_denied},
                          Case{ErrorCode::no_error, StatusCode::internal},
                          Case{static_cast<ErrorCode>(0xdead'beef), StatusCode::internal}}) {
    const Status status = status_of_call([&](FramePeer& client) {
      if (!client.greet()) return;
      // A call that was refused comes a second time.
      for (http2::StreamId id = 1; !client.has_ended(); id += 2) {
        if (!client.hear_until([&] { return client.streams().contains(id) || client.has_ended(); }))
          return;
        client.say(frames::rst_stream(id, one.code));
      }
    });
    EXPECT_EQ(status.code(), one.status) << status.to_string();
  }
}

TEST_P(HostileServerTest, WhoseWindowsOverflowIsLeft) {
  EXPECT_EQ(status_of_call(answering(frames::window_update(0, 0x7fff'ffff))).code(),
            StatusCode::unavailable);
  EXPECT_EQ(status_of_call(
                answering(frames::settings({{http2::SettingId::initial_window_size, 0x8000'0000}})))
                .code(),
            StatusCode::unavailable);
}

TEST_P(HostileServerTest, WhoseStatusIsNoNumberIsUnknown) {
  for (const char* number : {"", "-1", "abc", "99", "0x1", "18446744073709551616"}) {
    const std::string trailers = frames::headers(1, frames::block({{"grpc-status", number}}),
                                                 flag::end_headers | flag::end_stream);
    const Status status =
        status_of_call(answering(begin() + frames::data(1, framed("")) + trailers));
    EXPECT_EQ(status.code(), StatusCode::unknown) << number << ": " << status.to_string();
  }
}

TEST_P(HostileServerTest, WithoutAnEndOfItsRepliesKeepsNoMoreThanAWindow) {
  const std::size_t before = resident_bytes(::getpid());
  const Status status = status_of_call(
      [](FramePeer& client) {
        if (!awaits_call(client)) return;
        std::string replies = begin();
        for (int i = 0; i < 1000; ++i)
          replies +=
              frames::data(1, framed(std::string("\x0a\x80\x7d", 3) + std::string(16'000, 'x')));
        client.say(replies);
        client.hear_end();
      },
      300ms);

  EXPECT_NE(status.code(), StatusCode::ok);
  EXPECT_LT(took_, 5s);
  if (!is_sanitized) {
    EXPECT_LT(resident_bytes(::getpid()), before + 64 * mebibyte);
  }
}

}  // namespace
}  // namespace nearcall::test
