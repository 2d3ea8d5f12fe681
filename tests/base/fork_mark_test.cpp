// SPDX-License-Identifier: Apache-2.0
// ForkMark: the maker, its children and their children.
#include "base/fork_mark.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace nearcall::inline v0::detail {
namespace {

/// The exit status of a forked child that runs `body`.
template <class Body>
int in_child(Body body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(ForkMark, HoldsInTheProcessThatMadeIt) {
  const ForkMark mark;

  EXPECT_TRUE(mark.is_in_maker());
}

TEST(ForkMark, DoesNotHoldInAForkedChild) {
  const ForkMark mark;

  EXPECT_EQ(in_child([&] { return mark.is_in_maker() ? 1 : 0; }), 0);
  EXPECT_TRUE(mark.is_in_maker());
}

TEST(ForkMark, TellsThreeGenerationsApart) {
  const ForkMark mine;

  const int result = in_child([&] {
    const ForkMark of_child;
    if (mine.is_in_maker() || !of_child.is_in_maker()) return 1;
    return in_child([&] {
      const ForkMark of_grandchild;
      const bool ok = !mine.is_in_maker() && !of_child.is_in_maker() && of_grandchild.is_in_maker();
      return ok ? 0 : 2;
    });
  });

  EXPECT_EQ(result, 0);
}

TEST(ForkMark, HoldsInTheChildThatMadeIt) {
  EXPECT_EQ(in_child([] {
              const ForkMark mark;
              return mark.is_in_maker() ? 0 : 1;
            }),
            0);
}

}  // namespace
}  // namespace nearcall::inline v0::detail
