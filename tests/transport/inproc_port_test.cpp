// SPDX-License-Identifier: Apache-2.0
// InprocPort: names of a process, what waits at them, and what a forked child has of them.
#include "transport/inproc_port.hpp"

#include "support/child_process.hpp"
#include "support/io.hpp"
#include "transport/inproc_pipe.hpp"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace nearcall::inline v0::detail {
namespace {

using Offer = InprocPort::Offer;

class InprocPortTest : public testing::Test {
 protected:
  InprocPortTest() {
    auto port = InprocPort::open(name_, /*backlog=*/2);
    EXPECT_TRUE(port);
    port_ = *std::move(port);
  }
  ~InprocPortTest() override { port_->close(); }

  bool is_readable() const {
    pollfd watched{port_->fd(), POLLIN, 0};
    return ::poll(&watched, 1, 0) == 1;
  }
  Offer offer() {
    auto pipe = make_inproc_pipe(64);
    EXPECT_TRUE(pipe);
    const Offer taken = port_->offer(pipe->second);
    EXPECT_EQ(pipe->second == nullptr, taken == Offer::taken);
    kept_.push_back(std::move(pipe->first));
    return taken;
  }

  const std::string name_ = testing::UnitTest::GetInstance()->current_test_info()->name();
  std::shared_ptr<InprocPort> port_;
  std::vector<std::unique_ptr<Transport>> kept_;
};

TEST_F(InprocPortTest, TakenNameIsInUseUntilItIsClosed) {
  const auto second = InprocPort::open(name_, 1);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().reason(), StatusReason::address_in_use);
  EXPECT_EQ(second.error().message(), "inproc:" + name_ + ": bind: Address already in use");

  port_->close();
  EXPECT_EQ(InprocPort::find(name_), nullptr);
  const auto next = InprocPort::open(name_, 1);

  ASSERT_TRUE(next);
  port_->close();  // once more: the name is another's now
  EXPECT_EQ(InprocPort::find(name_), *next);
  (*next)->close();
}

TEST_F(InprocPortTest, DescriptorIsReadableWhileAnythingWaits) {
  EXPECT_FALSE(is_readable());
  EXPECT_EQ(offer(), Offer::taken);
  EXPECT_EQ(offer(), Offer::taken);

  EXPECT_NE(port_->take(), nullptr);
  EXPECT_TRUE(is_readable());
  EXPECT_NE(port_->take(), nullptr);
  EXPECT_FALSE(is_readable());
  EXPECT_EQ(port_->take(), nullptr);
}

TEST_F(InprocPortTest, NoMoreThanTheBacklogWait) {
  EXPECT_EQ(offer(), Offer::taken);
  EXPECT_EQ(offer(), Offer::taken);
  EXPECT_EQ(offer(), Offer::full);

  EXPECT_NE(port_->take(), nullptr);

  EXPECT_EQ(offer(), Offer::taken);
}

TEST_F(InprocPortTest, ClosedOneTakesNothingMoreAndHandsOverWhatWaits) {
  ASSERT_EQ(offer(), Offer::taken);
  port_->close();

  EXPECT_EQ(offer(), Offer::closed);
  EXPECT_NE(port_->take(), nullptr);
  EXPECT_EQ(port_->take(), nullptr);
}

TEST_F(InprocPortTest, WhatNobodyTookEndsWithThePort) {
  ASSERT_EQ(offer(), Offer::taken);
  port_->close();
  port_.reset();

  EXPECT_EQ(test::read_kind(*kept_.front()), IoResult::Kind::end_of_stream);
  auto again = InprocPort::open(name_, 1);
  ASSERT_TRUE(again);
  port_ = *std::move(again);
}

TEST_F(InprocPortTest, ForkedChildHasNamesOfItsOwn) {
  test::ChildProcess child([this] {
    if (InprocPort::find(name_) != nullptr) return 1;
    const auto own = InprocPort::open(name_, 1);
    if (!own) return 2;
    port_->close();  // the parent's
    return InprocPort::find(name_) == *own ? 0 : 3;
  });
  ASSERT_EQ(child.wait(), 0);

  EXPECT_EQ(InprocPort::find(name_), port_);
}

TEST_F(InprocPortTest, OffersOfManyThreadsAllArrive) {
  std::vector<std::thread> threads;
  std::atomic<int> taken{0};
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 25; ++round) {
        auto pipe = make_inproc_pipe(64);
        ASSERT_TRUE(pipe);
        while (port_->offer(pipe->second) != Offer::taken)
          std::this_thread::yield();
        ++taken;
      }
    });
  }

  for (int count = 0; count < 100;) {
    if (port_->take() != nullptr) {
      ++count;
      continue;
    }
    pollfd watched{port_->fd(), POLLIN, 0};
    ASSERT_EQ(::poll(&watched, 1, 10'000), 1) << "after " << count;
  }

  for (std::thread& thread : threads)
    thread.join();
  EXPECT_EQ(taken, 100);
}

}  // namespace
}  // namespace nearcall::inline v0::detail
