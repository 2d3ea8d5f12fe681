// SPDX-License-Identifier: Apache-2.0
// Handshakes of accepted transports: who is admitted, who is asked when, and how long it takes.
#include "server/pending_handshake.hpp"

#include "server/listen_port.hpp"
#include "support/handshaking_transport.hpp"
#include "support/io.hpp"
#include "support/log_capture.hpp"
#include "support/manual_loop.hpp"
#include "support/queue_listener.hpp"
#include "transport/socket_transport.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <list>
#include <optional>
#include <utility>
#include <vector>

namespace nearcall::inline v0::detail {
namespace {

using test::HandshakeScript;
using test::HandshakingTransport;

class PendingHandshakeTest : public test::LogCheckedTest,
                             public ListenPort::Owner,
                             protected test::ManualLoop {
 protected:
  PendingHandshakeTest() {
    script_.peer = PeerIdentity("vault:7", ::geteuid(), ::getegid(), ::getpid());
  }
  void listen(const ServerOptions& options = ServerOptions()) {
    shared_.emplace(options);
    port_.emplace(*shared_, Access::core(loop_), std::make_unique<test::QueueListener>(queue_),
                  PeerPolicy::same_user(), *this);
    port_->start();
    settle();
  }
  void connect() { connect(script_); }
  void connect(HandshakeScript& script) {
    SocketPair ends = *make_socketpair();
    queue_->push(std::make_unique<HandshakingTransport>(std::move(ends.first), script));
    peers_.push_back(std::move(ends.second));
    settle();
  }
  bool was_closed(std::size_t connection) const {
    return test::read_kind(*peers_.at(connection)) == IoResult::Kind::end_of_stream;
  }
  void take(std::unique_ptr<Transport> connection, ConnectionQuota::Place place) override {
    taken_.emplace_back(std::move(connection), std::move(place));
  }
  void on_listener_end() noexcept override { ++ends_; }

  HandshakeScript script_;
  std::list<HandshakeScript> others_;
  std::shared_ptr<test::ConnectionQueue> queue_ = std::make_shared<test::ConnectionQueue>();
  std::vector<std::unique_ptr<Transport>> peers_;
  int ends_ = 0;
  std::optional<ServerShared> shared_;
  std::vector<std::pair<std::unique_ptr<Transport>, ConnectionQuota::Place>> taken_;
  std::optional<ListenPort> port_;
};

TEST_F(PendingHandshakeTest, ThePolicyIsAskedWhenItIsDone) {
  listen();
  script_.steps = 2;
  connect();
  script_.take_step();
  settle();
  EXPECT_TRUE(taken_.empty());

  script_.take_step();
  settle();

  ASSERT_EQ(taken_.size(), 1U);
  EXPECT_EQ(taken_[0].first->peer().address(), "vault:7");
}

TEST_F(PendingHandshakeTest, MayWaitUntilItCanWrite) {
  listen();
  script_.events = POLLOUT;  // which an eventfd has
  script_.is_ours_to_do = true;
  script_.steps = 3;

  connect();

  EXPECT_EQ(taken_.size(), 1U);
}

TEST_F(PendingHandshakeTest, IsTriedAgainInTheNextTurnWhereThereIsNothingToWaitFor) {
  listen();
  script_.is_ready = true;
  script_.is_ours_to_do = true;
  script_.steps = 3;

  connect();

  EXPECT_EQ(taken_.size(), 1U);
}

TEST_F(PendingHandshakeTest, WhoTurnsOutToBeAStrangerIsRefused) {
  listen();
  script_.peer = PeerIdentity("vault:8");
  connect();

  script_.take_step();
  settle();

  EXPECT_TRUE(taken_.empty());
  EXPECT_TRUE(log_capture().take("peer vault:8: a peer without credentials is not admitted"));
}

TEST_F(PendingHandshakeTest, AFailedOneIsClosedAndLogged) {
  listen();
  connect();

  script_.fail(std::make_error_code(std::errc::protocol_error));
  settle();

  EXPECT_TRUE(taken_.empty());
  EXPECT_TRUE(log_capture().take("handshake: Protocol error"));
}

TEST_F(PendingHandshakeTest, HasTheTimeOfTheHandshakeTimeout) {
  ConnectionLimits limits;
  limits.handshake_timeout = std::chrono::seconds(5);
  listen(ServerOptions().limits(limits));
  connect();
  advance(std::chrono::milliseconds(4999));
  EXPECT_TRUE(log_capture().lines().empty());

  advance(std::chrono::milliseconds(1));

  EXPECT_TRUE(log_capture().take("handshake: Connection timed out"));
  script_.take_step();
  settle();
  EXPECT_TRUE(taken_.empty());
}

TEST_F(PendingHandshakeTest, CountsAsAConnection) {
  listen(ServerOptions().max_connections(1));
  const auto other = shared_->quota().take(::geteuid());

  connect();

  EXPECT_TRUE(was_closed(0));
  EXPECT_TRUE(log_capture().take("beyond the limit of connections"));
}

TEST_F(PendingHandshakeTest, GivesWayToAConnectionOfAUser) {
  listen(ServerOptions().max_connections(1));
  connect();

  const auto other = shared_->quota().take(::geteuid());
  settle();

  EXPECT_TRUE(other);
  EXPECT_TRUE(was_closed(0));
  EXPECT_TRUE(log_capture().take("its handshake takes longest"));
}

TEST_F(PendingHandshakeTest, TheOldestGivesWayToANewcomer) {
  listen(ServerOptions().max_connections(2));
  for (int i = 0; i < 3; ++i) {
    connect(others_.emplace_back());
    advance(std::chrono::milliseconds(1));
  }

  EXPECT_TRUE(was_closed(0));
  EXPECT_FALSE(was_closed(1) || was_closed(2));
  EXPECT_EQ(shared_->counters().refused(Observer::Refusal::limit), 1U);
  EXPECT_TRUE(log_capture().take("peer not known yet: its handshake takes longest"));
}

TEST_F(PendingHandshakeTest, ThoseThatNeverEndKeepNobodyOut) {
  listen(ServerOptions().max_connections(3));
  log_capture().allow("its handshake takes longest");
  script_.events = POLLOUT;
  for (std::size_t round = 1; round <= 5; ++round) {
    for (int i = 0; i < 4; ++i)
      connect(others_.emplace_back());
    script_.steps = 3;
    script_.is_ours_to_do = true;

    connect(script_);

    ASSERT_EQ(taken_.size(), round);
    taken_.back().second = ConnectionQuota::Place();  // it does not stay for long
  }
}

TEST_F(PendingHandshakeTest, IsWaitedForWhereASuccessorHasTheName) {
  ConnectionLimits limits;
  limits.handshake_timeout = std::chrono::minutes(1);
  for (const bool succeeds : {true, false}) {
    queue_->has_name(true);
    listen(ServerOptions().limits(limits));
    others_.emplace_back().peer = script_.peer;
    connect(others_.back());
    queue_->has_name(false);
    advance(std::chrono::seconds(5));
    EXPECT_EQ(ends_, 0);

    if (succeeds) {
      others_.back().take_step();
    } else {
      others_.back().fail(std::make_error_code(std::errc::protocol_error));
    }
    settle();

    EXPECT_EQ(std::exchange(ends_, 0), 1);
    EXPECT_TRUE(taken_.empty());
    EXPECT_TRUE(log_capture().take("queue: taken over"));
    port_.reset();
  }
  EXPECT_TRUE(log_capture().take("handshake: Protocol error"));
}

TEST_F(PendingHandshakeTest, EndsWithTheDrain) {
  listen();
  connect();

  port_->drain();
  script_.take_step();
  settle();

  EXPECT_TRUE(taken_.empty());
}

}  // namespace
}  // namespace nearcall::inline v0::detail
