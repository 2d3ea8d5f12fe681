// SPDX-License-Identifier: Apache-2.0
// FifoDirectory: which directories are ours alone, and what is a FIFO.
#include "transport/fifo_directory.hpp"

#include "support/temp_dir.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

namespace nearcall::inline v0::detail {
namespace {

using testing::HasSubstr;

class FifoDirectoryTest : public testing::Test {
 protected:
  FifoDirectoryTest() { EXPECT_EQ(::mkdir(path_.c_str(), 0700), 0); }

  const test::TempDir directory_;
  const std::string path_ = directory_.file("f");
};

TEST_F(FifoDirectoryTest, OfThisUserAloneIsOpened) {
  const auto opened = FifoDirectory::open(path_);

  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->subject(), "fifo:" + path_);
  EXPECT_EQ(opened->path_of("x"), path_ + "/x");
}

TEST_F(FifoDirectoryTest, ThatOthersMayEnterIsRefused) {
  for (const mode_t mode : {0701U, 0710U, 0704U, 0777U}) {
    ASSERT_EQ(::chmod(path_.c_str(), mode), 0);

    const auto opened = FifoDirectory::open(path_);

    EXPECT_EQ(opened.status().code(), StatusCode::failed_precondition) << std::oct << mode;
    EXPECT_THAT(opened.status().message(), HasSubstr("has to be closed to others (0700)"));
  }
}

TEST_F(FifoDirectoryTest, OfAnotherUserIsRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to give it away";
  ASSERT_EQ(::chown(path_.c_str(), 4711, 4711), 0);

  EXPECT_THAT(FifoDirectory::open(path_).status().message(),
              HasSubstr("the directory belongs to uid 4711"));
}

TEST_F(FifoDirectoryTest, ThatIsNoneOrMissingIsRefused) {
  std::ofstream(path_ + "/file") << "x";

  EXPECT_THAT(FifoDirectory::open(path_ + "/file").status().message(),
              HasSubstr("open directory: Not a directory"));
  EXPECT_THAT(FifoDirectory::open(path_ + "/none").status().message(),
              HasSubstr("open directory: No such file"));
}

TEST_F(FifoDirectoryTest, OpensFifosAndNothingElse) {
  const auto opened = FifoDirectory::open(path_);
  ASSERT_TRUE(opened);
  std::ofstream(path_ + "/file") << "x";
  ASSERT_EQ(::mkfifo((path_ + "/fifo").c_str(), 0600), 0);

  EXPECT_TRUE(opened->open_fifo("fifo", O_RDONLY));
  EXPECT_FALSE(opened->open_fifo("fifo", O_WRONLY));
  EXPECT_EQ(errno, ENXIO) << "nobody reads there";
  EXPECT_FALSE(opened->open_fifo("file", O_RDONLY));
  EXPECT_EQ(errno, EINVAL);
}

}  // namespace
}  // namespace nearcall::inline v0::detail
