// SPDX-License-Identifier: Apache-2.0
// How channels wait for servers, by their targets.
#include "client/channel_target.hpp"

#include <gtest/gtest.h>

#include <string>

namespace nearcall::inline v0::detail {
namespace {

using namespace std::chrono_literals;

ChannelOptions with_connector() {
  return ChannelOptions().connector(
      [](const ConnectContext&) -> Task<Result<std::unique_ptr<Transport>>> {
        co_return Status::unavailable("nobody");
      });
}

TEST(ChannelTarget, OnAMachineIsTriedEachTenthOfASecondAndOverNetworksAsGrpcSays) {
  for (const std::string target : {"unix:/run/app.sock", "unix-abstract:app", "inproc:app"}) {
    const Connectivity::Backoff backoff = backoff_to(target, ChannelOptions());
    EXPECT_EQ(backoff.first, 1ms) << target;
    EXPECT_EQ(backoff.factor, 2) << target;
    EXPECT_EQ(backoff.longest, 100ms) << target;
  }
  for (const std::string target : {"ipv4:127.0.0.1:1", "ipv6:[::1]:1", "vsock:2:1"}) {
    const Connectivity::Backoff backoff = backoff_to(target, ChannelOptions());
    EXPECT_EQ(backoff.first, 1s) << target;
    EXPECT_EQ(backoff.factor, 1.6) << target;
    EXPECT_EQ(backoff.jitter, 0.2) << target;
    EXPECT_EQ(backoff.longest, 120s) << target;
  }
}

TEST(ChannelTarget, WhoConnectsByTheUsersOwnIsTriedMoreSeldom) {
  EXPECT_EQ(backoff_to("unix:/run/app.sock", with_connector()).longest, 1s);
  EXPECT_EQ(backoff_to("exec:cat", ChannelOptions()).longest, 1s);
  EXPECT_EQ(backoff_to("nonsense:://", ChannelOptions()).longest, 1s);
}

TEST(ChannelTarget, HasAPathWhereASocketFileIsWaitedFor) {
  EXPECT_EQ(path_of("unix:/run/app.sock", ChannelOptions()), "/run/app.sock");
  EXPECT_EQ(path_of("unix:app.sock", ChannelOptions()), "app.sock");
  EXPECT_EQ(path_of("unix:/run/app.sock", with_connector()), "");
  EXPECT_EQ(path_of("unix-abstract:app", ChannelOptions()), "");
  EXPECT_EQ(path_of("nonsense:://", ChannelOptions()), "");
}

}  // namespace
}  // namespace nearcall::inline v0::detail
