// SPDX-License-Identifier: Apache-2.0
// Many threads on few connections, many threads in the server, a caller's own loop.
#include "integration/echo_server.hpp"

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;

class Sharing : public EchoServerTest {
 protected:
  Sharing() : EchoServerTest(ServerOptions().threads(2)) {}
};

void mixed_calls(const Echo::Client& echo, int seed) {
  for (int i = 0; i < 200; ++i) {
    switch ((i + seed) % 4) {
      case 0: {
        const Result<EchoReply> reply = echo.Unary(request_of("unary"), CallOptions().timeout(60s));
        ASSERT_TRUE(reply.ok()) << reply.status().to_string();
        break;
      }
      case 1: {
        auto call = echo.Expand(request_of("expand", 20), CallOptions().timeout(60s));
        int read = 0;
        while (call.read())
          ++read;
        ASSERT_EQ(read, 20);
        break;
      }
      case 2: {
        auto call = echo.Chat(CallOptions().timeout(60s));
        ASSERT_TRUE(call.write(request_of("chat", 1)));
        ASSERT_TRUE(call.read().has_value());
        const std::jthread canceller([&call] { call.cancel(); });
        ASSERT_FALSE(call.read().has_value());
        ASSERT_EQ(call.finish().code(), StatusCode::cancelled);
        break;
      }
      default: {
        auto call = echo.Collect(CallOptions().timeout(60s));
        for (int n = 0; n < 10; ++n)
          ASSERT_TRUE(call.write(request_of("collect")));
        const Result<EchoReply> reply = call.finish();
        ASSERT_TRUE(reply.ok()) << reply.status().to_string();
        ASSERT_EQ(reply->number(), 10U);
      }
    }
  }
}

/// A listener of ours that counts what it hands over.
class CountingListener final : public Listener {
 public:
  CountingListener(const std::string& target, std::atomic<int>& accepted)
      : inner_(make_listener(target).value()), accepted_(&accepted) {}

  Result<void> bind() override { return inner_->bind(); }
  Result<std::unique_ptr<Transport>> try_accept() override {
    Result<std::unique_ptr<Transport>> next = inner_->try_accept();
    if (next && *next != nullptr) ++*accepted_;
    return next;
  }
  WaitAdvice prepare_wait() override { return inner_->prepare_wait(); }
  void unbind() noexcept override { inner_->unbind(); }
  std::string address() const override { return inner_->address(); }
  bool knows_credentials() const noexcept override { return inner_->knows_credentials(); }

 private:
  const std::unique_ptr<Listener> inner_;
  std::atomic<int>* accepted_;
};

TEST_F(Sharing, EightThreadsWithMixedCallsAndCancelsShareOneConnection) {
  std::atomic<int> accepted = 0;
  const std::string counted = "unix:" + folder_.file("counted.sock");
  Server server(ServerOptions().threads(2));
  server.add_service(service_).listen(std::make_unique<CountingListener>(counted, accepted));
  ASSERT_TRUE(server.start());
  Channel one(counted, ChannelOptions().max_connections(1));
  const Echo::Client echo(one);
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 8; ++t)
      threads.emplace_back([&echo, t] { mixed_calls(echo, t); });
  }

  EXPECT_EQ(accepted, 1);
}

TEST_F(Sharing, ThreeHundredThreadsOnOneChannelAllGetTheirReplies) {
  std::vector<std::jthread> threads;
  for (int t = 0; t < 300; ++t) {
    threads.emplace_back([this] {
      for (int i = 0; i < 10; ++i) {
        const Result<EchoReply> reply = echo_.Unary(request_of("x"), CallOptions().timeout(60s));
        EXPECT_TRUE(reply.ok()) << reply.status().to_string();
      }
    });
  }
}

Task<void> serve_and_call(Server& server, const Echo::Client& echo) {
  const Result<EchoReply> reply =
      co_await echo.UnaryAsync(request_of("same loop"), CallOptions().timeout(10s));
  EXPECT_TRUE(reply.ok()) << reply.status().to_string();
  server.stop();
  co_await server.stopped();
  EventLoop::current()->stop();
}

TEST(OwnLoop, AServerAndItsClientShareOneLoopOnOneThread) {
  const LogCapture log;
  const TempDir folder;
  const std::string target = "unix:" + folder.file("own.sock");
  EchoService service;
  EventLoop loop;
  Server server(loop);
  server.add_service(service).listen(target);
  ASSERT_TRUE(server.start().ok());
  Channel channel(target);
  const Echo::Client echo(channel);

  spawn(loop, serve_and_call(server, echo));
  loop.run();
}

}  // namespace
}  // namespace nearcall::test
