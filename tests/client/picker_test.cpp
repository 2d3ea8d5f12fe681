// SPDX-License-Identifier: Apache-2.0
// Which backend each call of a channel to several goes to, in both forms.
#include "client/several_backends.hpp"

#include <nearcall/picker.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;

/// The last one; keeps what it was asked.
class PickLast final : public Picker {
 public:
  std::size_t pick(const PickRequest& request,
                   std::span<const PickableBackend> candidates) noexcept override {
    const std::lock_guard lock(mutex_);
    std::string seen(request.method());
    for (const Metadata::Entry& entry : request.metadata())
      seen += " " + std::string(entry.key()) + "=" + std::string(entry.value());
    for (const PickableBackend& candidate : candidates)
      seen.append(" ").append(candidate.target()).append(":").append(to_string(candidate.state()));
    asked_.push_back(std::move(seen));
    return candidates.size() - 1;
  }
  std::vector<std::string> asked() const {
    const std::lock_guard lock(mutex_);
    return asked_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> asked_;
};

class PickNone final : public Picker {
 public:
  std::size_t pick(const PickRequest& /*request*/,
                   std::span<const PickableBackend> candidates) noexcept override {
    return candidates.size();
  }
};

class PickerTest : public SeveralBackends {
 protected:
  ChannelOptions round_robin() { return options().picker(Picker::round_robin()); }
};

INSTANTIATE_TEST_SUITE_P(Forms,
                         PickerTest,
                         testing::Values(CallForm::blocking, CallForm::awaited),
                         testing::PrintToStringParamName());

TEST_P(PickerTest, PickFirstGoesToTheFirstOneThatCanBeConnectedAndStaysThere) {
  at("a").take_down();
  const Channel channel = this->channel();

  EXPECT_EQ(who_answers(channel, 3), "bbb");
  at("a").bring_up();
  EXPECT_EQ(who_answers(channel, 3), "bbb");
  EXPECT_EQ(at("a").attempts(), 1);
  EXPECT_EQ(at("c").attempts(), 0);
}

TEST_P(PickerTest, PickFirstBeginsAnewWhenItsConnectionIsGone) {
  at("a").take_down();
  const Channel channel = this->channel();
  EXPECT_EQ(who_answers(channel), "b");

  at("a").bring_up();
  at("b").take_down();
  at("c").take_down();
  channel.close_idle();
  EXPECT_EQ(who_answers(channel, 2), "aa");
}

TEST_P(PickerTest, RoundRobinGoesRound) {
  const Channel channel = this->channel(round_robin());

  std::string round = who_answers(channel, 3);
  EXPECT_EQ(who_answers(channel, 6), round + round);
  std::ranges::sort(round);
  EXPECT_EQ(round, "abc");
}

TEST_P(PickerTest, RoundRobinPassesOverOneThatIsDown) {
  at("b").take_down();
  const Channel channel = this->channel(round_robin());

  std::string answers = who_answers(channel, 12);
  EXPECT_GE(std::ranges::count(answers, 'a'), 4);
  EXPECT_GE(std::ranges::count(answers, 'c'), 4);
  EXPECT_EQ(answers.size(), 12);
}

TEST_P(PickerTest, TheServiceConfigChooses) {
  const Channel by_turns = channel(options().service_config(
      R"({"loadBalancingConfig":[{"unknown_to_us":{}},{"round_robin":{}}]})"));
  std::string answers = who_answers(by_turns, 3);
  std::ranges::sort(answers);
  EXPECT_EQ(answers, "abc");

  const Channel first =
      channel(options().service_config(R"({"loadBalancingConfig":[{"pick_first":{}}]})"));
  EXPECT_EQ(who_answers(first, 3), "aaa");
}

TEST_P(PickerTest, PickFirstShufflesWhereTheConfigSaysSo) {
  std::set<std::string> firsts;
  for (int i = 0; i < 60 && firsts.size() < 3; ++i) {
    const Channel shuffled = channel(options().service_config(
        R"({"loadBalancingConfig":[{"pick_first":{"shuffleAddressList":true}}]})"));
    firsts.insert(who_answers(shuffled));
  }
  EXPECT_EQ(firsts, (std::set<std::string>{"a", "b", "c"}));
}

TEST_P(PickerTest, AConfigWithoutAKnownPolicyFailsEachCallAndNamesTheField) {
  for (const char* const config :
       {R"({"loadBalancingConfig":[{"ring_hash":{}}]})", R"({"loadBalancingConfig":"round_robin"})",
        R"({"loadBalancingConfig":[{"round_robin":7}]})"}) {
    const Status status = call(channel(options().service_config(config))).status();
    EXPECT_EQ(status.code(), StatusCode::failed_precondition);
    EXPECT_NE(status.message().find("loadBalancingConfig"), std::string::npos)
        << status.to_string();
  }
}

TEST_P(PickerTest, OneOfTheProgramsOwnSeesTheCallAndWhatIsThere) {
  const auto picker = std::make_shared<PickLast>();
  at("c").take_down();
  const Channel channel = this->channel(options().picker(picker));

  EXPECT_EQ(who_answers(channel, patient().metadata("key", "value")), "b");
  EXPECT_EQ(who_answers(channel), "b");

  const std::vector<std::string> asked = picker->asked();
  ASSERT_GE(asked.size(), 3);  // more, where a connection takes its time
  EXPECT_EQ(asked[0], "/test.Script/Unary key=value a:IDLE b:IDLE c:IDLE");
  EXPECT_EQ(asked[1], "/test.Script/Unary key=value a:IDLE b:IDLE");
  EXPECT_TRUE(asked.back().starts_with("/test.Script/Unary a:IDLE b:READY")) << asked.back();
}

TEST_P(PickerTest, WhatIsNoPlaceCountsAsTheFirst) {
  EXPECT_EQ(who_answers(channel(options().picker(std::make_shared<PickNone>()))), "a");
}

TEST_P(PickerTest, APickerMayBeOneForSeveralChannels) {
  const auto picker = Picker::round_robin();
  const Channel one = channel(options().picker(picker));
  const Channel other = channel(options().picker(picker));

  std::string answers = who_answers(one) + who_answers(other) + who_answers(one);
  std::ranges::sort(answers);
  EXPECT_EQ(answers, "abc");
}

}  // namespace
}  // namespace nearcall::test
