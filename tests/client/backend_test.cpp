// SPDX-License-Identifier: Apache-2.0
// A channel's pool: what is used again, shared, replaced and closed.
#include "client/backend.hpp"

#include "client/script_methods.hpp"
#include "support/enough_time.hpp"
#include "support/log_capture.hpp"
#include "support/manual_loop.hpp"
#include "transport/socket_transport.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>

namespace nearcall::inline v0::detail {
namespace {

using namespace std::chrono_literals;
using test::SessionPeer;

/// Gives the other end a turn after each write.
class AnsweredTransport final : public ForwardingTransport {
 public:
  AnsweredTransport(std::unique_ptr<Transport> inner, std::function<void()> answer)
      : ForwardingTransport(std::move(inner)), answer_(std::move(answer)) {}
  IoResult try_write(std::span<const iovec> from) override {
    const IoResult result = inner().try_write(from);
    answer_();
    return result;
  }

 private:
  std::function<void()> answer_;
};

/// Makes connections whose other ends the test keeps.
class KeepingConnector final : public Connector {
 public:
  Task<Result<std::unique_ptr<Transport>>> connect(ConnectContext context) override {
    const std::lock_guard lock(mutex);
    ++attempts;
    last_deadline = context.deadline();
    if (fails) co_return Failure{Status(StatusCode::unavailable, "nobody there")};
    Result<SocketPair> pair = make_socketpair();
    if (turns_away) co_return std::move(pair->first);
    peers.push_back(std::make_unique<SessionPeer>(http2::Role::server, std::move(pair->second)));
    std::unique_ptr<Transport> ours = std::make_unique<AnsweredTransport>(
        std::move(pair->first), [this, number = peers.size() - 1] { answer(number); });
    co_return ours;
  }
  void answer(std::size_t number) {
    const std::lock_guard lock(mutex);
    if (!is_silent && number < peers.size()) peers[number]->turn();
  }

  std::mutex mutex;
  int attempts = 0;
  bool fails = false;
  bool is_silent = false;
  bool turns_away = false;  // as a server that has enough: accepts, and closes at once
  TimePoint last_deadline{};
  std::vector<std::unique_ptr<SessionPeer>> peers;
};

class BackendTest : public test::LogCheckedTest {
 protected:
  std::shared_ptr<Backend> make(ChannelOptions options = ChannelOptions(), Clock clock = Clock()) {
    return std::make_shared<Backend>("mine", std::move(options.connector(connector_)), clock);
  }
  std::shared_ptr<Backend> make_with_manual_clock() {
    return make(ChannelOptions(), test::clock_of(clock_));
  }
  /// That many connections, all of them idle.
  std::vector<std::weak_ptr<BlockingConnection>> make_idle(Backend& core, int count) {
    std::vector<std::shared_ptr<BlockingConnection>> taken;
    for (int i = 0; i < count; ++i)
      taken.push_back(acquire(core));
    std::vector<std::weak_ptr<BlockingConnection>> made(taken.begin(), taken.end());
    for (std::shared_ptr<BlockingConnection>& one : taken)
      put_back(core, std::move(one), clock_.now());
    return made;
  }
  static auto count_open(const std::vector<std::weak_ptr<BlockingConnection>>& made) {
    return std::ranges::count_if(made, [](const auto& one) { return !one.expired(); });
  }
  std::shared_ptr<BlockingConnection> acquire(Backend& core) {
    BlockingConnection::Turn turn;
    if (std::shared_ptr<BlockingConnection> taken = core.take(turn)) return taken;
    Result<std::shared_ptr<BlockingConnection>> made = core.connect(no_deadline, {});
    EXPECT_TRUE(made.ok()) << made.status().to_string();
    return made.ok() ? *made : nullptr;
  }
  static void put_back(Backend& core,
                       std::shared_ptr<BlockingConnection> connection,
                       TimePoint now) {
    const auto state = connection->client().open_state();
    core.put_back(std::move(connection), state, now);
  }

  testing::ManualClock clock_;
  std::shared_ptr<KeepingConnector> connector_ = std::make_shared<KeepingConnector>();
};

TEST_F(BackendTest, ATargetThatIsWrongIsAMisuse) {
  const Backend wrong("nonsense:://", ChannelOptions());
  const Backend right("unix:/tmp/x", ChannelOptions());

  EXPECT_EQ(wrong.misuse().code(), StatusCode::unavailable);
  EXPECT_TRUE(right.misuse().ok());
}

TEST_F(BackendTest, AnyTargetWillDoWhereTheUserConnects) {
  EXPECT_TRUE(make()->misuse().ok());
}

TEST_F(BackendTest, AnAttemptEndsAtTheEarlierOneOfDeadlineAndConnectTimeout) {
  const std::shared_ptr<Backend> core = make(ChannelOptions().connect_timeout(1h));
  const TimePoint now = SteadyClock::now();

  EXPECT_EQ(core->connect_deadline(now, now + 1min), now + 1min);
  EXPECT_EQ(core->connect_deadline(now, no_deadline), now + 1h);

  acquire(*core);
  EXPECT_LT(connector_->last_deadline, now + 2h);
}

TEST_F(BackendTest, AConnectionThatWasPutBackIsTakenAgain) {
  const std::shared_ptr<Backend> core = make();
  const std::shared_ptr<BlockingConnection> first = acquire(*core);
  put_back(*core, first, clock_.now());

  EXPECT_EQ(acquire(*core), first);
  EXPECT_EQ(connector_->attempts, 1);
}

TEST_F(BackendTest, TheOneThatWasPutBackLastIsTakenFirst) {
  const std::shared_ptr<Backend> core = make();
  const std::shared_ptr<BlockingConnection> one = acquire(*core);
  const std::shared_ptr<BlockingConnection> two = acquire(*core);
  put_back(*core, two, clock_.now());
  put_back(*core, one, clock_.now() + 1ns);

  EXPECT_EQ(acquire(*core), one);
  EXPECT_EQ(acquire(*core), two);
}

TEST_F(BackendTest, BesideItsOwnAThreadTakesTheOneThatWasUsedLast) {
  const std::shared_ptr<Backend> core = make();
  const std::shared_ptr<BlockingConnection> old = acquire(*core);
  const std::shared_ptr<BlockingConnection> young = acquire(*core);
  const std::shared_ptr<BlockingConnection> own = acquire(*core);
  put_back(*core, old, clock_.now());
  put_back(*core, young, clock_.now() + 2ns);
  put_back(*core, own, clock_.now() + 1ns);

  EXPECT_EQ(acquire(*core), own);
  EXPECT_EQ(acquire(*core), young);
  EXPECT_EQ(acquire(*core), old);
}

TEST_F(BackendTest, ConnectionsAreSharedEvenlyOnceThereMayNotBeMore) {
  const std::shared_ptr<Backend> core = make(ChannelOptions().max_connections(2));
  const std::shared_ptr<BlockingConnection> one = acquire(*core);
  const std::shared_ptr<BlockingConnection> two = acquire(*core);
  EXPECT_NE(one, two);
  const std::shared_ptr<BlockingConnection> three = acquire(*core);
  const std::shared_ptr<BlockingConnection> four = acquire(*core);

  EXPECT_EQ(connector_->attempts, 2);
  EXPECT_NE(three, four);
  EXPECT_TRUE(three == one || three == two);
  EXPECT_TRUE(four == one || four == two);
}

TEST_F(BackendTest, ASharedConnectionIsIdleWhenItsLastUserPutsItBack) {
  const std::shared_ptr<Backend> core = make(ChannelOptions().max_connections(1));
  const std::shared_ptr<BlockingConnection> one = acquire(*core);
  const std::shared_ptr<BlockingConnection> again = acquire(*core);
  put_back(*core, one, clock_.now());
  put_back(*core, again, clock_.now());

  EXPECT_EQ(acquire(*core), one);
  EXPECT_EQ(connector_->attempts, 1);
}

TEST_F(BackendTest, AConnectionThatHasEndedIsNotSharedThoughACallStillHoldsIt) {
  const std::shared_ptr<Backend> core = make(ChannelOptions().max_connections(1));
  const std::shared_ptr<BlockingConnection> held = acquire(*core);
  connector_->peers.clear();
  {
    BlockingConnection::Turn turn = held->begin_turn();
    ASSERT_FALSE(held->is_fit(turn));
  }

  const std::shared_ptr<BlockingConnection> next = acquire(*core);

  EXPECT_NE(next, held);
  EXPECT_EQ(connector_->attempts, 2);
  put_back(*core, next, clock_.now());
  put_back(*core, held, clock_.now());
}

TEST_F(BackendTest, WhoWantsAFreshOneGetsNoOtherWhileThereMayBeMore) {
  const std::shared_ptr<Backend> core = make(ChannelOptions().max_connections(2));
  put_back(*core, acquire(*core), clock_.now());
  BlockingConnection::Turn turn;

  EXPECT_EQ(core->take(turn, Backend::Want::fresh), nullptr);
  EXPECT_TRUE(core->connect(no_deadline, {}).ok());

  EXPECT_EQ(connector_->attempts, 2);
}

TEST_F(BackendTest, WhoWantsAFreshOneGetsAnIdleOneIfThereMayNotBeMore) {
  const std::shared_ptr<Backend> core = make(ChannelOptions().max_connections(2));
  const std::shared_ptr<BlockingConnection> used = acquire(*core);
  const std::shared_ptr<BlockingConnection> idle = acquire(*core);
  put_back(*core, idle, clock_.now());
  BlockingConnection::Turn turn;

  EXPECT_EQ(core->take(turn, Backend::Want::fresh), idle);
}

TEST_F(BackendTest, ConnectionsBeyondFourAreClosedAfterThirtySecondsWithoutUse) {
  const std::shared_ptr<Backend> core = make();
  const std::vector<std::weak_ptr<BlockingConnection>> made = make_idle(*core, 7);

  EXPECT_EQ(count_open(made), 7);
  put_back(*core, acquire(*core), clock_.now() + 29s);
  EXPECT_EQ(count_open(made), 7);
  put_back(*core, acquire(*core), clock_.now() + 30s);

  EXPECT_EQ(count_open(made), 4);
  EXPECT_FALSE(made.back().expired());
  const auto closed = std::ranges::count_if(connector_->peers, [](const auto& peer) {
    peer->turn();
    return peer->has_ended();
  });
  EXPECT_EQ(closed, 3);
}

TEST_F(BackendTest, TheyAreClosedWhenACallBeginsThoughItNeverEnds) {
  const std::shared_ptr<Backend> core = make_with_manual_clock();
  const std::vector<std::weak_ptr<BlockingConnection>> made = make_idle(*core, 7);

  clock_.advance(30s);
  const std::shared_ptr<BlockingConnection> taken = acquire(*core);

  EXPECT_EQ(count_open(made), 4);
}

TEST_F(BackendTest, CloseIdleClosesWhatCarriesNoCallAndNothingElse) {
  const std::shared_ptr<Backend> core = make();
  const std::shared_ptr<BlockingConnection> used = acquire(*core);
  const std::vector<std::weak_ptr<BlockingConnection>> made = make_idle(*core, 2);

  core->close_idle();

  EXPECT_EQ(count_open(made), 0);
  EXPECT_TRUE(used->client().open_state() != http2::Session::OpenState::closed);
  put_back(*core, used, clock_.now());
  EXPECT_EQ(acquire(*core), used);
}

TEST_F(BackendTest, AConnectionThatTheServerClosesAtOnceIsReplacedByOneThatLives) {
  const std::shared_ptr<Backend> core = make();
  const std::shared_ptr<BlockingConnection> lives = acquire(*core);
  connector_->turns_away = true;

  const std::shared_ptr<BlockingConnection> shared = acquire(*core);

  EXPECT_EQ(shared, lives);
  EXPECT_EQ(connector_->attempts, 2);
  put_back(*core, lives, clock_.now());
  put_back(*core, shared, clock_.now());
}

TEST_F(BackendTest, AServerThatAcceptsAndSaysNothingIsNotWaitedForBeyondTheDeadlineOrAStop) {
  const std::shared_ptr<Backend> core = make();
  const std::shared_ptr<BlockingConnection> lives = acquire(*core);
  connector_->is_silent = true;
  std::stop_source stopped;
  stopped.request_stop();

  const auto late = core->connect(SteadyClock::now() + 10ms, {});
  const auto unwanted = core->connect(no_deadline, stopped.get_token());

  EXPECT_EQ(late.status().code(), StatusCode::unavailable);
  EXPECT_FALSE(unwanted.ok());
  EXPECT_EQ(core->counters().failed(), 0U) << "nobody waited for their ends";
}

TEST_F(BackendTest, AServerThatSaidNothingYetHasItsTimeFromTheNextCallOn) {
  for (const Backend::Want want : {Backend::Want::any, Backend::Want::fit}) {
    connector_->is_silent = true;
    const std::shared_ptr<Backend> core = make_with_manual_clock();
    put_back(*core, acquire(*core), clock_.now());
    clock_.advance(25s);

    BlockingConnection::Turn turn;
    const std::shared_ptr<BlockingConnection> taken = core->take(turn, want);

    ASSERT_NE(taken, nullptr);
    turn.finish();  // which sends the preface
    Pump& pump = taken->client().pump();
    EXPECT_EQ(pump.next_deadline(), clock_.now() + ChannelOptions().connect_timeout());
    pump.on_time(clock_.now());
    EXPECT_EQ(taken->client().open_state(), http2::Session::OpenState::ready);
  }
}

TEST_F(BackendTest, WhoWaitsForAServerPausesThoughALoopHasAConnection) {
  const std::shared_ptr<Backend> core = make();
  core->note(Connectivity::Event::attempt);
  core->note(Connectivity::Event::connected);
  connector_->fails = true;

  test::with_enough_time([&](std::chrono::milliseconds patience) {
    connector_->attempts = 0;
    const TimePoint begin = SteadyClock::now();

    EXPECT_FALSE(core->ensure_connection(begin + patience).ok());

    EXPECT_GE(SteadyClock::now(), begin + patience);
    EXPECT_LE(connector_->attempts, 2 + patience / 8ms);
    return connector_->attempts >= 2;
  });
}

TEST_F(BackendTest, FourConnectionsMayBeIdleForAnyTime) {
  const std::shared_ptr<Backend> core = make();
  std::shared_ptr<BlockingConnection> old = acquire(*core);
  const std::shared_ptr<BlockingConnection> used = acquire(*core);
  const std::weak_ptr<BlockingConnection> watched = old;
  put_back(*core, std::move(old), clock_.now());
  put_back(*core, used, clock_.now() + 1h);

  EXPECT_FALSE(watched.expired());
}

TEST_F(BackendTest, AConnectionThatCannotBeMadeIsReplacedByOneThatLives) {
  const std::shared_ptr<Backend> core = make();
  const std::shared_ptr<BlockingConnection> lives = acquire(*core);
  connector_->fails = true;

  const std::shared_ptr<BlockingConnection> shared = acquire(*core);

  EXPECT_EQ(shared, lives);
  EXPECT_EQ(connector_->attempts, 2);
  put_back(*core, lives, clock_.now());
  put_back(*core, shared, clock_.now());
}

TEST_F(BackendTest, OneThatDiedWhileIdleIsReplaced) {
  const std::shared_ptr<Backend> core = make();
  const std::shared_ptr<BlockingConnection> dead = acquire(*core);
  put_back(*core, dead, clock_.now());
  connector_->peers.clear();

  EXPECT_NE(acquire(*core), dead);
  EXPECT_EQ(connector_->attempts, 2);
}

TEST_F(BackendTest, OneThatWasToldToGoAwayWhileIdleIsReplaced) {
  const std::shared_ptr<Backend> core = make();
  const std::shared_ptr<BlockingConnection> told = acquire(*core);
  { const auto sends = told->begin_turn(); }
  connector_->peers[0]->turn();
  put_back(*core, told, clock_.now());
  connector_->peers[0]->session().send_goaway(http2::ErrorCode::no_error, {});
  connector_->peers[0]->flush();

  EXPECT_NE(acquire(*core), told);
  EXPECT_EQ(connector_->attempts, 2);
}

TEST_F(BackendTest, OneThatDiedInUseIsNotKept) {
  const std::shared_ptr<Backend> core = make(ChannelOptions().max_connections(1));
  std::shared_ptr<BlockingConnection> dying = acquire(*core);
  const std::weak_ptr<BlockingConnection> watched = dying;
  connector_->peers.clear();
  {
    BlockingConnection::Turn turn = dying->begin_turn();
    EXPECT_FALSE(dying->is_fit(turn));
  }
  put_back(*core, std::move(dying), clock_.now());

  EXPECT_TRUE(watched.expired());
  acquire(*core);
  EXPECT_EQ(connector_->attempts, 2);
}

TEST_F(BackendTest, AnAttemptThatFailsDoesNotCountAsAConnection) {
  const std::shared_ptr<Backend> core = make(ChannelOptions().max_connections(2));
  connector_->fails = true;
  for (int i = 0; i < 3; ++i) {
    BlockingConnection::Turn turn;
    ASSERT_EQ(core->take(turn), nullptr);
    const Result<std::shared_ptr<BlockingConnection>> failed = core->connect(no_deadline, {});
    ASSERT_FALSE(failed.ok());
    EXPECT_EQ(failed.error(), Status(StatusCode::unavailable, "nobody there"));
  }
  EXPECT_EQ(core->counters().failed(), 3U);
  connector_->fails = false;

  const std::shared_ptr<BlockingConnection> one = acquire(*core);
  EXPECT_NE(acquire(*core), one);
}

TEST_F(BackendTest, ThreadsThatTakeAndPutBackNeverHoldOneThatWasClosed) {
  const std::shared_ptr<Backend> core = make(ChannelOptions().max_connections(8));
  std::atomic<int> hours{0};
  std::atomic<int> closed{0};
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < 8; ++thread)
      threads.emplace_back([&] {
        for (int round = 0; round < 300; ++round) {
          const std::shared_ptr<BlockingConnection> mine = acquire(*core);
          auto state = http2::Session::OpenState::closed;
          {
            const BlockingConnection::Turn turn = mine->begin_turn();
            state = mine->client().open_state();
          }
          if (state == http2::Session::OpenState::closed) ++closed;
          core->put_back(mine, state,
                         clock_.now() + 1h * ++hours);  // each time the others are too old
        }
      });
  }

  EXPECT_EQ(closed, 0);
  EXPECT_EQ(acquire(*core).use_count(), 2);  // the pool's and this one: nobody else's is left
}

TEST_F(BackendTest, ClosesItsConnectionsWhenItGoes) {
  std::shared_ptr<Backend> core = make();
  put_back(*core, acquire(*core), clock_.now());
  core.reset();

  connector_->peers[0]->turn();
  EXPECT_TRUE(connector_->peers[0]->has_ended());
}

}  // namespace
}  // namespace nearcall::inline v0::detail
