// SPDX-License-Identifier: Apache-2.0
// A process that forks: its child makes connections of its own and leaves its parent's alone.
#include "integration/echo_server.hpp"
#include "support/child_process.hpp"

#include <nearcall/event_loop.hpp>
#include <nearcall/sync_wait.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;
using Chat = BidiStreamingCall<EchoRequest, EchoReply>;

CallOptions soon() {
  return CallOptions().timeout(20s);
}

class CountingConnector final : public Connector {
 public:
  explicit CountingConnector(const std::string& target) : inner_(*make_connector(target)) {}
  Task<Result<std::unique_ptr<Transport>>> connect(ConnectContext context) override {
    ++attempts;
    return inner_->connect(std::move(context));
  }

  int attempts = 0;

 private:
  std::shared_ptr<Connector> inner_;
};

/// A server in a process of its own: this one has to have one thread.
class Fork : public LogCheckedTest {
 protected:
  Fork()
      : server_([this] {
          EchoService service;
          Server server;
          server.add_service(service);
          server.listen(target());
          if (!server.start()) return 1;
          listening_.raise();
          server.wait();
          return 0;
        }) {
    listening_.leave_raising_to_others();
    EXPECT_TRUE(listening_.wait());
    connector_ = std::make_shared<CountingConnector>(target());
    channel_ = std::make_unique<Channel>(
        "mine", ChannelOptions().connector(connector_).spin(SpinPolicy::off()));
    echo_.emplace(*channel_);
  }
  std::string target() const { return "unix:" + folder_.file("echo.sock"); }
  bool can_call() { return echo_->Unary(request_of("x"), soon()).ok(); }
  static bool can_chat(Chat& chat) {
    return chat.write(request_of("chat", 1)) && chat.read().has_value();
  }

  TempDir folder_;
  ProcessSignal listening_;
  ChildProcess server_;
  std::shared_ptr<CountingConnector> connector_;
  std::unique_ptr<Channel> channel_;
  std::optional<Echo::Client> echo_;
};

TEST_F(Fork, ACallInTheChildOpensAConnectionOfItsOwn) {
  ASSERT_TRUE(can_call());

  ChildProcess child([this] {
    if (!can_call() || !can_call()) return 1;
    return connector_->attempts == 2 ? 0 : 2;
  });

  EXPECT_EQ(child.wait(), 0);
  EXPECT_TRUE(can_call());
  EXPECT_EQ(connector_->attempts, 1);
}

TEST_F(Fork, WhatTheChildDestroysGoesOnInTheParent) {
  std::optional<Chat> chat(echo_->Chat(soon()));
  ASSERT_TRUE(can_chat(*chat));
  ASSERT_TRUE(can_call());

  ChildProcess child([&] {
    chat.reset();
    echo_.reset();
    channel_.reset();
    return 0;
  });

  EXPECT_EQ(child.wait(), 0);
  EXPECT_TRUE(can_chat(*chat));
  EXPECT_TRUE(chat->finish().ok());
  EXPECT_TRUE(can_call());
  EXPECT_EQ(connector_->attempts, 2);
}

TEST_F(Fork, ACallOfTheParentIsOverInTheChild) {
  Chat chat = echo_->Chat(soon());
  ASSERT_TRUE(can_chat(chat));

  ChildProcess child([&] {
    if (chat.write(request_of("not mine", 1)) || chat.read().has_value()) return 1;
    chat.cancel();
    const Status status = chat.finish();
    if (status.code() != StatusCode::unavailable) return 2;
    return status.reason() == StatusReason::misuse ? 0 : 3;
  });

  EXPECT_EQ(child.wait(), 0);
  EXPECT_TRUE(can_chat(chat));
  EXPECT_TRUE(chat.finish().ok());
}

Task<void> call_and_stop(const Echo::Client& echo) {
  const Result<EchoReply> reply = co_await echo.UnaryAsync(request_of("x"), soon());
  EXPECT_TRUE(reply.ok()) << reply.status().to_string();
  EventLoop::current()->stop();
}

TEST_F(Fork, ALoopThatTheChildDestroysGoesOnInTheParent) {
  auto loop = std::make_unique<EventLoop>(SpinPolicy::off());
  spawn(*loop, call_and_stop(*echo_));
  loop->run();

  ChildProcess child([&] {
    loop.reset();
    return 0;
  });

  EXPECT_EQ(child.wait(), 0);
  spawn(*loop, call_and_stop(*echo_));
  loop->run();
  EXPECT_EQ(connector_->attempts, 1);
}

Task<bool> await_call(const Echo::Client& echo) {
  const Result<EchoReply> reply = co_await echo.UnaryAsync(request_of("x"), soon());
  co_return reply.ok();
}

TEST_F(Fork, AnAwaitedCallInTheChildOpensAConnectionOfItsOwn) {
  auto loop = std::make_unique<EventLoop>(SpinPolicy::off());
  spawn(*loop, call_and_stop(*echo_));
  loop->run();

  ChildProcess child([&] { return sync_wait(await_call(*echo_)) ? 0 : 1; });

  EXPECT_EQ(child.wait(), 0);
  spawn(*loop, call_and_stop(*echo_));
  loop->run();
  EXPECT_EQ(connector_->attempts, 1);
}

Task<StatusCode> await_code(const Echo::Client& echo) {
  const Result<EchoReply> reply = co_await echo.UnaryAsync(request_of("x"), soon());
  co_return reply.status().code();
}

TEST_F(Fork, AChildHasNothingOfALoopThatIsBoundToItsThread) {
  ProcessSignal called;
  ProcessSignal never;
  EventLoop loop(SpinPolicy::off());
  const EventLoop::Binding binding(loop);
  ASSERT_EQ(sync_wait(await_code(*echo_)), StatusCode::ok);

  ChildProcess child([&] {
    const std::vector<std::string> other_memory(1000, std::string(1000, 'x'));
    const Channel own(target());
    if (EventLoop::current() != nullptr) return 1;
    if (sync_wait(await_code(Echo::Client(own))) != StatusCode::ok) return 2;
    called.raise();
    never.wait();
    return 0;
  });
  called.leave_raising_to_others();
  ASSERT_TRUE(called.wait());
  server_.kill();  // both connections are told

  EXPECT_EQ(sync_wait(await_code(*echo_)), StatusCode::unavailable);
  loop.poll();
}

TEST_F(Fork, ALoopOfTheParentDoesNotWaitInTheChild) {
  EventLoop loop(SpinPolicy::off());
  ASSERT_TRUE(loop.open());

  EXPECT_DEATH(loop.run(), "forked child of the process that used it");  // which has forked
}

}  // namespace
}  // namespace nearcall::test
