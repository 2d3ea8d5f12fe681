// SPDX-License-Identifier: Apache-2.0
// Whose directory it is, and who else may write to it.
#include "transport/shared_directory.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace nearcall::inline v0::detail {
namespace {

constexpr uid_t somebody = 4711;

std::string why(uid_t owner, mode_t mode, uid_t trusted = 0) {
  struct stat status {};
  status.st_uid = owner;
  status.st_mode = S_IFDIR | mode;
  return why_others_may_write(status, trusted);
}

TEST(SharedDirectory, IsNoneThatOnlyItsOwnerMayWriteTo) {
  EXPECT_EQ(why(0, 0755), "");
  EXPECT_EQ(why(::geteuid(), 0755), "");
  EXPECT_EQ(why(somebody, 0700, /*trusted=*/somebody), "");
}

TEST(SharedDirectory, IsOneOfAGroupOrOfAll) {
  EXPECT_EQ(why(0, 01777), "mode 1777");
  EXPECT_EQ(why(::geteuid(), 0770), "mode 0770");
  EXPECT_EQ(why(somebody, 0702, /*trusted=*/somebody), "mode 0702");
}

TEST(SharedDirectory, IsOneOfSomebodyElse) {
  EXPECT_EQ(why(somebody, 0700), "it belongs to uid 4711");
  EXPECT_EQ(why(somebody, 0700, /*trusted=*/somebody + 1), "it belongs to uid 4711");
}

TEST(SharedDirectory, OfAPathIsWhatIsBeforeItsName) {
  EXPECT_EQ(directory_of("/tmp/a/x.sock"), "/tmp/a");
  EXPECT_EQ(directory_of("/x.sock"), "/");
  EXPECT_EQ(directory_of("x.sock"), ".");
  EXPECT_EQ(directory_of("a//x.sock"), "a/");
}

}  // namespace
}  // namespace nearcall::inline v0::detail
