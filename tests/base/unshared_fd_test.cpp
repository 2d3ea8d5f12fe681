// SPDX-License-Identifier: Apache-2.0
// UnsharedFd: forked children do not get it.
#include "base/unshared_fd.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <memory>
#include <optional>
#include <thread>
#include <vector>

namespace nearcall::inline v0::detail {
namespace {

UniqueFd null_device() {
  return UniqueFd(::open("/dev/null", O_RDWR | O_CLOEXEC));
}

bool is_open(int fd) {
  return ::fcntl(fd, F_GETFD) >= 0;
}

/// The exit status of a forked child that runs `body`.
template <class Body>
int status_of_child(Body body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(UnsharedFd, IsClosedInAForkedChildAndStaysOpenInItsParent) {
  const UnsharedFd owned(null_device());
  const int number = owned.get();
  ASSERT_TRUE(is_open(number));

  const int status = status_of_child([&] { return owned.get() == -1 && !is_open(number) ? 0 : 1; });

  EXPECT_EQ(status, 0);
  EXPECT_TRUE(is_open(number));
  EXPECT_EQ(owned.get(), number);
}

TEST(UnsharedFd, OfAChildIsItsOwnAndNotOfAGrandchild) {
  std::optional<UnsharedFd> of_parent(null_device());

  const int status = status_of_child([&] {
    const UnsharedFd of_child(null_device());  // gets the number that the parent's has there
    of_parent.reset();
    if (!is_open(of_child.get())) return 1;
    return status_of_child([&] { return of_child.get() == -1 ? 0 : 2; });
  });

  EXPECT_EQ(status, 0);
}

TEST(UnsharedFd, ThatIsTakenStaysOpenAndIsSharedAgain) {
  UnsharedFd owned(null_device());
  const int number = owned.get();

  const UniqueFd taken = owned.take();

  EXPECT_EQ(owned.get(), -1);
  EXPECT_EQ(taken.get(), number);
  EXPECT_EQ(status_of_child([&] { return is_open(number) ? 0 : 1; }), 0);
}

TEST(UnsharedFd, MayComeAndGoInAnyOrder) {
  std::vector<std::unique_ptr<UnsharedFd>> all;
  for (int i = 0; i < 4; ++i)
    all.push_back(std::make_unique<UnsharedFd>(null_device()));
  all[1].reset();
  all[3].reset();
  all[0].reset();

  EXPECT_EQ(status_of_child([&] { return all[2]->get() == -1 ? 0 : 1; }), 0);
  all[2].reset();
  EXPECT_EQ(status_of_child([] { return 0; }), 0);
}

TEST(UnsharedFd, MayComeAndGoOnAThreadWhileAnotherForks) {
  std::jthread other([](const std::stop_token& stop) {
    while (!stop.stop_requested())
      UnsharedFd passing(null_device());
  });
  const UnsharedFd steady(null_device());

  for (int i = 0; i < 20; ++i)
    EXPECT_EQ(status_of_child([&] { return steady.get() == -1 ? 0 : 1; }), 0) << i;
}

}  // namespace
}  // namespace nearcall::inline v0::detail
