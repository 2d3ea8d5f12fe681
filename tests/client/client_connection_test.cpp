// SPDX-License-Identifier: Apache-2.0
// The client's end of a connection: which call gets which event, and what its end means to them.
#include "client/client_connection.hpp"

#include "client/direct_client.hpp"

#include <gtest/gtest.h>

namespace nearcall::test {
namespace {

using http2::ErrorCode;
using OpenState = http2::Session::OpenState;

TEST(ClientConnection, TakesCallsBeforeTheServerSaysAnything) {
  DirectClient direct;

  EXPECT_EQ(direct.client().open_state(), OpenState::ready);
  EXPECT_EQ(direct.client().call_count(), 0U);
}

TEST(ClientConnection, EventsReachTheCallThatTheyAreFor) {
  DirectClient direct;
  DirectCall one(direct.method());
  DirectCall two(direct.method());
  http2::Stream& first = direct.open(one);
  http2::Stream& second = direct.open(two);
  EXPECT_EQ(direct.client().call_count(), 2U);

  direct.peer().begin(second);
  direct.turn();
  EXPECT_FALSE(one.has_headers());
  EXPECT_TRUE(two.has_headers());

  direct.peer().reset(first, ErrorCode::internal_error);
  direct.turn();
  EXPECT_TRUE(one.is_over());
  EXPECT_FALSE(two.is_over());
  EXPECT_EQ(direct.client().call_count(), 1U);
}

TEST(ClientConnection, TheServersSettingsAndEachCallThatEndsAreRoom) {
  DirectClient direct;
  direct.turn();
  EXPECT_EQ(direct.rooms, 1);

  DirectCall call(direct.method());
  http2::Stream& stream = direct.open(call);
  EXPECT_EQ(direct.rooms, 1);
  direct.peer().reset(stream, ErrorCode::cancel);
  direct.turn();
  EXPECT_EQ(direct.rooms, 2);
}

TEST(ClientConnection, OutputOfACallIsTheDriversBusiness) {
  DirectClient direct;
  DirectCall call(direct.method());
  direct.open(call);
  const int before = direct.outputs;
  call.half_close();

  EXPECT_GT(direct.outputs, before);
}

TEST(ClientConnection, GoawayLetsBegunCallsFinishAndTakesNoMore) {
  DirectClient direct;
  DirectCall call(direct.method());
  http2::Stream& stream = direct.open(call);
  direct.peer().session().send_goaway(ErrorCode::no_error, "restarting");
  direct.turn();

  EXPECT_EQ(direct.client().open_state(), OpenState::closed);
  EXPECT_GE(direct.closings, 1);
  EXPECT_FALSE(call.is_over());
  EXPECT_EQ(direct.client().lost_status().code(), StatusCode::unavailable);
  EXPECT_NE(direct.client().lost_status().message().find("restarting"), std::string::npos);

  direct.peer().begin(stream);
  direct.peer().end(stream);
  direct.turn();
  EXPECT_TRUE(call.is_over());
  EXPECT_TRUE(call.status().ok()) << call.status().to_string();
}

TEST(ClientConnection, ACallAboveTheLastGoawayIdWasNotBegun) {
  DirectClient direct;
  direct.turn();
  direct.peer().session().send_goaway(ErrorCode::no_error, {});
  direct.peer().flush();
  DirectCall call(direct.method());
  call.open(direct.client(), /*loop=*/nullptr, /*end_stream=*/false);
  direct.take_in();

  EXPECT_TRUE(call.is_over());
  EXPECT_EQ(call.not_begun, 1);
  EXPECT_EQ(call.status().code(), StatusCode::unavailable);
}

TEST(ClientConnection, ItsEndIsTheEndOfItsCallsAndSaysWhoWent) {
  DirectClient direct;
  DirectCall one(direct.method());
  DirectCall two(direct.method());
  direct.open(one);
  direct.open(two);
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
  DirectCall sent(direct.method());
  DirectCall unsent(direct.method());
  direct.open(sent);
  direct.close_peer();
  unsent.open(direct.client(), /*loop=*/nullptr, /*end_stream=*/false);
  direct.turn();

  EXPECT_EQ(sent.status().code(), StatusCode::unavailable);
  EXPECT_EQ(sent.not_begun, 0);
  EXPECT_EQ(unsent.status().code(), StatusCode::unavailable);
  EXPECT_EQ(unsent.not_begun, 1);
}

TEST(ClientConnection, WhatNeverLeftIsNotBegunAgainWhenItIsUsWhoClose) {
  DirectClient direct;
  DirectCall unsent(direct.method());
  unsent.open(direct.client(), /*loop=*/nullptr, /*end_stream=*/false);
  direct.client().pump().end(EndReason::cancelled, "the channel went");

  EXPECT_TRUE(unsent.is_over());
  EXPECT_EQ(unsent.not_begun, 0);
}

TEST(ClientConnection, AfterAFailedWriteItReadsWhatTheServerSaidBeforeItClosed) {
  DirectClient direct;
  DirectCall begun(direct.method());
  direct.open(begun);
  direct.peer().session().send_goaway(ErrorCode::no_error, "restarting");
  direct.close_peer();
  DirectCall late(direct.method());
  late.open(direct.client(), /*loop=*/nullptr, /*end_stream=*/false);
  direct.client().pump().flush(SteadyClock::now());  // EPIPE, with a GOAWAY still to be read

  EXPECT_EQ(late.not_begun, 1);
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
  Result<SocketPair> pair = make_socketpair();
  ASSERT_TRUE(write_all(*pair->second, "HTTP/1.1 400 Bad Request\r\n\r\n"));
  Nobody driver;
  detail::ClientConnection client(std::move(pair->first), "mine", ConnectionLimits(), driver,
                                  SteadyClock::now());

  client.pump().read(detail::read_scratch(), SteadyClock::now());

  EXPECT_EQ(client.open_state(), OpenState::closed);
  EXPECT_NE(client.lost_status().message().find("HTTP/1.1"), std::string::npos)
      << client.lost_status().to_string();
}

TEST(ClientConnection, WhatTheServerDidWrongIsInTheStatus) {
  DirectClient direct;
  DirectCall call(direct.method());
  direct.open(call);
  const std::byte zero[4] = {};
  direct.peer().session().send_frame(0x8, 0, 0, zero);  // WINDOW_UPDATE by 0
  direct.turn();

  EXPECT_EQ(call.status().code(), StatusCode::unavailable);
  EXPECT_NE(call.status().message().find("WINDOW_UPDATE"), std::string::npos)
      << call.status().to_string();
  direct.peer().turn();
  EXPECT_TRUE(direct.peer().has_goaway());
}

}  // namespace
}  // namespace nearcall::test
