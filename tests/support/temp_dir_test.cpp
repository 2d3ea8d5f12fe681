// SPDX-License-Identifier: Apache-2.0
// TempDir: private, distinct, and gone afterwards.
#include "support/temp_dir.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace nearcall::test {
namespace {

TEST(TempDir, IsPrivateAndDistinct) {
  const TempDir one;
  const TempDir other;
  struct stat status {};

  ASSERT_EQ(::stat(one.path().c_str(), &status), 0);

  EXPECT_EQ(status.st_mode & 07777U, 0700U);
  EXPECT_NE(one.path(), other.path());
}

TEST(TempDir, IsRemovedWithItsContents) {
  std::string path;
  {
    const TempDir directory;
    path = directory.path();
    std::filesystem::create_directory(directory.file("inner"));
    std::ofstream(directory.file("inner/file")) << "x";
  }

  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace nearcall::test
