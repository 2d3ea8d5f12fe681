// SPDX-License-Identifier: Apache-2.0
// Calls that wait for a connection which another call is making: what they get of it.
#include "client/backend.hpp"
#include "support/frames.hpp"
#include "support/io.hpp"
#include "support/log_capture.hpp"
#include "transport/socket_transport.hpp"

#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <fstream>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <semaphore>
#include <stop_token>
#include <string>
#include <thread>

namespace nearcall::inline v0::detail {
namespace {

using namespace std::chrono_literals;
using Taken = Result<std::shared_ptr<BlockingConnection>>;

/// Another thread's call, made while this connector connects.
class OverlappedConnector final : public Connector {
 public:
  Task<Result<std::unique_ptr<Transport>>> connect(ConnectContext /*context*/) override {
    if (++attempts == 1) meanwhile();
    if (fails) co_return Failure{Status(StatusCode::unavailable, "nobody there")};
    Result<SocketPair> pair = make_socketpair();
    peer = std::move(pair->second);
    EXPECT_TRUE(test::write_all(*peer, first_words));
    std::unique_ptr<Transport> ours = std::move(pair->first);
    co_return ours;
  }

  std::function<void()> meanwhile;
  std::string first_words;  // of the server
  bool fails = false;
  std::atomic<int> attempts = 0;
  std::unique_ptr<Transport> peer;
};

/// A clock that one thread moves while another one reads it.
class SharedClock {
 public:
  operator Clock() const noexcept { return {&read, this}; }
  void advance(Duration by) noexcept { time_.fetch_add(by.count()); }
  int looks() const noexcept { return looks_.load(); }
  /// Until it was read that often.
  void wait_for_looks(int count) const noexcept {
    for (int seen = looks_; seen < count; seen = looks_)
      looks_.wait(seen);
  }

 private:
  static TimePoint read(const void* self) noexcept {
    const auto& clock = *static_cast<const SharedClock*>(self);
    const TimePoint time{Duration(clock.time_.load())};
    ++clock.looks_;
    clock.looks_.notify_all();
    return time;
  }

  std::atomic<Duration::rep> time_{SteadyClock::now().time_since_epoch().count()};
  mutable std::atomic<int> looks_{0};
};

/// A call on a thread of its own that wants a connection.
class WaitingCall {
 public:
  explicit WaitingCall(Backend& core)
      : thread_([this, &core] {
          id_.set_value(::gettid());
          outcome_.set_value(core.connect(no_deadline, {}));
        }) {}

  /// Until its thread sleeps for longer than a lock or the allocator would have it: where it waits
  /// for others' attempts.
  void wait_until_asleep() {
    const std::string path = "/proc/self/task/" + std::to_string(id_.get_future().get()) + "/stat";
    constexpr int most_looks = 100;
    for (int looks = 0; looks < most_looks; ++looks) {
      std::ifstream stat(path);
      std::string number;
      std::string name;
      char state = 0;
      if (!(stat >> number >> name >> state)) {
        ADD_FAILURE() << "the call is over, instead of waiting";
        return;
      }
      if (state != 'S') looks = 0;
      std::this_thread::yield();
    }
  }
  const Taken& outcome() { return received_.get(); }
  pthread_t thread() { return thread_.native_handle(); }

 private:
  std::promise<pid_t> id_;
  std::promise<Taken> outcome_;
  std::shared_future<Taken> received_ = outcome_.get_future().share();
  std::jthread thread_;
};

/// Keeps a thread that sleeps from going on, as a busy machine can, for as long as it lives.
class PausedThread {
 public:
  explicit PausedThread(WaitingCall& call) {
    std::array<int, 2> pipe{-1, -1};
    EXPECT_EQ(::pipe(pipe.data()), 0);
    until_ = UniqueFd(pipe[0]);
    go_on_ = UniqueFd(pipe[1]);
    until_fd_ = pipe[0];
    struct sigaction action {};
    action.sa_handler = [](int) {
      is_paused_.store(true);
      is_paused_.notify_all();
      char byte = 0;
      static_cast<void>(!::read(until_fd_, &byte, 1));
      is_paused_.store(false);
      is_paused_.notify_all();
    };
    EXPECT_EQ(::sigaction(SIGUSR2, &action, &before_), 0);
    EXPECT_EQ(::pthread_kill(call.thread(), SIGUSR2), 0);
    is_paused_.wait(false);
  }
  ~PausedThread() {
    go_on_.reset();
    is_paused_.wait(true);
    ::sigaction(SIGUSR2, &before_, nullptr);
  }
  PausedThread(const PausedThread&) = delete;
  PausedThread& operator=(const PausedThread&) = delete;

 private:
  static inline std::atomic<bool> is_paused_{false};
  static inline int until_fd_ = -1;
  UniqueFd until_;
  UniqueFd go_on_;
  struct sigaction before_ {};
};

class OneConnectionThatIsBeingMade : public test::LogCheckedTest {
 protected:
  SharedClock clock_;  // core_ reads it until it goes
  std::shared_ptr<OverlappedConnector> connector_ = std::make_shared<OverlappedConnector>();
  std::shared_ptr<Backend> core_ =
      std::make_shared<Backend>("mine", ChannelOptions().connector(connector_).max_connections(1));
};

TEST_F(OneConnectionThatIsBeingMade, IsWaitedForAndNoSecondOneIsMade) {
  Taken second = Failure{Status(StatusCode::unknown, "not called")};
  connector_->meanwhile = [&] {
    std::jthread([&] {
      BlockingConnection::Turn turn;
      EXPECT_EQ(core_->take(turn), nullptr);
      second = core_->connect(SteadyClock::now() + 5ms, {});
    }).join();
  };

  const Taken first = core_->connect(no_deadline, {});

  EXPECT_TRUE(first.ok());
  EXPECT_EQ(second.status().code(), StatusCode::unavailable);
  EXPECT_EQ(connector_->attempts, 1);
}

TEST_F(OneConnectionThatIsBeingMade, IsSharedOnceItIsThere) {
  Taken second = Failure{Status(StatusCode::unknown, "not called")};
  std::jthread other;
  connector_->meanwhile = [&] {
    other = std::jthread([&] { second = core_->connect(no_deadline, {}); });
  };

  const Taken first = core_->connect(no_deadline, {});
  other.join();

  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(*first, *second);
  EXPECT_EQ(connector_->attempts, 1);
}

TEST_F(OneConnectionThatIsBeingMade, WhoWaitsForItWaitsForTheServersWordAsLongAgain) {
  core_ = std::make_shared<Backend>(
      "mine", ChannelOptions().connector(connector_).max_connections(1), Clock(clock_));
  Status heard = Status(StatusCode::unknown, "not called");
  std::jthread other;
  connector_->first_words = test::frames::settings();
  connector_->meanwhile = [&] {
    const int looks = clock_.looks();
    other = std::jthread([&] { heard = core_->ensure_connection(SteadyClock::now()); });
    clock_.wait_for_looks(looks + 2);  // its time runs
    clock_.advance(ChannelOptions().connect_timeout());
  };

  const Taken first = core_->connect(no_deadline, {});
  other.join();

  EXPECT_TRUE(first.ok());
  EXPECT_TRUE(heard.ok()) << heard.to_string();
  EXPECT_EQ(connector_->attempts, 1);
}

TEST_F(OneConnectionThatIsBeingMade, IsNotWaitedForOnceTheCallIsCancelled) {
  std::stop_source stop;
  Taken second = Failure{Status(StatusCode::unknown, "not called")};
  connector_->meanwhile = [&] {
    std::jthread other([&] { second = core_->connect(no_deadline, stop.get_token()); });
    stop.request_stop();
  };

  EXPECT_TRUE(core_->connect(no_deadline, {}).ok());

  EXPECT_FALSE(second.ok());
  EXPECT_EQ(connector_->attempts, 1);
}

TEST_F(OneConnectionThatIsBeingMade, MayFailForAllWhoWaitForItAndTheNextCallTriesAgain) {
  connector_->fails = true;
  std::optional<WaitingCall> other;
  connector_->meanwhile = [&] {
    other.emplace(*core_);
    other->wait_until_asleep();
  };

  EXPECT_EQ(core_->connect(no_deadline, {}).status().message(), "nobody there");
  EXPECT_EQ(other->outcome().status().message(), "nobody there");
  EXPECT_EQ(connector_->attempts, 1);
  connector_->fails = false;

  EXPECT_TRUE(core_->connect(no_deadline, {}).ok());
}

/// The first succeeds and the second fails, each when it is told to.
class TwoAttempts final : public Connector {
 public:
  Task<Result<std::unique_ptr<Transport>>> connect(ConnectContext /*context*/) override {
    const bool is_first = attempts_.fetch_add(1) == 0;
    begun.release();
    (is_first ? first_may : second_may).acquire();
    if (!is_first) co_return Failure{Status(StatusCode::unavailable, "nobody there")};
    Result<SocketPair> pair = make_socketpair();
    peer_ = std::move(pair->second);
    EXPECT_TRUE(test::write_all(*peer_, test::frames::settings()));
    std::unique_ptr<Transport> ours = std::move(pair->first);
    co_return ours;
  }

  std::counting_semaphore<> begun{0};
  std::binary_semaphore first_may{0};
  std::binary_semaphore second_may{0};

 private:
  std::atomic<int> attempts_ = 0;
  std::unique_ptr<Transport> peer_;
};

TEST(TwoConnectionsThatAreBeingMade,
     WhoWaitsSharesTheOneThatLivesThoughTheOtherFailsBeforeItLooks) {
  const auto connector = std::make_shared<TwoAttempts>();
  const auto core =
      std::make_shared<Backend>("mine", ChannelOptions().connector(connector).max_connections(2));
  WaitingCall first(*core);
  connector->begun.acquire();
  WaitingCall second(*core);
  connector->begun.acquire();
  WaitingCall third(*core);
  third.wait_until_asleep();
  {
    const PausedThread paused(third);
    connector->first_may.release();
    EXPECT_TRUE(first.outcome().ok());
    connector->second_may.release();
    EXPECT_EQ(*second.outcome(), *first.outcome());
  }

  const Taken shared = third.outcome();

  ASSERT_TRUE(shared.ok()) << shared.error().to_string();
  EXPECT_EQ(*shared, *first.outcome());
}

}  // namespace
}  // namespace nearcall::inline v0::detail
