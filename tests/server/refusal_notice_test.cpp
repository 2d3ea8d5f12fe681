// SPDX-License-Identifier: Apache-2.0
// Refusal notices: what a client reads.
#include "server/refusal_notice.hpp"

#include "base/bytes.hpp"
#include "http2/session.hpp"
#include "support/io.hpp"
#include "transport/socket_transport.hpp"

#include <gtest/gtest.h>

#include <string>

namespace nearcall::inline v0::detail {
namespace {

/// The events of a client that reads the notice with that name of a policy.
class RefusalNoticeTest : public testing::Test {
 protected:
  void refuse(const std::string& policy) {
    auto pair = make_socketpair();
    ASSERT_TRUE(pair);
    send_refusal_notice(*pair->first, policy);
    read_from(*std::move(pair));
  }
  void read_from(SocketPair pair) {
    pair.first.reset();
    const std::string bytes = test::read_exactly(*pair.second, 4096);
    client_.receive(as_bytes(std::span(bytes)), TimePoint());
    for (;;) {
      const http2::Event event = client_.next_event();
      if (http2::is_none(event)) break;
      ++events_;
      has_settings_ |= std::holds_alternative<http2::SettingsEvent>(event);
      const auto* const goaway = std::get_if<http2::GoawayEvent>(&event);
      if (goaway == nullptr) continue;
      code_ = goaway->code;
      last_id_ = goaway->last;
      text_ = as_text(goaway->debug);
    }
  }

  http2::Session client_{http2::Role::client, {}, TimePoint()};
  int events_ = 0;
  bool has_settings_ = false;
  http2::ErrorCode code_{};
  http2::StreamId last_id_ = 1;
  std::string text_;
};

TEST_F(RefusalNoticeTest, IsAGoawayThatNamesThePolicy) {
  refuse("same user or root");

  EXPECT_TRUE(has_settings_);
  EXPECT_EQ(events_, 2) << "SETTINGS and GOAWAY";
  EXPECT_EQ(code_, http2::ErrorCode::inadequate_security);
  EXPECT_EQ(last_id_, 0U) << "no call was begun";
  EXPECT_EQ(text_, "not admitted; the server's policy: same user or root");
}

TEST_F(RefusalNoticeTest, ShortensALongName) {
  refuse(std::string(1000, 'x'));

  EXPECT_EQ(text_, "not admitted; the server's policy: " + std::string(200, 'x'));
}

TEST_F(RefusalNoticeTest, OfASuccessorIsAGracefulGoaway) {
  auto pair = make_socketpair();
  ASSERT_TRUE(pair);

  send_move_notice(*pair->first);

  read_from(*std::move(pair));
  EXPECT_TRUE(has_settings_);
  EXPECT_EQ(events_, 2) << "SETTINGS and GOAWAY";
  EXPECT_EQ(code_, http2::ErrorCode::no_error);
  EXPECT_EQ(last_id_, 0U) << "no call was begun";
  EXPECT_EQ(text_, "another server has taken the name over");
}

TEST_F(RefusalNoticeTest, ToAPeerThatHasGoneIsLost) {
  auto pair = make_socketpair();
  ASSERT_TRUE(pair);
  pair->second.reset();

  send_refusal_notice(*pair->first, "root");

  EXPECT_EQ(test::read_kind(*pair->first), IoResult::Kind::end_of_stream);
}

}  // namespace
}  // namespace nearcall::inline v0::detail
