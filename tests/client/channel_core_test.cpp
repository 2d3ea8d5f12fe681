// SPDX-License-Identifier: Apache-2.0
// What a channel makes of its targets: one backend, or the front of several.
#include "client/channel_core.hpp"

#include "support/log_capture.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace nearcall::test {
namespace {

using detail::ChannelCore;

using Targets = std::vector<std::string>;

class ChannelCoreTest : public LogCheckedTest {};

TEST_F(ChannelCoreTest, OneTargetHasABackendOfItsOwn) {
  const ChannelCore one("unix:/a", ChannelOptions());
  EXPECT_EQ(one.backend().group(), nullptr);
  EXPECT_EQ(one.backend().target(), "unix:/a");
}

TEST_F(ChannelCoreTest, SeveralHaveAFront) {
  const ChannelCore several(Targets{"unix:/a", "unix:/b", "unix:/c", "unix:/d"}, ChannelOptions());
  EXPECT_NE(several.backend().group(), nullptr);
  EXPECT_EQ(several.backend().target(), "unix:/a, unix:/b, unix:/c and 1 more");
}

TEST_F(ChannelCoreTest, APickerIsAskedForOneTargetToo) {
  const ChannelCore one("unix:/a", ChannelOptions().picker(Picker::round_robin()));
  EXPECT_NE(one.backend().group(), nullptr);
}

TEST_F(ChannelCoreTest, OneWrongTargetIsTheMisuseOfAll) {
  const ChannelCore wrong(Targets{"unix:/a", "nothing"}, ChannelOptions());
  EXPECT_EQ(wrong.backend().misuse().reason(), StatusReason::bad_target);
  EXPECT_EQ(wrong.backend().state(), ConnectivityState::shutdown);

  const ChannelCore none(Targets{}, ChannelOptions());
  EXPECT_EQ(none.backend().misuse().reason(), StatusReason::bad_target);
}

TEST_F(ChannelCoreTest, AWrongOptionIsTheMisuseOfAll) {
  const ChannelCore wrong(Targets{"unix:/a", "unix:/b"}, ChannelOptions().service_config("{"));
  EXPECT_EQ(wrong.backend().misuse().reason(), StatusReason::misuse);
}

}  // namespace
}  // namespace nearcall::test
