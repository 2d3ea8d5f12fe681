// SPDX-License-Identifier: Apache-2.0
// What a loop is told of a path: that something has come to it, wherever its directories were.
#include "async/path_watch.hpp"

#include "support/child_process.hpp"
#include "support/log_capture.hpp"
#include "support/open_descriptors.hpp"
#include "support/temp_dir.hpp"

#include <nearcall/event_loop.hpp>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace nearcall::test {
namespace {

using detail::PathWatch;
using Armed = PathWatch::Armed;

/// A loop, and a watch on it.
class WatchedPath {
 public:
  explicit WatchedPath(const std::string& path)
      : watch_(detail::Access::core(loop_), path, &WatchedPath::count, this) {}

  PathWatch& watch() noexcept { return watch_; }
  int count() const noexcept { return count_; }
  /// Waits until the watch was told something more than `before`; false after ten seconds.
  bool hears_more_than(int before) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (count_ <= before) {
      if (std::chrono::steady_clock::now() > until) return false;
      loop_.poll();
    }
    return true;
  }
  /// Takes what is there.
  void settle() {
    for (int i = 0; i < 3; ++i)
      loop_.poll();
  }

 private:
  static void count(void* self) noexcept { ++static_cast<WatchedPath*>(self)->count_; }

  EventLoop loop_{SpinPolicy::off()};
  int count_ = 0;
  PathWatch watch_;
};

class PathWatchTest : public LogCheckedTest {
 protected:
  /// A test before this one may have flooded this process.
  void SetUp() override {
    WatchedPath path(folder_.file("socket"));
    while (path.watch().arm() == Armed::impossible)
      std::this_thread::yield();
  }
  static void make(const std::string& path) { std::ofstream(path) << "here"; }

  /// Moves a file to and fro.
  static void flip(const std::string& one, const std::string& other, int i) {
    std::filesystem::rename(i % 2 == 0 ? one : other, i % 2 == 0 ? other : one);
  }

  const TempDir folder_;
};

TEST_F(PathWatchTest, TellsOfWhatIsMadeOrMovedThereAndOfNothingElse) {
  WatchedPath path(folder_.file("socket"));
  EXPECT_EQ(path.watch().arm(), Armed::now);
  EXPECT_EQ(path.watch().arm(), Armed::before);

  make(folder_.file("other"));
  path.settle();
  EXPECT_EQ(path.count(), 0);

  make(folder_.file("socket"));
  EXPECT_TRUE(path.hears_more_than(0));

  const int before = path.count();
  std::filesystem::rename(folder_.file("other"), folder_.file("socket"));
  EXPECT_TRUE(path.hears_more_than(before));
}

TEST_F(PathWatchTest, OfADirectoryTellsOfWhateverIsMadeOrMovedThere) {
  WatchedPath path(folder_.file("directory") + "/");
  EXPECT_EQ(path.watch().arm(), Armed::now);
  EXPECT_FALSE(path.watch().is_there());

  std::filesystem::create_directory(folder_.file("directory"));
  EXPECT_TRUE(path.hears_more_than(0));
  EXPECT_EQ(path.watch().arm(), Armed::now);
  EXPECT_TRUE(path.watch().is_there());

  make(folder_.file("directory/anything"));
  EXPECT_TRUE(path.hears_more_than(1));
  make(folder_.file("elsewhere"));
  std::filesystem::rename(folder_.file("elsewhere"), folder_.file("directory/other"));
  EXPECT_TRUE(path.hears_more_than(2));
}

TEST_F(PathWatchTest, FollowsDirectoriesThatAreMadeLater) {
  WatchedPath path(folder_.file("a/b/socket"));
  EXPECT_EQ(path.watch().arm(), Armed::now);

  std::filesystem::create_directory(folder_.file("a"));
  ASSERT_TRUE(path.hears_more_than(0));
  EXPECT_EQ(path.watch().arm(), Armed::now);
  std::filesystem::create_directory(folder_.file("a/b"));
  ASSERT_TRUE(path.hears_more_than(1));
  EXPECT_EQ(path.watch().arm(), Armed::now);
  make(folder_.file("a/b/socket"));
  EXPECT_TRUE(path.hears_more_than(2));
}

TEST_F(PathWatchTest, SaysWhenItsDirectoryGoesOrIsRenamed) {
  for (const bool is_renamed : {false, true}) {
    std::filesystem::create_directory(folder_.file("run"));
    WatchedPath path(folder_.file("run/socket"));
    ASSERT_EQ(path.watch().arm(), Armed::now);

    if (is_renamed) {
      std::filesystem::rename(folder_.file("run"), folder_.file("old"));
    } else {
      std::filesystem::remove(folder_.file("run"));
    }
    ASSERT_TRUE(path.hears_more_than(0)) << is_renamed;
    EXPECT_EQ(path.watch().arm(), Armed::now);
    const int before = path.count();
    std::filesystem::create_directory(folder_.file("run"));
    ASSERT_TRUE(path.hears_more_than(before));
    EXPECT_EQ(path.watch().arm(), Armed::now);
    const int then = path.count();
    make(folder_.file("run/socket"));
    EXPECT_TRUE(path.hears_more_than(then));
    std::filesystem::remove_all(folder_.file("run"));
  }
}

TEST_F(PathWatchTest, TellsEachOfTheLoopsWhicheverReads) {
  WatchedPath first(folder_.file("socket"));
  WatchedPath second(folder_.file("socket"));
  ASSERT_EQ(first.watch().arm(), Armed::now);
  ASSERT_EQ(second.watch().arm(), Armed::now);

  make(folder_.file("socket"));

  ASSERT_TRUE(first.hears_more_than(0));
  EXPECT_TRUE(second.hears_more_than(0));
}

TEST_F(PathWatchTest, KeepsNoDescriptorWhereNobodyWatches) {
  const std::ptrdiff_t before = open_descriptors();
  {
    WatchedPath path(folder_.file("socket"));
    ASSERT_EQ(path.watch().arm(), Armed::now);
    EXPECT_GT(open_descriptors(), before);
    path.watch().disarm();
    make(folder_.file("socket"));
    path.settle();
    EXPECT_EQ(path.count(), 0);
  }

  EXPECT_EQ(open_descriptors(), before);
}

TEST_F(PathWatchTest, AFloodOfOtherNamesEndsTheWatchForAWhileAndIsTold) {
  log_capture().allow("too much happens in directories");
  WatchedPath path(folder_.file("socket"));
  ASSERT_EQ(path.watch().arm(), Armed::now);

  for (std::size_t i = 0; i <= PathWatch::most_idle_events; ++i)
    make(folder_.file(std::to_string(i)));
  ASSERT_TRUE(path.hears_more_than(0));
  EXPECT_EQ(path.watch().arm(), Armed::impossible);
  make(folder_.file("x"));
  path.settle();
  EXPECT_EQ(path.count(), 1);

  while (path.watch().arm() == Armed::impossible)
    std::this_thread::yield();
  make(folder_.file("socket"));
  EXPECT_TRUE(path.hears_more_than(1));
}

TEST_F(PathWatchTest, MoreEventsThanTheKernelKeepsLoseNothing) {
  log_capture().allow("too much happens in directories");
  WatchedPath path(folder_.file("socket"));
  make(folder_.file("a"));
  ASSERT_EQ(path.watch().arm(), Armed::now);

  for (int i = 0; i < 20'000; ++i)
    flip(folder_.file("a"), folder_.file("b"), i);
  make(folder_.file("socket"));

  EXPECT_TRUE(path.hears_more_than(0));
}

/// In a process of its own, which says it for the first time.
TEST_F(PathWatchTest, MoreDirectoriesThanItsShareCannotBeWatchedAndThatIsSaidOnce) {
  ChildProcess child([this] {
    EventLoop loop;
    std::vector<std::unique_ptr<PathWatch>> watches;
    const auto watch = [&](std::size_t number) -> PathWatch& {
      const std::string directory = folder_.file(std::to_string(number));
      std::filesystem::create_directory(directory);
      watches.push_back(std::make_unique<PathWatch>(
          detail::Access::core(loop), directory + "/socket", [](void*) noexcept {}, nullptr));
      return *watches.back();
    };
    for (std::size_t i = 0; i < PathWatch::most_directories; ++i) {
      if (watch(i).arm() != Armed::now) return 1;
    }
    PathWatch& beyond = watch(PathWatch::most_directories);
    if (beyond.arm() != Armed::impossible) return 2;
    if (!log_capture().take("looked for every 100 ms instead")) return 3;
    if (beyond.arm() != Armed::impossible) return 4;
    if (!log_capture().lines().empty()) return 5;
    watches.front()->disarm();
    return beyond.arm() == Armed::now ? 0 : 6;
  });

  EXPECT_EQ(child.wait(), 0);
}

TEST_F(PathWatchTest, AForkedChildWatchesForItself) {
  WatchedPath of_parent(folder_.file("socket"));
  ASSERT_EQ(of_parent.watch().arm(), Armed::now);

  ChildProcess child([this] {
    WatchedPath path(folder_.file("socket"));
    if (path.watch().arm() != Armed::now) return 1;
    make(folder_.file("socket"));
    return path.hears_more_than(0) ? 0 : 2;
  });

  EXPECT_EQ(child.wait(), 0);
  EXPECT_TRUE(of_parent.hears_more_than(0)) << "the child took nothing of the parent's";
}

}  // namespace
}  // namespace nearcall::test
