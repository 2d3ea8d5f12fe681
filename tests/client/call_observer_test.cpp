// SPDX-License-Identifier: Apache-2.0
// What a channel tells of its calls and its connections, in both forms.
#include "client/call_observer.hpp"

#include "client/channel_core.hpp"
#include "client/script_methods.hpp"
#include "support/log_capture.hpp"

#include <nearcall/event_loop.hpp>

#include <gtest/gtest.h>

#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace nearcall::test {

namespace http2 = detail::http2;
namespace {

using Lines = std::vector<std::string>;

/// Notes what it is told.
class NotingObserver final : public detail::CallObserver {
 public:
  void on_call_begun(const Method& method) noexcept override { note("begun", method); }
  void on_call_repeated(const Method& method) noexcept override { note("repeated", method); }
  void on_call_ended(const Method& method, const Status& how) noexcept override {
    note(std::string(to_string(how.code())), method);
  }
  Lines take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(lines_, {});
  }

 private:
  void note(const std::string& what, const Method& method) {
    const std::lock_guard lock(mutex_);
    const std::string path = method.path;
    lines_.push_back(path.substr(path.rfind('/') + 1) + ": " + what);
  }

  std::mutex mutex_;
  Lines lines_;
};

/// A channel that tells the observer, and a client on it.
struct ObservedClient {
  explicit ObservedClient(ChannelOptions options) : channel("mine", std::move(options)) {
    detail::Access::core(channel).methods()->set_observer(&observer);
    stub.emplace(channel, test_methods);
  }
  detail::Backend& backend() const { return detail::Access::core(channel).pick(); }
  const detail::ConnectionCounters& counters() const { return backend().counters(); }

  NotingObserver observer;
  const Channel channel;
  std::optional<ClientStub> stub;
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

class CallObserverTest : public LogCheckedTest {};

TEST_F(CallObserverTest, HearsOfEachCallThatItBeginsAndHowItEnds) {
  ScriptedServer server({answer_calls(), answer_calls()});
  ObservedClient client(server.options());

  EXPECT_TRUE(call_unary(*client.stub).ok());
  EXPECT_EQ(client.observer.take(), (Lines{"Unary: begun", "Unary: OK"}));

  {
    const auto dropped = client.stub->bidi_streaming<Text, Text>(chat_method, patient());
    EXPECT_EQ(client.observer.take(), Lines{"Chat: begun"});
  }
  EXPECT_EQ(client.observer.take(), Lines{"Chat: CANCELLED"});

  EXPECT_TRUE(sync_wait(await_unary(*client.stub)).ok());
  EXPECT_EQ(client.observer.take(), (Lines{"Unary: begun", "Unary: OK"}));
}

TEST_F(CallObserverTest, HearsOfCallsThatNeverReachAServer) {
  ObservedClient client(without_server());
  const Lines unavailable = {"Unary: begun", "Unary: UNAVAILABLE"};

  EXPECT_FALSE(call_unary(*client.stub).ok());
  EXPECT_EQ(client.observer.take(), unavailable);

  EXPECT_FALSE(sync_wait(await_unary(*client.stub)).ok());
  EXPECT_EQ(client.observer.take(), unavailable);

  const auto in_no_time = CallOptions().timeout(std::chrono::seconds(0));
  EXPECT_FALSE(client.stub->unary<Text>(unary_method, text_of("a"), in_no_time).ok());
  EXPECT_EQ(client.observer.take(), (Lines{"Unary: begun", "Unary: DEADLINE_EXCEEDED"}));
}

TEST_F(CallObserverTest, HearsThatACallIsRepeated) {
  const Lines repeated = {"Unary: begun", "Unary: repeated", "Unary: OK"};
  {
    ScriptedServer server({refuse_once(), answer_calls()});
    ObservedClient client(server.options());
    EXPECT_TRUE(call_unary(*client.stub).ok());
    EXPECT_EQ(client.observer.take(), repeated);
  }
  ScriptedServer server({refuse_once()});
  ObservedClient client(server.options());
  EXPECT_TRUE(sync_wait(await_unary(*client.stub)).ok());
  EXPECT_EQ(client.observer.take(), repeated);
}

TEST_F(CallObserverTest, ConnectionsAreCountedUntilTheyEnd) {
  ScriptedServer server({answer_calls(), answer_calls()});
  ObservedClient client(server.options());
  const detail::ConnectionCounters& counters = client.counters();

  EXPECT_TRUE(call_unary(*client.stub).ok());
  EXPECT_TRUE(call_unary(*client.stub).ok());
  EXPECT_EQ(counters.begun(), 1U);
  EXPECT_EQ(counters.ended(detail::EndReason::drained), 0U);

  client.channel.close_idle();
  EXPECT_EQ(counters.ended(detail::EndReason::drained), 1U);

  EXPECT_TRUE(sync_wait(await_unary(*client.stub)).ok());
  EXPECT_EQ(counters.begun(), 2U);
  client.channel.close_idle();
  EXPECT_EQ(counters.ended(detail::EndReason::cancelled), 1U) << "on a loop, without a word";
  EXPECT_EQ(counters.failed(), 0U);
}

TEST_F(CallObserverTest, AConnectionThatTheServerClosesIsCountedAsThat) {
  ScriptedServer server({[](SessionPeer& peer) {
    http2::Stream* const call = peer.next_call();
    ASSERT_NE(call, nullptr);
    // A socket that is closed with something unread is reset: the ACK of SETTINGS is read first.
    peer.session().send_ping(1);
    while (peer.ping_acks() == 0 && !peer.has_ended())
      peer.turn();
  }});
  ObservedClient client(server.options());

  EXPECT_EQ(call_unary(*client.stub).status().code(), StatusCode::unavailable);

  EXPECT_EQ(client.counters().begun(), 1U);
  EXPECT_EQ(client.counters().ended(detail::EndReason::peer_closed), 1U);
}

TEST_F(CallObserverTest, AttemptsToConnectThatFailAreCounted) {
  ObservedClient client(without_server());

  EXPECT_FALSE(call_unary(*client.stub).ok());
  EXPECT_EQ(client.counters().failed(), 1U);
  EXPECT_FALSE(sync_wait(await_unary(*client.stub)).ok());
  EXPECT_EQ(client.counters().failed(), 2U);
  EXPECT_EQ(client.counters().begun(), 0U);
}

}  // namespace
}  // namespace nearcall::test
