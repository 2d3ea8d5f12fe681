// SPDX-License-Identifier: Apache-2.0
// Listening on a path where the file system knows no flags of renameat2().
#include "support/log_capture.hpp"
#include "support/temp_dir.hpp"
#include "transport/listening.hpp"
#include "transport/unix_listener.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <string>

namespace nearcall::inline v0::detail {
namespace {

using testing::HasSubstr;

/// Is called where flags are used, which are unknown then; without it they are known.
std::function<void()>& on_rename_flags() {
  static std::function<void()> function;
  return function;
}

}  // namespace
}  // namespace nearcall::inline v0::detail

/// In place of the C library's, for all of this program.
extern "C" int renameat2(int from_directory,
                         const char* from,
                         int to_directory,
                         const char* to,
                         unsigned flags) noexcept {
  const auto& on_flags = nearcall::detail::on_rename_flags();
  if (flags != 0 && on_flags) {
    on_flags();
    errno = EINVAL;
    return -1;
  }
  return static_cast<int>(::syscall(SYS_renameat2, from_directory, from, to_directory, to, flags));
}

namespace nearcall::inline v0::detail {
namespace {

class RenameFlagsTest : public test::LogCheckedTest {
 protected:
  RenameFlagsTest() {
    on_rename_flags() = [] {};
  }
  ~RenameFlagsTest() override { on_rename_flags() = nullptr; }

  /// Another server, without our lock, takes the path just before the rename.
  void have_foreign_server_come() {
    foreign_ = test::listening_at(directory_.file("foreign"));
    foreign_inode_ = test::status_of(directory_.file("foreign"))->st_ino;
    on_rename_flags() = [this] { std::filesystem::rename(directory_.file("foreign"), path_); };
  }
  void remove_name_and_lock() {
    ASSERT_EQ(::unlink(path_.c_str()), 0);
    ASSERT_EQ(::unlink((path_ + ".lock").c_str()), 0);
  }

  test::TempDir directory_;
  const std::string path_ = directory_.file("x.sock");
  UnixListener listener_{*Endpoint::parse("unix:" + path_)};
  UniqueFd foreign_;
  ino_t foreign_inode_ = 0;
};

TEST_F(RenameFlagsTest, AFreeNameIsTakenAndGivenBack) {
  ASSERT_TRUE(listener_.bind());
  EXPECT_TRUE(test::connected_to(path_));
  EXPECT_FALSE(test::status_of(directory_.file(".x.sock.new")));

  listener_.unbind();

  EXPECT_TRUE(std::filesystem::is_empty(directory_.path()));
}

TEST_F(RenameFlagsTest, AStaleSocketIsReplaced) {
  test::leave_stale_socket_at(path_);

  ASSERT_TRUE(listener_.bind());

  EXPECT_TRUE(test::connected_to(path_));
}

TEST_F(RenameFlagsTest, ANameThatSomebodyRemovedIsTakenAgain) {
  ASSERT_TRUE(listener_.bind());
  remove_name_and_lock();

  ASSERT_TRUE(listener_.check_name());

  EXPECT_TRUE(log_capture().take("it is there again"));
  EXPECT_TRUE(test::connected_to(path_));
}

TEST_F(RenameFlagsTest, AForeignServerThatTakesTheNameFirstKeepsIt) {
  have_foreign_server_come();

  const Result<void> bound = listener_.bind();

  EXPECT_THAT(bound.status().message(), HasSubstr("another server took the path just now"));
  EXPECT_EQ(test::status_of(path_)->st_ino, foreign_inode_);
}

TEST_F(RenameFlagsTest, AForeignServerThatTakesARemovedNameFirstKeepsIt) {
  ASSERT_TRUE(listener_.bind());
  remove_name_and_lock();
  have_foreign_server_come();

  EXPECT_EQ(listener_.check_name().status().code(), StatusCode::aborted);
  EXPECT_EQ(test::status_of(path_)->st_ino, foreign_inode_);
  EXPECT_TRUE(test::connected_to(path_));
}

}  // namespace
}  // namespace nearcall::inline v0::detail
