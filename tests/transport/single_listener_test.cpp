// SPDX-License-Identifier: Apache-2.0
// One connection, and the end of its listener.
#include "transport/single_listener.hpp"

#include "support/io.hpp"
#include "support/misuse.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

class SingleListenerTest : public testing::Test {
 protected:
  SingleListenerTest() {
    auto pair = make_socketpair();
    here_ = std::move(pair->first);
    listener_ = std::make_unique<SingleListener>(std::move(pair->second), "stdio:", true);
  }
  bool is_readable() {
    const WaitAdvice advice = listener_->prepare_wait();
    if (advice.is_ready()) return true;
    pollfd watched{advice.fd(), advice.events(), 0};
    return ::poll(&watched, 1, 0) == 1;
  }

  std::unique_ptr<Transport> here_;
  std::unique_ptr<SingleListener> listener_;
};

TEST_F(SingleListenerTest, HandsItsConnectionOverOnce) {
  ASSERT_TRUE(listener_->bind());
  EXPECT_TRUE(is_readable());

  const auto first = listener_->try_accept();
  const auto second = listener_->try_accept();

  ASSERT_TRUE(first && *first);
  ASSERT_TRUE(test::write_all(*here_, "x"));
  EXPECT_EQ(test::read_exactly(**first, 1), "x");
  ASSERT_TRUE(second);
  EXPECT_EQ(*second, nullptr);
  EXPECT_FALSE(is_readable());
  EXPECT_FALSE(listener_->is_over());
  EXPECT_EQ(listener_->address(), "stdio:");
  EXPECT_TRUE(listener_->knows_credentials());
}

TEST_F(SingleListenerTest, IsOverWhenItsConnectionHasGone) {
  ASSERT_TRUE(listener_->bind());
  auto connection = listener_->try_accept();

  connection->reset();

  EXPECT_TRUE(listener_->is_over());
  EXPECT_TRUE(is_readable());
}

TEST_F(SingleListenerTest, IsOverWhenItsConnectionIsAborted) {
  ASSERT_TRUE(listener_->bind());
  const auto connection = listener_->try_accept();

  (*connection)->abort(std::make_error_code(std::errc::connection_aborted));

  EXPECT_TRUE(listener_->is_over());
}

TEST_F(SingleListenerTest, ClosesWhatNobodyTook) {
  ASSERT_TRUE(listener_->bind());

  listener_->unbind();

  EXPECT_EQ(test::read_kind(*here_), IoResult::Kind::end_of_stream);
  const auto late = listener_->try_accept();
  ASSERT_TRUE(late);
  EXPECT_EQ(*late, nullptr);
}

}  // namespace
}  // namespace nearcall::inline v0::detail
