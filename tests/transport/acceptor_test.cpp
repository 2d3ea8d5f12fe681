// SPDX-License-Identifier: Apache-2.0
// Acceptor: what it hands over, and what it does when descriptors run out.
#include "transport/acceptor.hpp"

#include "support/child_process.hpp"
#include "support/temp_dir.hpp"
#include "transport/listening.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

namespace nearcall::inline v0::detail {
namespace {

using test::ChildProcess;
using test::ProcessSignal;

class AcceptorTest : public testing::Test {
 protected:
  test::TempDir directory_;
  const std::string path_ = directory_.file("s");
  Acceptor acceptor_{test::listening_at(path_)};
};

/// From now on there is no descriptor left. Below the limit they are all in use.
bool use_up_descriptors(std::vector<UniqueFd>& hoard) {
  const rlimit limit{64, 64};
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return false;
  for (;;) {
    UniqueFd one(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0));
    if (!one) return errno == EMFILE;
    hoard.push_back(std::move(one));
  }
}

bool has_ended(int fd) {
  char byte = 0;
  return ::recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
}

TEST_F(AcceptorTest, NobodyWaitsIsNoError) {
  const auto accepted = acceptor_.try_accept("x");

  ASSERT_TRUE(accepted);
  EXPECT_FALSE(*accepted);
}

TEST_F(AcceptorTest, HandsOverNonBlockingCloseOnExecSockets) {
  const UniqueFd client = test::connected_to(path_);

  const auto accepted = acceptor_.try_accept("x");

  ASSERT_TRUE(accepted && *accepted);
  EXPECT_EQ(::fcntl(accepted->get(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
  EXPECT_EQ(::fcntl(accepted->get(), F_GETFL) & O_NONBLOCK, O_NONBLOCK);
}

TEST_F(AcceptorTest, WithoutDescriptorsOneConnectionIsClosedAndTheErrorTold) {
  ChildProcess child([this] {
    const std::string path = directory_.file("of_child");
    Acceptor acceptor(test::listening_at(path));
    const UniqueFd first = test::connected_to(path);
    const UniqueFd second = test::connected_to(path);
    std::vector<UniqueFd> hoard;
    if (!use_up_descriptors(hoard)) return 1;

    for (const UniqueFd* const client : {&first, &second}) {
      if (has_ended(client->get())) return 2;
      const auto accepted = acceptor.try_accept("unix:x");
      if (accepted) return 3;
      if (accepted.error().code() != StatusCode::resource_exhausted) return 4;
      if (accepted.error().message() !=
          "unix:x: accept (one connection closed): Too many open files") {
        return 5;
      }
      if (!has_ended(client->get())) return 6;
    }
    return 0;
  });

  EXPECT_EQ(child.wait(), 0);
}

TEST_F(AcceptorTest, WithoutDescriptorsAnEmptyBacklogIsNoError) {
  ChildProcess child([this] {
    Acceptor acceptor(test::listening_at(directory_.file("of_child")));
    std::vector<UniqueFd> hoard;
    if (!use_up_descriptors(hoard)) return 1;
    const auto accepted = acceptor.try_accept("x");
    return accepted && !*accepted ? 0 : 2;
  });

  EXPECT_EQ(child.wait(), 0);
}

TEST_F(AcceptorTest, AcceptsAgainWhenDescriptorsAreBack) {
  ChildProcess child([this] {
    const std::string path = directory_.file("of_child");
    Acceptor acceptor(test::listening_at(path));
    const UniqueFd first = test::connected_to(path);
    const UniqueFd second = test::connected_to(path);
    std::vector<UniqueFd> hoard;
    if (!use_up_descriptors(hoard)) return 1;
    if (acceptor.try_accept("x")) return 2;
    hoard.clear();
    const auto accepted = acceptor.try_accept("x");
    return accepted && *accepted && !has_ended(second.get()) ? 0 : 3;
  });

  EXPECT_EQ(child.wait(), 0);
}

TEST_F(AcceptorTest, ConnectionsLeaveThirtyTwoDescriptorsToOthers) {
  ChildProcess child([this] {
    const std::string path = directory_.file("of_child");
    Acceptor acceptor(test::listening_at(path));
    const UniqueFd last = test::connected_to(path);
    const UniqueFd beyond = test::connected_to(path);
    const UniqueFd later = test::connected_to(path);
    const rlimit limit{100, 100};
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return 1;
    std::vector<UniqueFd> hoard;
    do {
      hoard.emplace_back(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0));
    } while (hoard.back().get() < 66);

    const auto at_the_limit = acceptor.try_accept("unix:x");
    if (!at_the_limit || at_the_limit->get() != 67) return 2;
    const auto refused = acceptor.try_accept("unix:x");
    if (refused || refused.error().code() != StatusCode::resource_exhausted) return 3;
    if (refused.error().message().find("the last 32 descriptors") == std::string::npos) return 4;
    if (!has_ended(beyond.get()) || has_ended(later.get())) return 5;
    hoard.pop_back();
    return acceptor.try_accept("unix:x") ? 0 : 6;
  });

  EXPECT_EQ(child.wait(), 0);
}

TEST_F(AcceptorTest, ForkedChildHoldsNoCopyOfTheListeningSocket) {
  ProcessSignal forked;
  ProcessSignal over;
  const std::string path = directory_.file("of_maker");
  ChildProcess maker([&] {
    const Acceptor acceptor(test::listening_at(path));
    const ChildProcess child([&] {
      forked.raise();
      over.leave_raising_to_others();
      return over.wait() ? 0 : 1;
    });
    return ProcessSignal().wait() ? 0 : 1;
  });
  ASSERT_TRUE(forked.wait());
  EXPECT_TRUE(test::connected_to(path));
  maker.kill();

  EXPECT_FALSE(test::connected_to(path));
  EXPECT_EQ(errno, ECONNREFUSED);
  over.raise();
}

TEST_F(AcceptorTest, BrokenListenerIsAnErrorThatNamesIt) {
  Acceptor broken(test::unix_socket());  // does not listen

  const auto accepted = broken.try_accept("unix:x");

  ASSERT_FALSE(accepted);
  EXPECT_EQ(accepted.error().message(), "unix:x: accept: Invalid argument");
}

}  // namespace
}  // namespace nearcall::inline v0::detail
