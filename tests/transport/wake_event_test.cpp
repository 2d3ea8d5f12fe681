// SPDX-License-Identifier: Apache-2.0
// WakeEvent: no system call for those who are awake, no lost wake-up for those who are not.
#include "transport/wake_event.hpp"

#include "async/loop_core.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <atomic>
#include <thread>

namespace nearcall::inline v0::detail {
namespace {

class WakeEventTest : public testing::Test {
 protected:
  bool is_readable(int timeout_ms = 0) {
    pollfd watched{event_.fd(), POLLIN, 0};
    return ::poll(&watched, 1, timeout_ms) == 1;
  }

  WakeEvent event_{UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK))};
};

TEST_F(WakeEventTest, SignalWithoutAnAnnouncementDoesNothing) {
  event_.signal();

  EXPECT_FALSE(is_readable());
}

TEST_F(WakeEventTest, SignalAfterAnAnnouncementMakesItReadableUntilConsumed) {
  event_.announce();
  event_.signal();
  event_.signal();
  EXPECT_TRUE(is_readable());

  event_.consume();

  EXPECT_FALSE(is_readable());
  event_.signal();
  EXPECT_FALSE(is_readable());
}

TEST_F(WakeEventTest, AnnouncementIsTakenBackByConsume) {
  event_.announce();
  event_.consume();

  event_.signal();

  EXPECT_FALSE(is_readable());
}

TEST_F(WakeEventTest, AnnouncementWhileSignalledKeepsItReadable) {
  event_.announce();
  event_.signal();

  event_.announce();

  EXPECT_TRUE(is_readable());
}

/// Reads what came, as long as anything does, and then announces its sleep.
class LoopSleeper final : public FdWatcher {
 public:
  LoopSleeper(EventLoop& loop, WakeEvent& event) : core_(&Access::core(loop)), event_(&event) {
    EXPECT_FALSE(core_->add(event.fd(), EPOLLIN | EPOLLET, *this));
    loop.post([this] { event_->announce(); });
    loop.poll();
  }
  LoopSleeper(const LoopSleeper&) = delete;
  LoopSleeper& operator=(const LoopSleeper&) = delete;
  ~LoopSleeper() { core_->remove(event_->fd(), *this); }

  void on_fd_events(std::uint32_t /*epoll_events*/) override {
    ++wakes;
    event_->consume();
    event_->announce();
  }
  int wakes = 0;

 private:
  LoopCore* core_;
  WakeEvent* event_;
};

TEST_F(WakeEventTest, SignalOnTheLoopOfTheSleeperWakesItWithoutTheDescriptor) {
  EventLoop loop;
  LoopSleeper sleeper(loop, event_);
  bool was_readable = true;
  for (int round = 1; round <= 3; ++round) {
    loop.post([&] {
      event_.signal();
      was_readable = is_readable();
    });

    loop.poll();
    loop.poll();

    EXPECT_FALSE(was_readable);
    EXPECT_EQ(sleeper.wakes, round);
  }
}

TEST_F(WakeEventTest, SignalFromElsewhereUsesTheDescriptor) {
  EventLoop loop;
  LoopSleeper sleeper(loop, event_);

  event_.signal();  // outside of the loop's poll()

  EXPECT_TRUE(is_readable());
  loop.poll();
  EXPECT_EQ(sleeper.wakes, 1);
  EventLoop other;
  other.post([&] { event_.signal(); });
  other.poll();
  EXPECT_TRUE(is_readable());
}

TEST_F(WakeEventTest, SignalForASleeperThatItsLoopDoesNotWatchUsesTheDescriptor) {
  EventLoop loop;
  loop.post([&] {
    event_.announce();
    event_.signal();
  });

  loop.poll();

  EXPECT_TRUE(is_readable());
}

TEST_F(WakeEventTest, NoWakeUpIsLost) {
  constexpr int rounds = 20'000;
  std::atomic<int> produced{0};
  std::atomic<int> consumed{0};
  std::thread waker([&] {
    for (int i = 0; i < rounds; ++i) {
      produced.store(i + 1);
      event_.signal();
      if (i % 64 == 0) {
        while (consumed.load() < i)
          std::this_thread::yield();
      }
    }
  });

  while (consumed.load() < rounds) {
    event_.consume();
    consumed.store(produced.load());
    if (consumed.load() == rounds) break;
    event_.announce();
    if (produced.load() != consumed.load()) continue;
    ASSERT_TRUE(is_readable(/*timeout_ms=*/10'000)) << "asleep at " << consumed.load();
  }
  waker.join();
}

}  // namespace
}  // namespace nearcall::inline v0::detail
