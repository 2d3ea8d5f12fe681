// SPDX-License-Identifier: Apache-2.0
// What a channel says of its server, and who is told that it changes, with a connector of the test.
#include "client/state_change.hpp"

#include "client/script_methods.hpp"
#include "support/frames.hpp"
#include "support/log_capture.hpp"

#include <nearcall/event_loop.hpp>
#include <nearcall/sync_wait.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <ostream>
#include <thread>
#include <utility>

namespace nearcall::inline v0 {

void PrintTo(ConnectivityState state, std::ostream* to) {
  *to << to_string(state);
}

}  // namespace nearcall::inline v0

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;
using Connected = Result<std::unique_ptr<Transport>>;
using enum ConnectivityState;

std::chrono::steady_clock::time_point soon() {
  return std::chrono::steady_clock::now() + 20s;
}

enum class Waiter { thread, loop };

void PrintTo(Waiter waiter, std::ostream* to) {
  *to << (waiter == Waiter::thread ? "Thread" : "Loop");
}

Task<bool> await_change(const Channel& channel, ConnectivityState from) {
  const bool has_changed = co_await channel.wait_for_state_change_async(from, soon());
  co_return has_changed;
}

Task<Connected> fail() {
  co_return Status(StatusCode::unavailable, "nobody").with_reason(StatusReason::no_server);
}

ScriptedServer::Script answer() {
  return [](SessionPeer& peer) { EXPECT_TRUE(peer.answer_all("reply")); };
}

class ChannelState : public LogCheckedTest, public testing::WithParamInterface<Waiter> {
 protected:
  static bool changes(const Channel& channel, ConnectivityState from) {
    if (GetParam() == Waiter::thread) return channel.wait_for_state_change(from, soon());
    return sync_wait(await_change(channel, from));
  }
};

INSTANTIATE_TEST_SUITE_P(Each,
                         ChannelState,
                         testing::Values(Waiter::thread, Waiter::loop),
                         testing::PrintToStringParamName());

TEST_P(ChannelState, FollowsConnectionsThatAreMadeAndLost) {
  std::promise<void> leave;
  const std::shared_future<void> is_to_leave = leave.get_future().share();
  ScriptedServer server({[is_to_leave](SessionPeer& peer) {
    http2::Stream* const call = peer.next_call();
    ASSERT_NE(call, nullptr);
    peer.answer(*call, "reply");
    EXPECT_TRUE(peer.ping());
    is_to_leave.wait();
  }});
  const Channel channel("mine", server.options());
  EXPECT_EQ(channel.state(), idle);

  ASSERT_TRUE(call_unary(ClientStub(channel, test_methods)).ok());
  EXPECT_EQ(channel.state(), ready);
  leave.set_value();
  EXPECT_TRUE(changes(channel, ready));
  EXPECT_EQ(channel.state(), idle);
}

TEST_P(ChannelState, FollowsAConnectionOfALoop) {
  ScriptedServer server({[](SessionPeer& peer) {
    http2::Stream* const call = peer.next_call();
    ASSERT_NE(call, nullptr);
    peer.answer(*call, "reply");
    EXPECT_TRUE(peer.ping());
  }});
  const Channel channel("mine", server.options());
  std::atomic<bool> is_over{false};
  std::promise<ConnectivityState> after_the_call;
  std::jthread other([&] {  // a loop that turns while the test waits
    EventLoop loop;
    const ClientStub stub(channel, test_methods);
    JoinHandle<Result<Text>> call = spawn(loop, await_unary(stub));
    bool is_told = false;
    while (!is_over) {
      loop.poll();
      if (call.has_ended() && !std::exchange(is_told, true)) {
        after_the_call.set_value(channel.state());
      }
    }
  });

  const ConnectivityState after = after_the_call.get_future().get();
  const bool has_changed = after != ready || changes(channel, ready);
  is_over = true;

  EXPECT_TRUE(has_changed);
  EXPECT_EQ(channel.state(), idle);
}

TEST_P(ChannelState, IsATransientFailureAfterOneUntilTheServerIsThere) {
  ScriptedServer server({answer()});
  std::atomic<bool> is_there{false};
  const std::shared_ptr<Connector> connector = server.options().connector();
  const Channel channel("mine", ChannelOptions().connector([&](ConnectContext context) {
    return is_there ? connector->connect(std::move(context)) : fail();
  }));

  EXPECT_FALSE(channel.connect().ok());
  EXPECT_EQ(channel.state(), transient_failure);

  std::jthread caller([&] {
    is_there = true;
    EXPECT_TRUE(channel.connect(20s).ok());
  });
  ConnectivityState state = transient_failure;
  while (state != ready) {
    ASSERT_TRUE(changes(channel, state));
    state = channel.state();
  }
}

TEST_P(ChannelState, IsReadyOnlyWhenTheServerWasHeard) {
  std::promise<void> speak;
  const std::shared_future<void> is_to_speak = speak.get_future().share();
  HostileServer silent({[is_to_speak](FramePeer& peer) {
    is_to_speak.wait();
    EXPECT_TRUE(peer.say(frames::settings()));
  }});
  const Channel channel("mine", silent.options());
  std::jthread caller([&channel] {
    const CallOptions options = CallOptions().timeout(20s);
    EXPECT_FALSE(call_unary(ClientStub(channel, test_methods), options).ok());
  });
  ConnectivityState state = idle;
  while (state == idle) {
    ASSERT_TRUE(changes(channel, idle));
    state = channel.state();
  }
  EXPECT_EQ(state, connecting);

  speak.set_value();

  EXPECT_TRUE(changes(channel, connecting));
}

TEST_P(ChannelState, OfAWrongTargetIsShutdown) {
  EXPECT_EQ(Channel("nonsense:://").state(), shutdown);
}

TEST_P(ChannelState, AWaitEndsAtItsDeadline) {
  const Channel channel("mine", ChannelOptions().connector([](const auto&) { return fail(); }));
  const auto until = std::chrono::steady_clock::now() + 5ms;

  const bool has_changed = GetParam() == Waiter::thread
                               ? channel.wait_for_state_change(idle, until)
                               : sync_wait(channel.wait_for_state_change_async(idle, until));

  EXPECT_FALSE(has_changed);
  EXPECT_GE(std::chrono::steady_clock::now(), until);
}

Task<void> wait_for_ever(const Channel& channel) {
  co_await channel.wait_for_state_change_async(idle);
}

TEST(ChannelStateWait, WhoIsDroppedLeavesNothingBehind) {
  const Channel channel("mine", ChannelOptions().connector([](const auto&) { return fail(); }));
  {
    EventLoop loop;
    static_cast<void>(spawn(loop, wait_for_ever(channel)));
    loop.poll();
  }
  EXPECT_FALSE(channel.connect().ok());
  EXPECT_EQ(channel.state(), transient_failure);
}

TEST(ChannelStateNames, AreThoseOfGrpc) {
  EXPECT_EQ(to_string(idle), "IDLE");
  EXPECT_EQ(to_string(connecting), "CONNECTING");
  EXPECT_EQ(to_string(ready), "READY");
  EXPECT_EQ(to_string(transient_failure), "TRANSIENT_FAILURE");
  EXPECT_EQ(to_string(shutdown), "SHUTDOWN");
}

}  // namespace
}  // namespace nearcall::test
