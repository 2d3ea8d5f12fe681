// SPDX-License-Identifier: Apache-2.0
// WakeEvent: no system call for those who are awake, no lost wake-up for those who are not.
#include "transport/wake_event.hpp"

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
