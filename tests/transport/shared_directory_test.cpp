// SPDX-License-Identifier: Apache-2.0
// Whose directory it is, and who else may write to it.
#include "transport/shared_directory.hpp"

#include "support/child_process.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <string>

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

/// A way to a socket through directories of this user, of nobody and of strangers. (The test's own
/// lies in /tmp, and is nobody else's.)
class WayToSocket : public testing::Test {
 protected:
  void SetUp() override { make_directory("app"); }

  void make_directory(const std::string& name) {
    ASSERT_EQ(::mkdir(at(name).c_str(), 0755), 0);
    std::ofstream(at(name + "/x.sock")) << "x";
  }
  void give_away(const std::string& name) {
    ASSERT_EQ(::lchown(at(name).c_str(), somebody, somebody), 0);
  }
  void open_to_others(const std::string& name, mode_t mode) {
    ASSERT_EQ(::chmod(at(name).c_str(), mode), 0);
  }
  void link(const std::string& name, const std::string& to) {
    ASSERT_EQ(::symlink(to.c_str(), at(name).c_str()), 0);
  }
  std::string at(const std::string& name) const { return directory_.path() + "/" + name; }
  /// Of a server of somebody's.
  std::string doubt_of(const std::string& name) const {
    return why_others_may_choose(at(name), somebody);
  }
  std::string others_may_write(const std::string& path, const std::string& why) const {
    return "others may write to the directory " + path + " (" + why + ")";
  }

  const test::TempDir directory_;
};

/// One that needs root, to give files away.
class WayOfStrangers : public WayToSocket {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root, to give files away";
    WayToSocket::SetUp();
  }
};

TEST_F(WayToSocket, IsSafeWhereNobodyElseMayWrite) {
  EXPECT_EQ(doubt_of("app/x.sock"), "");
}

TEST_F(WayToSocket, IsDoubtfulWhereOthersMayRenameWhatIsOurs) {
  open_to_others("", 0777);

  EXPECT_EQ(doubt_of("app/x.sock"), others_may_write(directory_.path(), "mode 0777"));
}

TEST_F(WayToSocket, IsSafeThroughOurDirectoryInAStickyOne) {
  open_to_others("", 01777);

  EXPECT_EQ(doubt_of("app/x.sock"), "");
}

TEST_F(WayToSocket, IsDoubtfulWhereItsEndIsNotThere) {
  EXPECT_THAT(doubt_of("app/y.sock"), testing::HasSubstr("y.sock cannot be looked at"));
  EXPECT_THAT(doubt_of("none/x.sock"), testing::HasSubstr("none cannot be looked at"));
}

TEST_F(WayToSocket, IsFollowedThroughLinks) {
  link("app/relative", "../app/./x.sock");
  link("app/absolute", at("app/x.sock"));
  make_directory("open");
  open_to_others("open", 0777);
  link("app/to_open", "../open/x.sock");

  EXPECT_EQ(doubt_of("app/relative"), "");
  EXPECT_EQ(doubt_of("app/absolute"), "");
  EXPECT_EQ(doubt_of("app/to_open"), others_may_write(at("app/../open"), "mode 0777"));
}

TEST_F(WayToSocket, ThatGoesInCirclesIsDoubtful) {
  link("app/a", "b");
  link("app/b", "a");

  EXPECT_EQ(doubt_of("app/a"), "there are too many symbolic links in the directory " + at("app"));
}

TEST_F(WayToSocket, ThatIsRelativeBeginsAtTheCurrentDirectory) {
  test::ChildProcess child([&] {
    if (::chdir(at("app").c_str()) != 0) return 1;
    if (!why_others_may_choose("x.sock", somebody).empty()) return 2;
    if (::chmod(directory_.path().c_str(), 0777) != 0) return 3;
    return why_others_may_choose("x.sock", somebody).empty() ? 4 : 0;
  });

  EXPECT_EQ(child.wait(), 0);
}

TEST_F(WayOfStrangers, IsDoubtfulThroughAServersDirectoryInAStickyOne) {
  give_away("app");
  open_to_others("", 01777);

  EXPECT_EQ(doubt_of("app/x.sock"), others_may_write(directory_.path(), "mode 1777"));
}

TEST_F(WayOfStrangers, IsDoubtfulWhereAServerMadeTheSocketInAStickyOne) {
  give_away("app/x.sock");
  open_to_others("app", 01777);

  EXPECT_EQ(doubt_of("app/x.sock"), others_may_write(at("app"), "mode 1777"));
}

TEST_F(WayOfStrangers, IsSafeThroughAServersDirectoryWhereOnlyWeCouldMakeIt) {
  give_away("app");

  EXPECT_EQ(doubt_of("app/x.sock"), "");
  EXPECT_EQ(why_others_may_choose(at("app/x.sock"), somebody + 1),
            others_may_write(at("app"), "it belongs to uid 4711"));
}

TEST_F(WayOfStrangers, IsDoubtfulThroughTheirLink) {
  make_directory("open");
  open_to_others("open", 01777);
  link("open/link", at("app"));
  EXPECT_EQ(doubt_of("open/link/x.sock"), "");

  give_away("open/link");

  EXPECT_EQ(doubt_of("open/link/x.sock"), others_may_write(at("open"), "mode 1777"));
}

}  // namespace
}  // namespace nearcall::inline v0::detail
