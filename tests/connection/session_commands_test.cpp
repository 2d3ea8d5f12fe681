// SPDX-License-Identifier: Apache-2.0
// SessionCommands: who is told of what they put out, and when.
#include "connection/session_commands.hpp"

#include "support/session_pair.hpp"

#include <gtest/gtest.h>

namespace nearcall::inline v0::detail {
namespace {

struct CountingOwner {
  void on_output() { ++told; }
  int told = 0;
};

class SessionCommandsTest : public testing::Test {
 protected:
  SessionCommandsTest() : session_(http2::Role::client, {}, SteadyClock::now()) {
    test::take_output(session_);
  }
  SessionCommands<CountingOwner> commands() { return {owner_, session_}; }

  CountingOwner owner_;
  http2::Session session_;
};

TEST_F(SessionCommandsTest, TellTheOwnerWhenACommandWasGiven) {
  commands()->send_ping(1);

  EXPECT_TRUE(session_.has_output());
  EXPECT_EQ(owner_.told, 1);
}

TEST_F(SessionCommandsTest, TellItOnceOfSeveralWhenTheLastWasGiven) {
  {
    const SessionCommands several = commands();
    several->send_ping(1);
    several->send_ping(2);
    EXPECT_EQ(owner_.told, 0);
  }

  EXPECT_EQ(owner_.told, 1);
}

}  // namespace
}  // namespace nearcall::inline v0::detail
