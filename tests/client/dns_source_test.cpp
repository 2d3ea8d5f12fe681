// SPDX-License-Identifier: Apache-2.0
// When a host's name is looked up, and calls on a channel to it, with a resolver of the test's.
#include "client/dns_source.hpp"

#include "client/several_backends.hpp"
#include "support/bell.hpp"

#include <nearcall/channel.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;
using detail::DnsSource;
using detail::HostResolver;
using detail::TimePoint;

/// A resolver whose answers come when the test wants them. It outlives its questions.
class SlowResolver {
 public:
  using Answer = Result<std::vector<std::string>>;

  ~SlowResolver() { release(); }
  /// A thread may come to ask after nobody waits any more: it shares what it needs.
  HostResolver resolver() {
    return {[state = state_](const std::string&, unsigned) { return state->answer(); }};
  }
  void set_answer(Answer answer) {
    const std::lock_guard lock(state_->mutex);
    state_->given = std::move(answer);
  }
  void hold() {
    const std::lock_guard lock(state_->mutex);
    state_->is_held = true;
  }
  void release() {
    const std::lock_guard lock(state_->mutex);
    state_->is_held = false;
    state_->changed.notify_all();
  }
  int questions() const {
    const std::lock_guard lock(state_->mutex);
    return state_->questions;
  }
  void wait_for_question() {
    std::unique_lock lock(state_->mutex);
    state_->changed.wait(lock, [this] { return state_->questions > 0; });
  }

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    bool is_held = false;
    int questions = 0;
    Answer given = Status::unavailable("nobody knows that name");

    Answer answer() {
      std::unique_lock lock(mutex);
      ++questions;
      changed.notify_all();
      changed.wait(lock, [this] { return !is_held; });
      return given;
    }
  };

  std::shared_ptr<State> state_ = std::make_shared<State>();
};

class DnsSourceTest : public LogCheckedTest {
 protected:
  /// Looks until the answer that is under way has come.
  void look_until_answered() {
    source_.look(now_);
    while (is_answered_.exchange(false) == false)
      std::this_thread::yield();
    EXPECT_TRUE(source_.look(now_));
  }

  TimePoint now_{1h};
  std::atomic<bool> is_answered_{false};
  SlowResolver resolver_;
  DnsSource source_{"host", 7, resolver_.resolver(), [this] { is_answered_ = true; }};
};

TEST_F(DnsSourceTest, SaysWhereTheBackendsAreOnceThereIsAnAnswer) {
  resolver_.set_answer(std::vector<std::string>{"ipv4:127.0.0.2:7", "ipv4:127.0.0.1:7"});
  resolver_.hold();
  EXPECT_TRUE(source_.look(now_));
  EXPECT_TRUE(source_.is_looking());
  EXPECT_FALSE(source_.look(now_));

  resolver_.release();
  while (!is_answered_)
    std::this_thread::yield();
  EXPECT_TRUE(source_.look(now_));

  EXPECT_FALSE(source_.is_looking());
  EXPECT_EQ(source_.targets(), (std::vector<std::string>{"ipv4:127.0.0.2:7", "ipv4:127.0.0.1:7"}));
}

TEST_F(DnsSourceTest, LooksAgainAfterAFailureAndThirtySecondsAtTheEarliest) {
  resolver_.set_answer(std::vector<std::string>{"ipv4:127.0.0.1:7"});
  look_until_answered();
  now_ += 1h;
  EXPECT_FALSE(source_.look(now_));

  now_ -= 1h - 29s;
  source_.note_failure();
  EXPECT_FALSE(source_.look(now_));
  EXPECT_EQ(source_.next_look(), now_ + 1s);
  now_ += 1s;
  look_until_answered();
  EXPECT_EQ(resolver_.questions(), 2);
}

TEST_F(DnsSourceTest, WaitsLongerAfterEachFailureOfTheResolver) {
  const TimePoint begin = now_;
  look_until_answered();
  EXPECT_EQ(source_.failure().message(), "nobody knows that name");
  EXPECT_EQ(source_.next_look(), begin + 1s);
  EXPECT_FALSE(source_.look(now_));

  now_ += 1s;
  look_until_answered();
  EXPECT_EQ(source_.next_look(), now_ + 1600ms);
  for (int i = 0; i < 20; ++i) {
    now_ = source_.next_look();
    look_until_answered();
  }
  EXPECT_EQ(source_.next_look(), now_ + 2min);
}

TEST_F(DnsSourceTest, AFailureForgetsNothing) {
  resolver_.set_answer(std::vector<std::string>{"ipv4:127.0.0.1:7"});
  look_until_answered();
  resolver_.set_answer(Status::unavailable("too busy"));
  source_.note_failure();
  now_ += 30s;
  look_until_answered();

  EXPECT_EQ(source_.targets().size(), 1U);
  EXPECT_EQ(source_.failure().message(), "too busy");
}

// ---- calls --------------------------------------------------------------------------------------

/// Servers of TCP at a loopback address each, and a host's name for them.
class DnsCalls : public SeveralBackends {
 protected:
  Channel channel_to(const std::string& target, ChannelOptions with = ChannelOptions()) {
    detail::Access::resolver(with) = std::make_shared<const HostResolver>(resolver_.resolver());
    return Channel(target, std::move(with));
  }

  SlowResolver resolver_;
};

INSTANTIATE_TEST_SUITE_P(Forms,
                         DnsCalls,
                         testing::Values(CallForm::blocking, CallForm::awaited),
                         testing::PrintToStringParamName());

TEST_P(DnsCalls, FailWithTheResolversWordAndSoDoThoseThatComeTooSoon) {
  const Channel channel = channel_to("dns:host:7");

  for (int i = 0; i < 2; ++i) {
    const Status status = call(channel).status();
    EXPECT_EQ(status.code(), StatusCode::unavailable);
    EXPECT_EQ(status.message(), "nobody knows that name");
  }
  EXPECT_EQ(resolver_.questions(), 1);
  EXPECT_EQ(channel.state(), ConnectivityState::transient_failure);
}

TEST_P(DnsCalls, DoNotWaitForAResolverLongerThanTheirDeadline) {
  resolver_.hold();
  const Channel channel = channel_to("dns:host:7");
  EXPECT_EQ(channel.state(), ConnectivityState::idle);

  EXPECT_EQ(call(channel, CallOptions().timeout(20ms)).status().code(),
            StatusCode::deadline_exceeded);
  EXPECT_EQ(channel.state(), ConnectivityState::connecting);
  resolver_.wait_for_question();  // its thread may come later
  EXPECT_EQ(resolver_.questions(), 1);
}

TEST_P(DnsCalls, AreCancelledWhileTheResolverTakesItsTime) {
  resolver_.hold();
  const Channel channel = channel_to("dns:host:7");
  std::stop_source stop;
  const std::jthread later([&] {
    resolver_.wait_for_question();
    stop.request_stop();
  });

  EXPECT_EQ(call(channel, patient().cancellation(stop.get_token())).status().code(),
            StatusCode::cancelled);
}

TEST_P(DnsCalls, TryEachAddressAndSayHowTheLastOneFailed) {
  resolver_.set_answer(std::vector<std::string>{"unix:/nobody/1", "unix:/nobody/2"});
  const Channel channel = channel_to("dns:host:7");

  const Status status = call(channel).status();

  EXPECT_EQ(status.reason(), StatusReason::no_server);
  EXPECT_NE(status.message().find("unix:/nobody/2"), std::string::npos) << status.message();
}

TEST_P(DnsCalls, OutliveTheirChannelWhileTheResolverTakesItsTime) {
  resolver_.hold();
  {
    const Channel channel = channel_to("dns:host:7");
    EXPECT_FALSE(call(channel, CallOptions().timeout(1ms)).ok());
  }
  resolver_.release();
}

TEST_P(DnsCalls, FindLocalhostByTheSystemsResolver) {
  const Channel channel("dns:localhost:1");  // nobody listens there

  const Status status = call(channel).status();

  EXPECT_EQ(status.code(), StatusCode::unavailable);
  EXPECT_NE(status.message().find(":1"), std::string::npos) << status.message();
  EXPECT_EQ(status.message().find("dns:"), std::string::npos) << status.message();
}

}  // namespace
}  // namespace nearcall::test
