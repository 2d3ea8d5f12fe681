// SPDX-License-Identifier: Apache-2.0
// What a server tells of its calls and its connections: that each begins, and how it ends.
#include "server/manual_server.hpp"
#include "server/server_core.hpp"
#include "support/noting_observer.hpp"

#include <nearcall/observer.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;
using Lines = NotingObserver::Lines;

class ServerObserverTest : public ManualServerTest {
 protected:
  ServerObserverTest() {
    start(ServerOptions().observer(observer_));
    peer_.emplace(path(), FramePeer::passive).say_hello();
    settle();
  }
  ~ServerObserverTest() override { server_.reset(); }  // which tells of what is left

  /// The calls of Stuck run until something ends them: stream 1 is one.
  void ask_stuck(std::string_view timeout = {}) {
    peer_->ask_whole(1, "/test.Wrapper/Stuck", Text(), timeout);
    settle();
    EXPECT_EQ(observer_->take(), Lines{"server Stuck: begun"});
  }

  const std::shared_ptr<NotingObserver> observer_ = std::make_shared<NotingObserver>();
  std::optional<FramePeer> peer_;
};

TEST_F(ServerObserverTest, HearsOfEachCallAndOfItsCode) {
  service_.on_echo = [](ServerContext&, const Text& request) -> Result<Text> {
    if (request.value().empty()) return Status::not_found("no text");
    return request;
  };

  peer_->ask_whole(1, echo, text_of("a"));
  peer_->ask_whole(3, echo);
  settle();

  EXPECT_EQ(observer_->take(), (Lines{"server Echo: begun", "server Echo: OK", "server Echo: begun",
                                      "server Echo: NOT_FOUND"}));
}

TEST_F(ServerObserverTest, HearsOfNoCallThatNamesNoMethod) {
  peer_->ask_whole(1, "/test.Wrapper/Nothing");
  settle();

  EXPECT_FALSE(peer_->heard_on(1).empty()) << "it was answered";
  EXPECT_EQ(observer_->take(), Lines());
}

TEST_F(ServerObserverTest, ACallWhoseRequestIsOfNoUseEndsWithTheCodeThatItGot) {
  peer_->ask(1, echo);
  peer_->say(frames::data(1, framed("\xff"), http2::frame_flag::end_stream));
  settle();

  EXPECT_EQ(observer_->take(), (Lines{"server Echo: begun", "server Echo: INTERNAL"}));
}

TEST_F(ServerObserverTest, ACallThatTheClientResetsIsCancelledOnceThoughItsHandlerRunsOn) {
  ask_stuck();

  peer_->say(frames::rst_stream(1, http2::ErrorCode::cancel));
  settle();

  EXPECT_EQ(observer_->take(), Lines{"server Stuck: CANCELLED"});
  server_.reset();
  EXPECT_EQ(observer_->take(), Lines()) << "the handler went";
}

TEST_F(ServerObserverTest, ACallWhoseConnectionGoesIsCancelled) {
  ask_stuck();

  peer_.reset();
  settle();

  EXPECT_EQ(observer_->take(), Lines{"server Stuck: CANCELLED"});
}

TEST_F(ServerObserverTest, ACallThatIsLateEndsWithItsDeadline) {
  ask_stuck("1S");

  advance(1s);

  EXPECT_EQ(observer_->take(), Lines{"server Stuck: DEADLINE_EXCEEDED"});
}

TEST_F(ServerObserverTest, ACallThatTheStopEndsIsUnavailable) {
  ask_stuck();

  stop();
  server_->cancel_calls();
  settle();

  EXPECT_EQ(observer_->take(), Lines{"server Stuck: UNAVAILABLE"});
}

TEST_F(ServerObserverTest, ACallOfAServerThatIsDestroyedIsCancelled) {
  ask_stuck();

  server_.reset();

  EXPECT_EQ(observer_->take(), Lines{"server Stuck: CANCELLED"});
}

/// Notes what it is told of connections.
class ConnectionObserver final : public Observer {
 public:
  void on_connection_begun(const Connection& connection) noexcept override {
    begun = connection.id;
    peer = connection.peer.address();
  }
  void on_connection_ended(const Connection& connection, EndReason why) noexcept override {
    ended = connection.id;
    reason = why;
  }
  void on_call_begun(const Call& call) noexcept override { of_call = call.connection; }
  void on_call_refused(const Origin& /*server*/, const Status& how) noexcept override {
    refused = how;
  }

  std::uint64_t begun = 0;
  std::uint64_t ended = 0;
  std::uint64_t of_call = 0;
  std::string peer;
  EndReason reason = EndReason::none;
  Status refused;
};

TEST_F(ManualServerTest, ItsObserverHearsOfConnectionsBesideTheCounters) {
  const auto heard = std::make_shared<ConnectionObserver>();
  start(ServerOptions().observer(heard));
  const detail::ServerShared& shared = detail::Access::core(*server_).shared();

  std::optional<FramePeer> peer(std::in_place, path(), FramePeer::passive);
  peer->say_hello();
  peer->ask_whole(1, echo, text_of("a"));
  peer->ask_whole(3, "/test.Wrapper/Nothing");
  settle();
  EXPECT_NE(heard->begun, 0U);
  EXPECT_EQ(heard->of_call, heard->begun);
  EXPECT_EQ(heard->peer.substr(0, 5), "unix:");
  EXPECT_EQ(heard->refused.code(), StatusCode::unimplemented);
  EXPECT_EQ(heard->reason, EndReason::none);
  peer->listen();  // who closes with unread bytes resets
  peer.reset();
  settle();
  EXPECT_EQ(heard->ended, heard->begun);
  EXPECT_EQ(heard->reason, EndReason::peer_closed);

  EXPECT_EQ(shared.counters().begun(), 1U);
  EXPECT_EQ(shared.counters().ended(EndReason::peer_closed), 1U);
}

}  // namespace
}  // namespace nearcall::test
