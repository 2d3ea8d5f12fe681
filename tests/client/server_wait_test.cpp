// SPDX-License-Identifier: Apache-2.0
// When whoever waits for a server is told to try again.
#include "client/server_wait.hpp"

#include "client/backend.hpp"
#include "support/log_capture.hpp"
#include "support/manual_loop.hpp"
#include "support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;
using detail::Access;
using detail::Backend;
using detail::Connectivity;
using detail::ServerWait;
using detail::ThreadServerWait;

class ServerWaitTest : public LogCheckedTest, protected ManualLoop {
 protected:
  static void count(void* self) noexcept { ++static_cast<ServerWaitTest*>(self)->calls_; }
  void fail_to_connect() {
    backend_->note(Connectivity::Event::attempt);
    backend_->note(Connectivity::Event::failed);
  }

  int calls_ = 0;
  std::shared_ptr<Backend> backend_ =
      std::make_shared<Backend>("ipv4:127.0.0.1:1", ChannelOptions(), clock_of(clock_));
  ServerWait wait_{*backend_, Access::core(loop_), &ServerWaitTest::count, this};
};

TEST_F(ServerWaitTest, TellsOnceThatTheNextAttemptIsDue) {
  fail_to_connect();
  const detail::Duration pause = backend_->next_attempt() - clock_.now();
  ASSERT_GT(pause, 1ms);

  wait_.begin();
  advance(pause - 1ms);
  EXPECT_EQ(calls_, 0);
  advance(1ms);
  EXPECT_EQ(calls_, 1);
  advance(1h);
  EXPECT_EQ(calls_, 1);
}

TEST_F(ServerWaitTest, TellsAtOnceWhereThereIsNoPause) {
  wait_.begin();
  settle();
  EXPECT_EQ(calls_, 1);
}

TEST_F(ServerWaitTest, TellsNothingAfterItsEnd) {
  fail_to_connect();
  wait_.begin();
  wait_.end();
  advance(1h);
  EXPECT_EQ(calls_, 0);
}

class ServerWaitAtPath : public ServerWaitTest {
 protected:
  const TempDir folder_;
  const std::string path_ = folder_.file("socket");
  std::shared_ptr<Backend> local_ =
      std::make_shared<Backend>("unix:" + path_, ChannelOptions(), clock_of(clock_));
  ServerWait wait_{*local_, Access::core(loop_), &ServerWaitAtPath::count, this};
};

TEST_F(ServerWaitAtPath, TellsOnceMoreWhenItWatchesAndThenAsSoonAsSomethingComes) {
  wait_.begin();
  settle();
  EXPECT_EQ(calls_, 1) << "nothing was missed before the watch";

  wait_.begin();
  advance(900ms);
  EXPECT_EQ(calls_, 1) << "nothing is there";
  std::ofstream(path_) << "a socket";
  advance(0ms);
  EXPECT_EQ(calls_, 2);
}

TEST_F(ServerWaitAtPath, LooksOnceASecondAllTheSame) {
  wait_.begin();
  settle();
  wait_.begin();
  advance(1s);
  EXPECT_EQ(calls_, 2);
}

TEST_F(ServerWaitAtPath, HeedsThePausesWhereThereIsSomethingThatDoesNotListen) {
  std::ofstream(path_) << "left by one that was killed";
  std::vector<detail::Duration> pauses;
  wait_.begin();
  settle();
  for (int i = 0; i < 9; ++i) {
    local_->note(Connectivity::Event::attempt);
    local_->note(Connectivity::Event::failed);
    const detail::Duration pause = local_->next_attempt() - clock_.now();
    const int before = calls_;
    wait_.begin();
    advance(pause);
    EXPECT_EQ(calls_, before + 1);
    pauses.push_back(pause);
  }
  EXPECT_LE(pauses.front(), 1200us);
  EXPECT_GE(pauses.back(), 80ms);
  EXPECT_LE(pauses.back(), 120ms);
}

TEST_F(ServerWaitTest, TellsAtOnceWhenSomebodyElseHasReachedTheServer) {
  fail_to_connect();
  wait_.begin();
  settle();
  ASSERT_EQ(calls_, 0);

  backend_->note(Connectivity::Event::attempt);
  backend_->note(Connectivity::Event::connected);
  settle();

  EXPECT_EQ(calls_, 1);
}

TEST(ThreadServerWait, SleepsUntilTheNextAttemptIsDue) {
  const auto backend = std::make_shared<Backend>("mine", ChannelOptions());
  ThreadServerWait wait(*backend);
  for (int i = 0; i < 3; ++i) {
    backend->note(Connectivity::Event::attempt);
    backend->note(Connectivity::Event::failed);

    EXPECT_TRUE(wait.sleep(detail::no_deadline, std::stop_token()));
    EXPECT_GE(backend->clock().now(), backend->next_attempt());
  }
}

TEST(ThreadServerWait, EndsWithItsTimeOrWhenItIsStopped) {
  const auto backend = std::make_shared<Backend>("mine", ChannelOptions());
  ThreadServerWait wait(*backend);
  for (int i = 0; i < 12; ++i) {  // a long pause
    backend->note(Connectivity::Event::attempt);
    backend->note(Connectivity::Event::failed);
  }
  std::stop_source source;
  source.request_stop();

  EXPECT_FALSE(wait.sleep(backend->clock().now() + 1ms, std::stop_token()));
  EXPECT_FALSE(wait.sleep(detail::no_deadline, source.get_token()));
}

}  // namespace
}  // namespace nearcall::test
