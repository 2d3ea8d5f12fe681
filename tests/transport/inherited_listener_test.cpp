// SPDX-License-Identifier: Apache-2.0
// Serving on a socket that others have made, and may go on to use.
#include "transport/inherited_listener.hpp"

#include "support/io.hpp"
#include "support/misuse.hpp"
#include "support/temp_dir.hpp"
#include "transport/listening.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <memory>

namespace nearcall::inline v0::detail {
namespace {

bool is_ready(Listener& listener) {
  const WaitAdvice advice = listener.prepare_wait();
  if (advice.is_ready()) return true;
  pollfd watched{advice.fd(), advice.events(), 0};
  return ::poll(&watched, 1, 0) == 1;
}

/// A listener on a socket that has another owner as well.
class SharedListenerTest : public testing::Test {
 protected:
  static std::unique_ptr<InheritedListener> on_copy_of(const UniqueFd& socket) {
    UniqueFd copy(::fcntl(socket.get(), F_DUPFD_CLOEXEC, 3));
    const auto inspected = InheritedSocket::inspect(copy.release(), "fd:3");
    return std::make_unique<InheritedListener>(*inspected);
  }

  test::TempDir directory_;
  const std::string path_ = directory_.file("s");
  const UniqueFd theirs_ = test::listening_at(path_);
  const std::unique_ptr<InheritedListener> listener_ = on_copy_of(theirs_);
};

TEST_F(SharedListenerTest, HandsOverConnectionsWithTheirPeers) {
  ASSERT_TRUE(listener_->bind());
  EXPECT_TRUE(listener_->knows_credentials());
  EXPECT_EQ(listener_->address(), "unix:" + path_);
  EXPECT_FALSE(is_ready(*listener_));
  const UniqueFd client = test::connected_to(path_);
  ASSERT_TRUE(is_ready(*listener_));

  const auto accepted = listener_->try_accept();

  ASSERT_TRUE(accepted && *accepted);
  EXPECT_EQ((*accepted)->peer().pid(), ::getpid());
  EXPECT_EQ((*accepted)->peer().address(), "unix:" + path_);
  EXPECT_EQ(*listener_->try_accept(), nullptr);
}

TEST_F(SharedListenerTest, LeavesTheSocketAndThoseWhoWaitToOthers) {
  ASSERT_TRUE(listener_->bind());
  const UniqueFd waiting = test::connected_to(path_);

  listener_->unbind();

  EXPECT_EQ(*listener_->try_accept(), nullptr);
  const UniqueFd later = test::connected_to(path_);
  EXPECT_TRUE(later) << "others still listen";
  const auto successor = on_copy_of(theirs_);
  ASSERT_TRUE(successor->bind());
  for (int i = 0; i < 2; ++i) {
    const auto accepted = successor->try_accept();
    EXPECT_TRUE(accepted && *accepted);
  }
  EXPECT_TRUE(test::status_of(path_)) << "the name is theirs";
}

TEST_F(SharedListenerTest, GoesByItsFileMode) {
  EXPECT_TRUE(listener_->check_policy(PeerPolicy::by_file_mode()));
  EXPECT_TRUE(listener_->check_policy(PeerPolicy::same_user()));
}

TEST_F(SharedListenerTest, UsedOutOfOrderSaysTheOrder) {
  const auto order = test::ends_with_sentence(
      "Listener: used out of order; call bind() once, and prepare_wait() only between bind() and "
      "unbind()");
  EXPECT_DEATH(listener_->prepare_wait(), order);
  ASSERT_TRUE(listener_->bind());
  EXPECT_DEATH(static_cast<void>(listener_->bind()), order);
  listener_->unbind();
  EXPECT_DEATH(listener_->prepare_wait(), order);
}

/// A listener whose one connection there is already.
class ConnectedListenerTest : public testing::Test {
 protected:
  void SetUp() override {
    std::array<int, 2> fds{-1, -1};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()), 0);
    client_ = UniqueFd(fds[0]);
    const auto socket = InheritedSocket::inspect(fds[1], "fd:3");
    ASSERT_TRUE(socket);
    listener_ = std::make_unique<InheritedListener>(*socket);
  }

  UniqueFd client_;
  std::unique_ptr<InheritedListener> listener_;
};

TEST_F(ConnectedListenerTest, HandsOverItsConnectionAndThenNone) {
  EXPECT_EQ(*listener_->try_accept(), nullptr) << "it is not bound yet";
  ASSERT_TRUE(listener_->bind());
  ASSERT_TRUE(is_ready(*listener_));

  const auto accepted = listener_->try_accept();

  ASSERT_TRUE(accepted && *accepted);
  EXPECT_EQ((*accepted)->peer().address(), "fd:3");
  EXPECT_EQ((*accepted)->peer().uid(), ::geteuid());
  ASSERT_EQ(::write(client_.get(), "x", 1), 1);
  EXPECT_EQ(test::read_exactly(**accepted, 1), "x");
  EXPECT_EQ(*listener_->try_accept(), nullptr);
  EXPECT_FALSE(is_ready(*listener_));
}

TEST_F(ConnectedListenerTest, HasNoFileModeToGoBy) {
  EXPECT_TRUE(listener_->check_policy(PeerPolicy::same_user()));
  EXPECT_EQ(listener_->check_policy(PeerPolicy::by_file_mode()).status().message(),
            "fd:3: PeerPolicy::by_file_mode() is for a socket that has a path");
}

TEST_F(ConnectedListenerTest, ClosesTheConnectionThatNobodyTook) {
  ASSERT_TRUE(listener_->bind());

  listener_->unbind();

  EXPECT_EQ(*listener_->try_accept(), nullptr);
  char byte = 0;
  EXPECT_EQ(::read(client_.get(), &byte, 1), 0) << "the end";
}

}  // namespace
}  // namespace nearcall::inline v0::detail
