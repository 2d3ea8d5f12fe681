// SPDX-License-Identifier: Apache-2.0
// Connecting before there is a call: once, or until a server is there.
#include "client/eager_connect.hpp"

#include "client/script_methods.hpp"
#include "support/enough_time.hpp"
#include "support/log_capture.hpp"

#include <nearcall/event_loop.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <string>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;
using Connected = Result<std::unique_ptr<Transport>>;

class EagerConnectTest : public LogCheckedTest {
 protected:
  /// Nobody listens the first times.
  Channel channel(int failures) {
    return Channel("mine", ChannelOptions().connector([this, failures](const ConnectContext&) {
      return connect(*this, failures);
    }));
  }

  ScriptedServer server_{{[](SessionPeer& peer) { EXPECT_TRUE(peer.answer_all("reply")); }}};
  std::atomic<int> attempts_{0};

 private:
  static Task<Connected> connect(EagerConnectTest& test, int failures) {
    if (++test.attempts_ <= failures) {
      co_return Status(StatusCode::unavailable, "nobody listens")
          .with_reason(StatusReason::no_server);
    }
    co_return test.server_.accept();
  }
};

TEST_F(EagerConnectTest, ABlockingCallUsesTheConnectionThatIsThere) {
  const Channel channel = this->channel(0);

  EXPECT_TRUE(channel.connect().ok());
  EXPECT_EQ(attempts_, 1);
  EXPECT_TRUE(channel.connect().ok());
  EXPECT_TRUE(call_unary(ClientStub(channel, test_methods)).ok());

  EXPECT_EQ(attempts_, 1);
}

TEST_F(EagerConnectTest, WithoutPatienceOneAttemptSaysHowItIs) {
  const Channel channel = this->channel(1000);

  const Status status = channel.connect();

  EXPECT_EQ(status.code(), StatusCode::unavailable);
  EXPECT_EQ(status.reason(), StatusReason::no_server);
  EXPECT_EQ(attempts_, 1);
}

TEST_F(EagerConnectTest, WithPatienceItIsTriedUntilTheServerIsThere) {
  const Status status = channel(3).connect(20s);

  EXPECT_TRUE(status.ok()) << status.to_string();
  EXPECT_EQ(attempts_, 4);
}

TEST_F(EagerConnectTest, PatienceEnds) {
  with_enough_time([this](std::chrono::milliseconds patience) {
    attempts_ = 0;

    const Status status = channel(1000).connect(patience);

    EXPECT_EQ(status.code(), StatusCode::unavailable);
    EXPECT_LE(attempts_, 1 + patience / 8ms);
    return attempts_ > 1;
  });
}

TEST_F(EagerConnectTest, ACallNeverWaitsForAPause) {
  const Channel channel = this->channel(1);
  EXPECT_FALSE(channel.connect().ok());

  EXPECT_TRUE(call_unary(ClientStub(channel, test_methods)).ok());
  EXPECT_EQ(attempts_, 2);
}

TEST_F(EagerConnectTest, AWrongTargetIsNotTriedAgain) {
  const Status status = Channel("nonsense:://").connect(20s);

  EXPECT_EQ(status.reason(), StatusReason::bad_target);
}

Task<void> connect_then_call(const Channel& channel, std::atomic<int>& attempts) {
  const Status status = co_await channel.connect_async(20s);
  EXPECT_TRUE(status.ok()) << status.to_string();
  EXPECT_EQ(attempts, 4);
  const ClientStub stub(channel, test_methods);
  auto call = stub.unary_async<Text>(unary_method, text_of("a"), patient());
  const Result<Text> reply = co_await call;
  EXPECT_TRUE(reply.ok()) << reply.status().to_string();
  const Status again = co_await channel.connect_async();
  EXPECT_TRUE(again.ok());
  EXPECT_EQ(attempts, 4);
}

TEST_F(EagerConnectTest, AwaitedItConnectsTheLoop) {
  const Channel channel = this->channel(3);

  sync_wait(connect_then_call(channel, attempts_));
}

Task<Status> connect_blocking_on_a_loop(const Channel& channel) {
  co_return channel.connect();
}

TEST_F(EagerConnectTest, EachFormSaysWhereItDoesNotBelong) {
  const Channel channel = this->channel(0);

  const Status blocking = sync_wait(connect_blocking_on_a_loop(channel));

  EXPECT_EQ(blocking.code(), StatusCode::failed_precondition);
  EXPECT_NE(blocking.message().find("connect_async()"), std::string::npos);
  EXPECT_EQ(attempts_, 0);
}

TEST_F(EagerConnectTest, WhoDropsTheWaitLeavesNothingBehind) {
  EventLoop loop;
  Channel channel("mine", ChannelOptions().connector([](const ConnectContext&) {
    return [](auto wait) -> Task<Connected> {
      co_await sleep_for(wait);
      co_return Status(StatusCode::unavailable, "late");
    }(1h);
  }));
  JoinHandle<Status> handle = spawn(loop, channel.connect_async(1h));
  loop.poll();
  handle.cancel();
  loop.poll();
  EXPECT_TRUE(handle.has_ended());
}

}  // namespace
}  // namespace nearcall::test
