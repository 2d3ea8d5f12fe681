// SPDX-License-Identifier: Apache-2.0
// What a channel tells of its calls and its connections, in both forms.
#include "client/channel_core.hpp"
#include "client/script_methods.hpp"
#include "support/log_capture.hpp"
#include "support/noting_observer.hpp"

#include <nearcall/event_loop.hpp>
#include <nearcall/observer.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

namespace nearcall::test {

namespace http2 = detail::http2;
namespace {

using Lines = NotingObserver::Lines;

/// A channel that tells the observer, and a client on it.
struct ObservedClient {
  explicit ObservedClient(ChannelOptions options)
      : channel("mine", std::move(options.observer(observer))), stub(channel, test_methods) {}
  detail::Backend& backend() const { return detail::Access::core(channel).backend(); }
  const detail::ConnectionCounters& counters() const { return backend().counters(); }

  const std::shared_ptr<NotingObserver> observer = std::make_shared<NotingObserver>();
  const Channel channel;
  const ClientStub stub;
};

ScriptedServer::Script answer_calls() {
  return [](SessionPeer& peer) { EXPECT_TRUE(peer.answer_all("reply")); };
}

ScriptedServer::Script refuse_once() {
  return [](SessionPeer& peer) {
    http2::Stream* const first = peer.next_call();
    ASSERT_NE(first, nullptr);
    peer.reset(*first, http2::ErrorCode::refused_stream);
    EXPECT_TRUE(peer.answer_all("reply"));
  };
}

ChannelOptions without_server() {
  return ChannelOptions().connector([](ConnectContext) -> Task<Result<std::unique_ptr<Transport>>> {
    co_return Status(StatusCode::unavailable, "nobody is there");
  });
}

class ClientObserverTest : public LogCheckedTest {};

TEST_F(ClientObserverTest, HearsOfEachCallThatItBeginsAndHowItEnds) {
  ScriptedServer server({answer_calls(), answer_calls()});
  ObservedClient client(server.options());

  EXPECT_TRUE(call_unary(client.stub).ok());
  EXPECT_EQ(client.observer->take(), (Lines{"client Unary: begun", "client Unary: OK"}));

  {
    const auto dropped = client.stub.bidi_streaming<Text, Text>(chat_method, patient());
    EXPECT_EQ(client.observer->take(), Lines{"client Chat: begun"});
  }
  EXPECT_EQ(client.observer->take(), Lines{"client Chat: CANCELLED"});

  EXPECT_TRUE(sync_wait(await_unary(client.stub)).ok());
  EXPECT_EQ(client.observer->take(), (Lines{"client Unary: begun", "client Unary: OK"}));
}

TEST_F(ClientObserverTest, HearsOfCallsThatNeverReachAServer) {
  ObservedClient client(without_server());
  const Lines unavailable = {"client Unary: begun", "client Unary: UNAVAILABLE"};

  EXPECT_FALSE(call_unary(client.stub).ok());
  EXPECT_EQ(client.observer->take(), unavailable);

  EXPECT_FALSE(sync_wait(await_unary(client.stub)).ok());
  EXPECT_EQ(client.observer->take(), unavailable);

  const auto in_no_time = CallOptions().timeout(std::chrono::seconds(0));
  EXPECT_FALSE(client.stub.unary<Text>(unary_method, text_of("a"), in_no_time).ok());
  EXPECT_EQ(client.observer->take(),
            (Lines{"client Unary: begun", "client Unary: DEADLINE_EXCEEDED"}));
}

TEST_F(ClientObserverTest, HearsThatACallIsRepeated) {
  const Lines repeated = {"client Unary: begun", "client Unary: repeated", "client Unary: OK"};
  {
    ScriptedServer server({refuse_once(), answer_calls()});
    ObservedClient client(server.options());
    EXPECT_TRUE(call_unary(client.stub).ok());
    EXPECT_EQ(client.observer->take(), repeated);
  }
  ScriptedServer server({refuse_once()});
  ObservedClient client(server.options());
  EXPECT_TRUE(sync_wait(await_unary(client.stub)).ok());
  EXPECT_EQ(client.observer->take(), repeated);
}

TEST_F(ClientObserverTest, ConnectionsAreCountedUntilTheyEnd) {
  ScriptedServer server({answer_calls(), answer_calls()});
  ObservedClient client(server.options());
  const detail::ConnectionCounters& counters = client.counters();

  EXPECT_TRUE(call_unary(client.stub).ok());
  EXPECT_TRUE(call_unary(client.stub).ok());
  EXPECT_EQ(counters.begun(), 1U);
  EXPECT_EQ(counters.ended(detail::EndReason::drained), 0U);

  client.channel.close_idle();
  EXPECT_EQ(counters.ended(detail::EndReason::drained), 1U);

  EXPECT_TRUE(sync_wait(await_unary(client.stub)).ok());
  EXPECT_EQ(counters.begun(), 2U);
  client.channel.close_idle();
  EXPECT_EQ(counters.ended(detail::EndReason::cancelled), 1U) << "on a loop, without a word";
  EXPECT_EQ(counters.failed(), 0U);
}

TEST_F(ClientObserverTest, AConnectionThatTheServerClosesIsCountedAsThat) {
  ScriptedServer server({[](SessionPeer& peer) {
    http2::Stream* const call = peer.next_call();
    ASSERT_NE(call, nullptr);
    // A socket that is closed with something unread is reset: the ACK of SETTINGS is read first.
    peer.session().send_ping(1);
    while (peer.ping_acks() == 0 && !peer.has_ended())
      peer.turn();
  }});
  ObservedClient client(server.options());

  EXPECT_EQ(call_unary(client.stub).status().code(), StatusCode::unavailable);

  EXPECT_EQ(client.counters().begun(), 1U);
  EXPECT_EQ(client.counters().ended(detail::EndReason::peer_closed), 1U);
}

TEST_F(ClientObserverTest, AttemptsToConnectThatFailAreCounted) {
  ObservedClient client(without_server());

  EXPECT_FALSE(call_unary(client.stub).ok());
  EXPECT_EQ(client.counters().failed(), 1U);
  EXPECT_FALSE(sync_wait(await_unary(client.stub)).ok());
  EXPECT_EQ(client.counters().failed(), 2U);
  EXPECT_EQ(client.counters().begun(), 0U);
}

}  // namespace
}  // namespace nearcall::test
