// SPDX-License-Identifier: Apache-2.0
// Hedges of awaited calls: where they wait, and how they go with their call and its loop.
#include "client/async_hedges.hpp"

#include "client/hedging_client.hpp"

#include <future>
#include <optional>
#include <thread>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;

class AsyncHedgesTest : public LogCheckedTest {};

/// Begins a call, and lets it go once the server has heard of as many attempts.
Task<> drop_after(const ClientStub& stub, std::future<void>& heard) {
  std::optional<AsyncUnaryCall<Text>> call(
      stub.unary_async<Text>(unary_method, text_of("request"), patient()));
  while (heard.wait_for(0s) != std::future_status::ready)
    co_await sleep_for(1ms);
  call.reset();
  co_await sleep_for(1ms);
}

TEST_F(AsyncHedgesTest, ACallThatIsDroppedTakesThemWithIt) {
  std::promise<void> heard;
  ScriptedServer server({[&heard](SessionPeer& peer) {
    const HedgedCalls calls = next_hedges(peer, 3);
    heard.set_value();
    for (http2::Stream* const stream : calls.streams)
      EXPECT_EQ(peer.wait_for_reset(*stream), http2::ErrorCode::cancel);
  }});
  Channel channel("mine", server.options().service_config(hedging_config(3)));
  std::future<void> all_heard = heard.get_future();
  sync_wait(drop_after(ClientStub(channel, test_methods), all_heard));
}

TEST_F(AsyncHedgesTest, OneThatWaitsForRoomGoesWithItsCall) {
  const http2::SessionOptions one = one_stream_at_a_time();
  ScriptedServer server({[](SessionPeer& peer) {
                          const HedgedCalls calls = next_hedges(peer, 1);
                          EXPECT_TRUE(peer.ping());
                          peer.answer(*calls.streams.at(0), "first");
                          EXPECT_EQ(peer.next_call(), nullptr) << "nobody waits for room any more";
                        }},
                        one);
  Channel channel("mine", server.options().service_config(hedging_config(2)));
  const HedgedEnd ended = call_hedged(CallForm::awaited, channel);
  EXPECT_EQ(ended.value, "first") << ended.status.to_string();
  EXPECT_EQ(ended.attempts, 1);
}

/// The loop ends its calls: nothing is begun any more.
TEST_F(AsyncHedgesTest, TheyGoWithTheLoop) {
  std::promise<void> heard;
  ScriptedServer server({[&heard](SessionPeer& peer) {
    next_hedges(peer, 2);
    heard.set_value();
    EXPECT_TRUE(peer.wait_for_end());
  }});
  Channel channel("mine", server.options().service_config(hedging_config(5, "0.02s")));
  const ClientStub stub(channel, test_methods);
  std::future<void> both = heard.get_future();
  std::optional<AsyncUnaryCall<Text>> call;
  {
    EventLoop loop;
    loop.post(
        [&] { call.emplace(stub.unary_async<Text>(unary_method, text_of("request"), patient())); });
    std::thread stopper([&] {
      both.wait();
      loop.stop();
    });
    loop.run();
    stopper.join();
  }
  ASSERT_TRUE(call->is_done());
  EXPECT_EQ(call->status().code(), StatusCode::unavailable) << call->status().to_string();
}

}  // namespace
}  // namespace nearcall::test
