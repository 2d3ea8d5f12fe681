// SPDX-License-Identifier: Apache-2.0
// ServerShared: what is logged of peers, and how often.
#include "server/server_shared.hpp"

#include "support/log_capture.hpp"

#include <gtest/gtest.h>

#include <chrono>

namespace nearcall::test {
namespace {

using ServerSharedTest = LogCheckedTest;

TEST_F(ServerSharedTest, WhatPeersDoWrongIsOneLineASecondWithTheirName) {
  detail::ServerShared shared{ServerOptions()};
  const PeerIdentity peer("unix:/a");
  const detail::TimePoint now{std::chrono::hours(1)};

  for (int i = 0; i < 20; ++i)
    shared.log_peer_fault(peer, "too many of these", now);

  EXPECT_EQ(log_capture().lines().size(), 1U);
  EXPECT_TRUE(log_capture().take(peer.to_string() + ": too many of these"));

  shared.log_peer_fault(peer, "and again", now + std::chrono::seconds(1));

  EXPECT_TRUE(log_capture().take("and again (and 19 more before)"));
}

}  // namespace
}  // namespace nearcall::test
