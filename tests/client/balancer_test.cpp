// SPDX-License-Identifier: Apache-2.0
// Which of several backends may be picked, and what their states are together.
#include "client/balancer.hpp"

#include "support/log_capture.hpp"
#include "support/manual_loop.hpp"

#include <nearcall/picker.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;
using detail::Access;
using detail::Backend;
using detail::Balancer;
using detail::Connectivity;
using Event = Connectivity::Event;
using State = ConnectivityState;

class NotePicker final : public Picker {
 public:
  std::size_t pick(const PickRequest& /*request*/,
                   std::span<const PickableBackend> candidates) noexcept override {
    seen.clear();
    for (const PickableBackend& candidate : candidates)
      seen += candidate.target().back();
    return 0;
  }
  std::string seen;
};

class BalancerTest : public LogCheckedTest, protected ManualLoop {
 protected:
  Balancer& balancer() { return *Balancer::of(*front_); }
  std::string candidates(Balancer::Pass pass) {
    static const Metadata none;
    picker_->seen.clear();
    static_cast<void>(balancer().pick(Access::make<PickRequest>("/m", none), pass));
    return picker_->seen;
  }
  std::string candidates() { return candidates(balancer().begin_pass()); }
  /// Of the one with this name.
  std::shared_ptr<Backend> at(char name) { return balancer().find(target(name)); }
  static std::shared_ptr<const detail::MethodTable> methods() {
    const ChannelOptions options;
    return std::make_shared<detail::MethodTable>(options.authority(), options.codecs());
  }
  static std::string target(char name) { return std::string("ipv4:127.0.0.1:") + name; }
  void fail(char name) {
    at(name)->note(Event::attempt);
    at(name)->note(Event::failed);
  }
  void connect(char name) {
    at(name)->note(Event::attempt);
    at(name)->note(Event::connected);
  }

  const Status failure_{StatusCode::unavailable, "nobody listens"};
  std::shared_ptr<NotePicker> picker_ = std::make_shared<NotePicker>();
  std::shared_ptr<Backend> front_ = Balancer::make_front({target('1'), target('2'), target('3')},
                                                         ChannelOptions().picker(picker_),
                                                         methods(),
                                                         clock_of(clock_));
};

TEST_F(BalancerTest, OffersAllThatNobodyTriedYet) {
  EXPECT_EQ(candidates(), "123");
}

TEST_F(BalancerTest, OffersNoneThatPausesAfterAFailureUntilItsPauseIsOver) {
  fail('2');
  EXPECT_EQ(candidates(), "13");

  advance(2s);
  EXPECT_EQ(candidates(), "123");
}

TEST_F(BalancerTest, OffersThoseThatPauseWhereThereAreNoOthers) {
  fail('1');
  fail('2');
  fail('3');
  EXPECT_EQ(candidates(), "123");
}

TEST_F(BalancerTest, OffersNoneThatIsBeingConnectedWhereAnotherOneIsReady) {
  at('1')->note(Event::attempt);
  EXPECT_EQ(candidates(), "123");
  connect('2');
  EXPECT_EQ(candidates(), "23");
}

TEST_F(BalancerTest, APassLeavesOutWhatFailedSinceItBegan) {
  const Balancer::Pass pass = balancer().begin_pass();
  fail('2');
  EXPECT_EQ(candidates(pass), "13");
  EXPECT_TRUE(balancer().fail(*at('1'), pass, failure_));
  EXPECT_EQ(candidates(pass), "3");
  EXPECT_FALSE(balancer().fail(*at('3'), pass, failure_));
  EXPECT_EQ(candidates(pass), "");
}

TEST_F(BalancerTest, IsReadyIfOneIsElseConnectingElseIdleElseFailing) {
  EXPECT_EQ(front_->state(), State::idle);
  fail('1');
  EXPECT_EQ(front_->state(), State::idle);
  at('2')->note(Event::attempt);
  EXPECT_EQ(front_->state(), State::connecting);
  at('2')->note(Event::failed);
  EXPECT_EQ(front_->state(), State::idle);
  fail('3');
  EXPECT_EQ(front_->state(), State::transient_failure);
  connect('2');
  EXPECT_EQ(front_->state(), State::ready);
  at('2')->note(Event::lost);
  EXPECT_EQ(front_->state(), State::idle);
}

TEST_F(BalancerTest, AFailureLastsUntilThereIsAConnection) {
  for (const char name : {'1', '2', '3'})
    fail(name);
  at('1')->note(Event::attempt);
  EXPECT_EQ(front_->state(), State::transient_failure);
  at('1')->note(Event::connected);
  EXPECT_EQ(front_->state(), State::ready);
}

TEST_F(BalancerTest, TheNextAttemptIsThatOfWhicheverIsDueFirst) {
  for (const char name : {'1', '2', '3'}) {
    fail(name);
    advance(1ms);
  }
  EXPECT_EQ(front_->next_attempt(), at('1')->next_attempt());
}

TEST_F(BalancerTest, NewTargetsKeepThoseThatWereThereBefore) {
  const std::shared_ptr<Backend> second = at('2');
  const std::weak_ptr<Backend> first = at('1');
  connect('1');

  EXPECT_TRUE(balancer().set_targets({target('4'), target('2')}).ok());

  EXPECT_EQ(candidates(), "42");
  EXPECT_EQ(at('2'), second);
  EXPECT_TRUE(first.expired());
  EXPECT_EQ(front_->state(), State::idle);
}

TEST_F(BalancerTest, WithoutTargetsItFails) {
  EXPECT_TRUE(balancer().set_targets({}).ok());
  EXPECT_EQ(front_->state(), State::transient_failure);
  EXPECT_EQ(candidates(), "");
}

TEST_F(BalancerTest, ATargetThatStandsTwiceIsOneBackend) {
  EXPECT_TRUE(balancer().set_targets({target('1'), target('2'), target('1')}).ok());
  EXPECT_EQ(candidates(), "12");
}

TEST_F(BalancerTest, IsFoundByPathOnlyIfAllAre) {
  const auto paths_of = [](const std::vector<std::string>& targets) {
    return Balancer::make_front(targets, ChannelOptions(), methods())->paths();
  };
  EXPECT_TRUE(front_->paths().empty());
  EXPECT_EQ(paths_of({"unix:/a", "unix-dir:/b"}), (std::vector<std::string>{"/a", "/b/"}));
  EXPECT_TRUE(paths_of({"unix:/a", "dns:host:1"}).empty());
}

}  // namespace
}  // namespace nearcall::test
