// SPDX-License-Identifier: Apache-2.0
// The client's end of a connection: which call gets which event, and what its end means to them.
#include "client/client_connection.hpp"

#include "client/direct_client.hpp"
#include "support/io.hpp"
#include "support/limit_set.hpp"
#include "support/log_capture.hpp"
#include "transport/socket_transport.hpp"

#include <gtest/gtest.h>

namespace nearcall::test {

namespace http2 = detail::http2;
namespace {

using detail::Seen;
using http2::ErrorCode;
using OpenState = http2::Session::OpenState;

TEST(ClientConnection, TakesCallsBeforeTheServerSaysAnything) {
  DirectClient direct;

  EXPECT_EQ(direct.client().open_state(), OpenState::ready);
  EXPECT_EQ(direct.client().call_count(), 0U);
}

TEST(ClientConnection, EventsReachTheCallThatTheyAreFor) {
  DirectClient direct;
  DirectAttempt one;
  DirectAttempt two;
  http2::Stream& first = direct.open(one.attempt);
  http2::Stream& second = direct.open(two.attempt);
  EXPECT_EQ(direct.client().call_count(), 2U);

  direct.peer().begin(second);
  direct.turn();
  EXPECT_FALSE(one.attempt.has_headers());
  EXPECT_TRUE(two.attempt.has_headers());

  direct.peer().reset(first, ErrorCode::internal_error);
  direct.turn();
  EXPECT_TRUE(one.has_ended());
  EXPECT_FALSE(two.has_ended());
  EXPECT_EQ(direct.client().call_count(), 1U);
}

TEST(ClientConnection, TheServersSettingsAndEachCallThatEndsAreRoom) {
  DirectClient direct;
  direct.turn();
  EXPECT_EQ(direct.rooms, 1);

  DirectAttempt call;
  http2::Stream& stream = direct.open(call.attempt);
  EXPECT_EQ(direct.rooms, 1);
  direct.peer().reset(stream, ErrorCode::cancel);
  direct.turn();
  EXPECT_EQ(direct.rooms, 2);
}

TEST(ClientConnection, OutputOfACallIsTheDriversBusiness) {
  DirectClient direct;
  DirectAttempt call;
  direct.open(call.attempt);
  const int before = direct.outputs;
  call.attempt.half_close();

  EXPECT_GT(direct.outputs, before);
}

TEST(ClientConnection, GoawayLetsBegunCallsFinishAndTakesNoMore) {
  DirectClient direct;
  DirectAttempt call;
  http2::Stream& stream = direct.open(call.attempt);
  direct.peer().session().send_goaway(ErrorCode::no_error, "restarting");
  direct.turn();

  EXPECT_EQ(direct.client().open_state(), OpenState::closed);
  EXPECT_GE(direct.closings, 1);
  EXPECT_FALSE(call.has_ended());
  EXPECT_EQ(direct.client().lost_status().code(), StatusCode::unavailable);
  EXPECT_NE(direct.client().lost_status().message().find("restarting"), std::string::npos);

  direct.peer().begin(stream);
  direct.peer().end(stream);
  direct.turn();
  EXPECT_TRUE(call.has_ended());
  EXPECT_TRUE(call.status().ok()) << call.status().to_string();
}

TEST(ClientConnection, TheCodeOfAGoawayIsInTheStatusWithItsTextEscaped) {
  struct Row {
    ErrorCode code;
    const char* debug;
    const char* said;
  };
  const Row rows[] = {
      {ErrorCode::no_error, "", "mine: the connection is gone: the server said GOAWAY (NO_ERROR)"},
      {ErrorCode::enhance_your_calm, "slow\x1b[31m",
       "mine: the connection is gone: the server said GOAWAY (ENHANCE_YOUR_CALM): slow\\x1b[31m"},
      {static_cast<ErrorCode>(77), "\xff",
       "mine: the connection is gone: the server said GOAWAY (error code 77): \\xff"},
      {ErrorCode::inadequate_security, "no\n",
       "mine: the server said GOAWAY (INADEQUATE_SECURITY): no\\x0a"},
  };
  for (const Row& row : rows) {
    DirectClient direct;
    DirectAttempt call;
    direct.open(call.attempt);
    direct.peer().session().send_goaway(row.code, row.debug);
    direct.turn();

    EXPECT_EQ(direct.client().lost_status().message(), row.said);
  }
}

TEST(ClientConnection, TheCodeOfAGoawayDecidesOnTheReason) {
  struct Row {
    ErrorCode code;
    StatusReason reason;
  };
  const Row rows[] = {
      {ErrorCode::no_error, StatusReason::server_stopping},
      {ErrorCode::enhance_your_calm, StatusReason::limit},
      {ErrorCode::inadequate_security, StatusReason::refused},
      {ErrorCode::protocol_error, StatusReason::connection_lost},
      {ErrorCode::internal_error, StatusReason::connection_lost},
      {ErrorCode::flow_control_error, StatusReason::connection_lost},
      {ErrorCode::settings_timeout, StatusReason::connection_lost},
      {ErrorCode::frame_size_error, StatusReason::connection_lost},
      {ErrorCode::compression_error, StatusReason::connection_lost},
      {static_cast<ErrorCode>(77), StatusReason::connection_lost},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(http2::describe(row.code));
    DirectClient direct;
    DirectAttempt call;
    direct.open(call.attempt);
    direct.peer().session().send_goaway(row.code, {});
    direct.turn();

    EXPECT_EQ(direct.client().lost_status().reason(), row.reason);
  }
}

TEST(ClientConnection, TheLastGoawayDecidesOnTheReason) {
  DirectClient direct;
  DirectAttempt call;
  direct.open(call.attempt);
  for (const ErrorCode code : {ErrorCode::no_error, ErrorCode::enhance_your_calm}) {
    direct.peer().session().send_goaway(code, {});
    direct.turn();
  }

  EXPECT_EQ(direct.client().lost_status().reason(), StatusReason::limit);
}

TEST(ClientConnection, AViolationAfterAGoawayIsInTheStatusBesideIt) {
  DirectClient direct;
  DirectAttempt call;
  direct.open(call.attempt);
  direct.peer().session().send_goaway(ErrorCode::no_error, "restarting");
  direct.turn();
  const std::byte raised[] = {{}, {}, {}, std::byte{99}, {}, {}, {}, {}};
  direct.peer().session().send_frame(0x7, 0, 0, raised);  // GOAWAY with a higher last id
  direct.turn();

  ASSERT_TRUE(call.has_ended());
  EXPECT_EQ(call.status().message(),
            "mine: the connection is gone: the server said GOAWAY (NO_ERROR): restarting; then it "
            "broke HTTP/2: GOAWAY with a higher last id");
  EXPECT_EQ(call.status().reason(), StatusReason::connection_lost);
}

TEST(ClientConnection, ACallAboveTheLastGoawayIdWasNotBegun) {
  DirectClient direct;
  direct.turn();
  direct.peer().session().send_goaway(ErrorCode::no_error, {});
  direct.peer().flush();
  DirectAttempt call;
  direct.open_unsent(call.attempt);
  direct.take_in();

  ASSERT_TRUE(call.has_ended());
  EXPECT_EQ(call.seen(), Seen::refused);
  EXPECT_EQ(call.status().code(), StatusCode::unavailable);
}

TEST(ClientConnection, ItsEndIsTheEndOfItsCallsAndSaysWhoWent) {
  DirectClient direct;
  DirectAttempt one;
  DirectAttempt two;
  direct.open(one.attempt);
  direct.open(two.attempt);
  direct.close_peer();
  direct.take_in();

  EXPECT_EQ(one.status().code(), StatusCode::unavailable);
  EXPECT_EQ(two.status().code(), StatusCode::unavailable);
  EXPECT_EQ(one.status().message().find("mine: "), 0U);
  EXPECT_EQ(direct.client().open_state(), OpenState::closed);
  EXPECT_EQ(direct.client().call_count(), 0U);
  EXPECT_EQ(direct.closings, 1);
}

TEST(ClientConnection, WhatNeverLeftWasNotBegun) {
  DirectClient direct;
  DirectAttempt sent;
  DirectAttempt unsent;
  direct.open(sent.attempt);
  direct.close_peer();
  direct.open_unsent(unsent.attempt);
  direct.turn();

  EXPECT_EQ(sent.status().code(), StatusCode::unavailable);
  EXPECT_EQ(sent.seen(), Seen::perhaps);
  EXPECT_EQ(unsent.status().code(), StatusCode::unavailable);
  EXPECT_EQ(unsent.seen(), Seen::nothing);
}

TEST(ClientConnection, WhatNeverLeftIsNotBegunAgainWhenItIsUsWhoClose) {
  DirectClient direct;
  DirectAttempt unsent;
  direct.open_unsent(unsent.attempt);
  direct.client().pump().close(detail::EndReason::cancelled, "the channel went");

  EXPECT_TRUE(unsent.has_ended());
  EXPECT_EQ(unsent.seen(), Seen::ours);
}

TEST(ClientConnection, AfterAFailedWriteItReadsWhatTheServerSaidBeforeItClosed) {
  DirectClient direct;
  DirectAttempt begun;
  direct.open(begun.attempt);
  direct.peer().session().send_goaway(ErrorCode::no_error, "restarting");
  direct.close_peer();
  DirectAttempt late;
  direct.open_unsent(late.attempt);
  direct.client().pump().flush(
      detail::SteadyClock::now());  // EPIPE, with a GOAWAY still to be read

  EXPECT_EQ(late.seen(), Seen::refused);
  EXPECT_EQ(begun.status().code(), StatusCode::unavailable);
  EXPECT_NE(begun.status().message().find("restarting"), std::string::npos)
      << begun.status().to_string();
}

class Nobody final : public detail::ClientDriver {
 public:
  void on_output() override {}
  void on_room() override {}
  void on_closing() override {}
};

TEST(ClientConnection, WhatIsNoHttp2IsNamedThoughNoCallWasOpenedYet) {
  Result<detail::SocketPair> pair = detail::make_socketpair();
  ASSERT_TRUE(write_all(*pair->second, "HTTP/1.1 400 Bad Request\r\n\r\n"));
  Nobody driver;
  detail::ConnectionCounters counters;
  detail::ClientConnection client(std::move(pair->first), "mine", ConnectionLimits(), driver,
                                  counters, detail::SteadyClock::now());

  client.pump().read(detail::read_scratch(), detail::SteadyClock::now());

  EXPECT_EQ(client.open_state(), OpenState::closed);
  EXPECT_NE(client.lost_status().message().find("HTTP/1.1"), std::string::npos)
      << client.lost_status().to_string();
}

TEST(ClientConnection, ThatWritersWaitForTheServerIsLoggedOnceWithTheBudgetAndTheTarget) {
  LogCapture log;
  using Write = detail::MessageOutbox::Write;
  DirectClient direct(LimitSet{.max_buffered_output = 0}, {.initial_window_size = 0});
  direct.turn();
  DirectAttempt one;
  DirectAttempt two;
  direct.open(one.attempt);
  direct.open(two.attempt);

  EXPECT_EQ(one.attempt.messages().out().try_write(text_of("a")), Write::taken);
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(two.attempt.messages().out().try_write(text_of("a")), Write::full);
    direct.turn();
  }

  EXPECT_TRUE(log.take("mine: the peer does not read what other calls sent (max_buffered_output)"));
  EXPECT_FALSE(log.take("max_buffered_output"));
}

TEST(ClientConnection, WhatTheServerDidWrongIsInTheStatus) {
  DirectClient direct;
  DirectAttempt call;
  direct.open(call.attempt);
  const std::byte zero[4] = {};
  direct.peer().session().send_frame(0x8, 0, 0, zero);  // WINDOW_UPDATE by 0
  direct.turn();

  EXPECT_EQ(call.status().code(), StatusCode::unavailable);
  EXPECT_NE(call.status().message().find("WINDOW_UPDATE"), std::string::npos)
      << call.status().to_string();
  direct.peer().turn();
  EXPECT_TRUE(direct.peer().has_goaway());
}

// ---- keepalive (gRFC A8) ------------------------------------------------------------------------

/// The server finds that `client` pings too often.
void ask_for_calm(DirectClient& direct, std::string_view debug) {
  direct.turn();
  direct.peer().session().send_goaway(ErrorCode::enhance_your_calm, debug);
  direct.peer().flush();
  direct.take_in();
}

TEST(ClientConnection, ThatPingsTooOftenDoublesTheTimeOfTheNextOnesOnce) {
  LogCapture log;
  detail::KeepAlivePace pace(ChannelOptions().keepalive_time(std::chrono::seconds(10)));
  DirectClient first;
  DirectClient second;
  for (DirectClient* const direct : {&first, &second})
    direct->client().keep_alive(pace, detail::SteadyClock::now());

  ask_for_calm(first, "too_many_pings");
  ask_for_calm(second, "too_many_pings");

  EXPECT_EQ(pace.options().time, std::chrono::seconds(20));
  EXPECT_TRUE(log.take("mine: the server said too_many_pings: keepalive_time(), now 10 s"));
  EXPECT_FALSE(log.take("too_many_pings")) << "once";
  DirectClient third;
  third.client().keep_alive(pace, detail::SteadyClock::now());
  ask_for_calm(third, "too_many_pings");
  EXPECT_EQ(pace.options().time, std::chrono::seconds(40));
  EXPECT_TRUE(log.take("now 20 s"));
}

TEST(ClientConnection, ThatIsToldToCalmDownForAnotherReasonPingsAsBefore) {
  detail::KeepAlivePace pace(ChannelOptions().keepalive_time(std::chrono::seconds(10)));
  DirectClient direct;
  direct.client().keep_alive(pace, detail::SteadyClock::now());

  ask_for_calm(direct, "too many reset streams");

  EXPECT_EQ(pace.options().time, std::chrono::seconds(10));
}

TEST(ClientConnection, WithoutKeepaliveHasNothingToDouble) {
  detail::KeepAlivePace pace{ChannelOptions()};
  DirectClient direct;
  direct.client().keep_alive(pace, detail::SteadyClock::now());

  ask_for_calm(direct, "too_many_pings");

  EXPECT_EQ(pace.options().time, detail::Duration::max());
}

TEST(ClientConnection, WhoseServerIsSilentFailsItsCallsWithTheNameOfTheTimeout) {
  DirectClient direct;
  DirectAttempt call;
  direct.open(call.attempt);
  const detail::TimePoint start = detail::SteadyClock::now();
  detail::KeepAlivePace pace(ChannelOptions().keepalive_time(std::chrono::seconds(10)));
  direct.client().keep_alive(pace, start);

  direct.client().pump().on_time(start + std::chrono::seconds(10));
  EXPECT_FALSE(call.has_ended());
  direct.client().pump().on_time(start + std::chrono::seconds(30));
  direct.client().pump().on_time(start + std::chrono::seconds(31));

  EXPECT_EQ(call.status().code(), StatusCode::unavailable);
  EXPECT_EQ(call.status().reason(), StatusReason::no_answer);
  EXPECT_NE(call.status().message().find("keepalive_timeout"), std::string::npos)
      << call.status().to_string();
}

}  // namespace
}  // namespace nearcall::test
