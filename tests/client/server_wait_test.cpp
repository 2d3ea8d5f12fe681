// SPDX-License-Identifier: Apache-2.0
// When whoever waits for a server is told to try again.
#include "client/server_wait.hpp"

#include "client/backend.hpp"
#include "support/log_capture.hpp"
#include "support/manual_loop.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <stop_token>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;
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
      std::make_shared<Backend>("tcp:127.0.0.1:1", ChannelOptions(), clock_of(clock_));
  ServerWait wait_{*backend_, detail::Access::core(loop_), &ServerWaitTest::count, this};
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

TEST_F(ServerWaitTest, TellsAtOnceWhereThereIsNoPauseUnlessThereHasToBeOne) {
  wait_.begin();
  settle();
  EXPECT_EQ(calls_, 1);

  wait_.begin(50ms);
  advance(49ms);
  EXPECT_EQ(calls_, 1);
  advance(1ms);
  EXPECT_EQ(calls_, 2);
}

TEST_F(ServerWaitTest, TellsNothingAfterItsEnd) {
  wait_.begin(1ms);
  wait_.end();
  advance(1h);
  EXPECT_EQ(calls_, 0);
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
