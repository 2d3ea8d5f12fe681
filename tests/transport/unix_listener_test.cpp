// SPDX-License-Identifier: Apache-2.0
// UnixListener: the life of a listener on a path, and on an abstract name.
#include "transport/unix_listener.hpp"

#include "support/child_process.hpp"
#include "support/io.hpp"
#include "support/log_capture.hpp"
#include "support/temp_dir.hpp"
#include "transport/listening.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <string>

namespace nearcall {
namespace {

using testing::HasSubstr;

class UnixListenerTest : public test::LogCheckedTest {
 protected:
  static Endpoint endpoint_of(const std::string& target) { return *Endpoint::parse(target); }

  test::TempDir directory_;
  const std::string path_ = directory_.file("x.sock");
  UnixListener listener_{endpoint_of("unix:" + path_)};
};

bool is_readable(const WaitAdvice& advice) {
  pollfd watched{advice.fd(), advice.events(), 0};
  return ::poll(&watched, 1, 0) == 1;
}

TEST_F(UnixListenerTest, HandsOverAConnectionWithItsPeer) {
  ASSERT_TRUE(listener_.bind());
  EXPECT_FALSE(is_readable(listener_.prepare_wait()));
  const UniqueFd client = test::connected_to(path_);
  ASSERT_TRUE(client);
  EXPECT_TRUE(is_readable(listener_.prepare_wait()));

  const auto accepted = listener_.try_accept();

  ASSERT_TRUE(accepted && *accepted);
  Transport& connection = **accepted;
  EXPECT_EQ(connection.peer().address(), "unix:" + path_);
  EXPECT_EQ(connection.peer().pid(), ::getpid());
  EXPECT_EQ(connection.peer().uid(), ::geteuid());
  ASSERT_TRUE(test::write_all(connection, "hi"));
  char text[2] = {};
  EXPECT_EQ(::read(client.get(), text, 2), 2);
  EXPECT_FALSE(is_readable(listener_.prepare_wait()));
}

TEST_F(UnixListenerTest, NobodyWaitsGivesNull) {
  ASSERT_TRUE(listener_.bind());

  const auto accepted = listener_.try_accept();

  ASSERT_TRUE(accepted);
  EXPECT_EQ(*accepted, nullptr);
}

TEST_F(UnixListenerTest, AddressIsTheTarget) {
  EXPECT_EQ(listener_.address(), "unix:" + path_);
}

TEST_F(UnixListenerTest, UnbindKeepsTheNameAndTheConnections) {
  ASSERT_TRUE(listener_.bind());
  const UniqueFd client = test::connected_to(path_);
  const auto accepted = listener_.try_accept();
  ASSERT_TRUE(accepted && *accepted);

  listener_.unbind();

  EXPECT_FALSE(test::connected_to(path_));
  EXPECT_TRUE(test::status_of(path_));
  EXPECT_EQ(test::write_once(**accepted, "x").kind(), IoResult::Kind::bytes);
  const auto after = listener_.try_accept();
  ASSERT_TRUE(after);
  EXPECT_EQ(*after, nullptr);
}

TEST_F(UnixListenerTest, NameIsNobodyElsesUntilTheListenerIsDestroyed) {
  auto first = std::make_unique<UnixListener>(endpoint_of("unix:" + path_));
  ASSERT_TRUE(first->bind());
  first->unbind();
  EXPECT_THAT(listener_.bind().error().message(), HasSubstr("address in use"));

  first.reset();

  EXPECT_TRUE(listener_.bind());
}

TEST_F(UnixListenerTest, DestructionRemovesTheName) {
  auto listener = std::make_unique<UnixListener>(endpoint_of("unix:" + path_));
  ASSERT_TRUE(listener->bind());

  listener.reset();

  EXPECT_FALSE(test::status_of(path_));
}

TEST_F(UnixListenerTest, RefusedBindMayBeTriedAgain) {
  {
    const UniqueFd other = test::listening_at(path_);
    EXPECT_FALSE(listener_.bind());
  }

  EXPECT_TRUE(listener_.bind());
}

TEST_F(UnixListenerTest, ForkedChildTearsNothingDown) {
  auto listener = std::make_unique<UnixListener>(endpoint_of("unix:" + path_));
  ASSERT_TRUE(listener->bind());
  test::ChildProcess child([&] {
    listener.reset();
    return 0;
  });
  ASSERT_EQ(child.wait(), 0);

  EXPECT_TRUE(test::connected_to(path_));
  const auto accepted = listener->try_accept();
  EXPECT_TRUE(accepted && *accepted);
}

TEST_F(UnixListenerTest, UnbindRefusesEvenIfAForkedChildHoldsACopy) {
  ASSERT_TRUE(listener_.bind());
  test::ProcessSignal finish;
  test::ChildProcess child([&] { return finish.wait() ? 0 : 1; });

  listener_.unbind();

  EXPECT_FALSE(test::connected_to(path_));
  EXPECT_EQ(errno, ECONNREFUSED);
  finish.raise();
  EXPECT_EQ(child.wait(), 0);
}

TEST_F(UnixListenerTest, NoDescriptorIsOpenOnExec) {
  const int before = test::descriptors_open_on_exec();
  ASSERT_TRUE(listener_.bind());
  const UniqueFd client = test::connected_to(path_);

  const auto accepted = listener_.try_accept();

  ASSERT_TRUE(accepted && *accepted);
  EXPECT_EQ(test::descriptors_open_on_exec(), before);
}

class AbstractListenerTest : public UnixListenerTest {
 protected:
  const std::string name_ = "nearcall-test-" + std::to_string(::getpid());
  UnixListener abstract_{endpoint_of("unix-abstract:" + name_)};
};

TEST_F(AbstractListenerTest, HandsOverAConnectionWithItsPeer) {
  ASSERT_TRUE(abstract_.bind());
  const UniqueFd client = test::connected_to(SocketAddress(endpoint_of("unix-abstract:" + name_)));
  ASSERT_TRUE(client);

  const auto accepted = abstract_.try_accept();

  ASSERT_TRUE(accepted && *accepted);
  EXPECT_EQ((*accepted)->peer().address(), "unix-abstract:" + name_);
  EXPECT_EQ((*accepted)->peer().pid(), ::getpid());
}

TEST_F(AbstractListenerTest, NameHasExactlyItsLength) {
  ASSERT_TRUE(abstract_.bind());
  const SocketAddress bound = SocketAddress::local(abstract_.prepare_wait().fd());
  EXPECT_EQ(bound.size(), offsetof(sockaddr_un, sun_path) + 1 + name_.size());

  const std::string with_nul = name_ + std::string(1, '\0');
  EXPECT_FALSE(test::connected_to(SocketAddress(endpoint_of("unix-abstract:" + with_nul))));
  EXPECT_TRUE(test::connected_to(SocketAddress(endpoint_of("unix-abstract:" + name_))));
}

TEST_F(AbstractListenerTest, NameInUseIsRefused) {
  ASSERT_TRUE(abstract_.bind());
  UnixListener second(endpoint_of("unix-abstract:" + name_));

  const auto bound = second.bind();

  ASSERT_FALSE(bound);
  EXPECT_EQ(bound.error().message(), "unix-abstract:" + name_ + ": bind: Address already in use");
}

TEST_F(AbstractListenerTest, NameIsFreeOnceUnbound) {
  ASSERT_TRUE(abstract_.bind());
  abstract_.unbind();

  EXPECT_TRUE(UnixListener(endpoint_of("unix-abstract:" + name_)).bind());
}

}  // namespace
}  // namespace nearcall
