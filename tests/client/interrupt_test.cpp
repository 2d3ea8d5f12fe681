// SPDX-License-Identifier: Apache-2.0
// A signal handler ends what blocks, whatever that waits for.
#include "client/script_methods.hpp"
#include "support/log_capture.hpp"

#include <nearcall/canceller.hpp>
#include <nearcall/event_loop.hpp>

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace nearcall::test {

namespace http2 = detail::http2;
namespace {

using http2::ErrorCode;

std::atomic<Canceller*> interrupted_canceller{nullptr};
extern "C" void interrupt_canceller(int /*number*/) {
  interrupted_canceller.load()->cancel();
}

/// SIGUSR1 is Ctrl-C here.
class InterruptTest : public LogCheckedTest {
 protected:
  InterruptTest() {
    interrupted_canceller = &canceller_;
    ::signal(SIGUSR1, &interrupt_canceller);
  }
  ~InterruptTest() override { ::signal(SIGUSR1, SIG_DFL); }

  /// To whichever thread the system picks.
  static void interrupt() { ::kill(::getpid(), SIGUSR1); }
  CallOptions until_interrupted() const { return patient().cancellation(canceller_.token()); }

  Canceller canceller_;
};

/// Interrupts the first call, and sees it reset.
void interrupt_one(SessionPeer& peer) {
  http2::Stream* const stream = peer.next_headers();
  ASSERT_NE(stream, nullptr);
  ::kill(::getpid(), SIGUSR1);
  EXPECT_EQ(peer.wait_for_reset(*stream), ErrorCode::cancel);
  EXPECT_TRUE(peer.wait_for_end());
}

TEST_F(InterruptTest, EndsAUnaryCallThatBlocks) {
  ScriptedServer server({interrupt_one});
  const Channel channel("mine", server.options());

  const Status status = call_unary(ClientStub(channel, test_methods), until_interrupted()).status();

  EXPECT_EQ(status.code(), StatusCode::cancelled) << status.to_string();
}

TEST_F(InterruptTest, EndsACallWhoseThreadSpins) {
  ScriptedServer server({interrupt_one});
  const Channel channel("mine", server.options().spin(SpinPolicy::adaptive(std::chrono::hours(1))));

  const Status status = call_unary(ClientStub(channel, test_methods), until_interrupted()).status();

  EXPECT_EQ(status.code(), StatusCode::cancelled) << status.to_string();
}

TEST_F(InterruptTest, EndsAReadThatBlocks) {
  ScriptedServer server({interrupt_one});
  const Channel channel("mine", server.options());
  auto call = ClientStub(channel, test_methods)
                  .bidi_streaming<Text, Text>(chat_method, until_interrupted());

  EXPECT_EQ(call.read(), std::nullopt);
  EXPECT_EQ(call.finish().code(), StatusCode::cancelled);
}

TEST_F(InterruptTest, EndsReadsThatNeverHaveToWait) {
  ScriptedServer server({[](SessionPeer& peer) {
    http2::Stream* const stream = peer.next_call();
    ASSERT_NE(stream, nullptr);
    peer.begin(*stream);
    for (int sent = 0; !peer.heard(*stream).reset && !peer.has_ended(); ++sent) {
      peer.message(*stream, "more");
      if (sent == 100) interrupt();
      peer.turn();
    }
    EXPECT_TRUE(peer.wait_for_end());
  }});
  const Channel channel("mine", server.options());
  auto call = ClientStub(channel, test_methods)
                  .server_streaming<Text>(serve_method, text_of("request"), until_interrupted());

  while (call.read()) {
  }
  EXPECT_EQ(call.finish().code(), StatusCode::cancelled);
}

TEST_F(InterruptTest, EndsAnAttemptToConnect) {
  const Channel channel("mine", ChannelOptions().connector(
                                    [](ConnectContext) -> Task<Result<std::unique_ptr<Transport>>> {
                                      interrupt();
                                      co_await sleep_for(std::chrono::hours(1));
                                      co_return Status(StatusCode::internal, "not reached");
                                    }));

  const Status status = call_unary(ClientStub(channel, test_methods), until_interrupted()).status();

  EXPECT_EQ(status.code(), StatusCode::cancelled) << status.to_string();
}

TEST_F(InterruptTest, EndsTheWaitForAnotherCallsAttemptToConnect) {
  std::atomic<int> calls{0};
  const Channel channel(
      "mine", ChannelOptions()
                  .connector([](ConnectContext) -> Task<Result<std::unique_ptr<Transport>>> {
                    co_await sleep_for(std::chrono::hours(1));
                    co_return Status(StatusCode::internal, "not reached");
                  })
                  .max_connections(1));
  const ClientStub stub(channel, test_methods);
  const auto call_until_interrupted = [&] {
    if (++calls == 2) interrupt();
    EXPECT_EQ(call_unary(stub, until_interrupted()).status().code(), StatusCode::cancelled);
  };
  std::thread other(call_until_interrupted);
  call_until_interrupted();
  other.join();
}

TEST_F(InterruptTest, EndsACallThatIsAwaited) {
  ScriptedServer server({interrupt_one});
  const Channel channel("mine", server.options());
  const ClientStub stub(channel, test_methods);
  const CallOptions options = until_interrupted();

  const Status status = sync_wait(await_unary(stub, options)).status();

  EXPECT_EQ(status.code(), StatusCode::cancelled) << status.to_string();
}

TEST_F(InterruptTest, EndsACallThatBeginsAfterwardsBeforeTheServerHearsOfIt) {
  ScriptedServer server({[](SessionPeer& peer) { EXPECT_EQ(peer.next_headers(), nullptr); }});
  const Channel channel("mine", server.options());
  ::raise(SIGUSR1);

  const Status status = call_unary(ClientStub(channel, test_methods), until_interrupted()).status();

  EXPECT_EQ(status.code(), StatusCode::cancelled) << status.to_string();
}

constexpr std::size_t many = 12;

/// As many calls as that with one token, each on a thread of its own; the last one that comes to
/// the server interrupts them all.
void interrupt_many(ChannelOptions options, const CallOptions& call_options) {
  const Channel channel("mine", std::move(options));
  const ClientStub stub(channel, test_methods);
  std::vector<std::jthread> callers;
  for (std::size_t i = 0; i < many; ++i) {
    callers.emplace_back(
        [&] { EXPECT_EQ(call_unary(stub, call_options).status().code(), StatusCode::cancelled); });
  }
}

TEST_F(InterruptTest, EndsManyCallsOfOneConnection) {
  ScriptedServer server({[](SessionPeer& peer) {
    for (std::size_t i = 0; i < many; ++i)
      ASSERT_NE(peer.next_headers(), nullptr);
    interrupt();
    EXPECT_TRUE(peer.wait_for_end());
  }});
  interrupt_many(server.options().max_connections(1), until_interrupted());
}

TEST_F(InterruptTest, EndsManyCallsOnConnectionsOfTheirOwn) {
  std::atomic<std::size_t> came{0};
  ScriptedServer server({[&came](SessionPeer& peer) {
    ASSERT_NE(peer.next_headers(), nullptr);
    if (++came == many) interrupt();
    EXPECT_TRUE(peer.wait_for_end());
  }});
  interrupt_many(server.options().max_connections(many), until_interrupted());
}

TEST_F(InterruptTest, LeavesCallsWithoutTheTokenAloneThoughTheyDriveTheConnection) {
  ScriptedServer server({[](SessionPeer& peer) {
    http2::Stream* const first = peer.next_call();
    ASSERT_NE(first, nullptr);
    http2::Stream* const second = peer.next_call();
    ASSERT_NE(second, nullptr);
    interrupt();
    EXPECT_EQ(peer.wait_for_reset(*second), ErrorCode::cancel);
    peer.answer(*first, "reply");
    EXPECT_TRUE(peer.wait_for_end());
  }});
  const Channel channel("mine", server.options().max_connections(1));
  const ClientStub stub(channel, test_methods);
  auto first = stub.server_streaming<Text>(serve_method, text_of("a"), patient());
  std::thread drives([&first] { EXPECT_TRUE(first.read()); });

  EXPECT_EQ(call_unary(stub, until_interrupted()).status().code(), StatusCode::cancelled);
  drives.join();
}

}  // namespace
}  // namespace nearcall::test
