// SPDX-License-Identifier: Apache-2.0
// LockFile: one holder, whatever happens to the file.
#include "transport/lock_file.hpp"

#include "support/child_process.hpp"
#include "support/temp_dir.hpp"
#include "transport/listening.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

namespace nearcall::inline v0::detail {
namespace {

using test::ChildProcess;
using test::ProcessSignal;
using testing::HasSubstr;

class LockFileTest : public testing::Test {
 protected:
  Result<std::unique_ptr<LockFile>> acquire(Duration longest_wait = std::chrono::seconds(2)) {
    return LockFile::acquire(fd_.get(), "x.lock", "unix:x", directory_.file("x.lock"),
                             longest_wait);
  }
  bool exists() const { return std::filesystem::exists(directory_.file("x.lock")); }

  test::TempDir directory_;
  UniqueFd fd_{::open(directory_.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
};

TEST_F(LockFileTest, SecondHolderIsRefusedAndToldWhichFile) {
  const auto first = acquire();
  ASSERT_TRUE(first);

  const auto second = acquire();

  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), StatusCode::unavailable);
  EXPECT_EQ(second.error().reason(), StatusReason::address_in_use);
  EXPECT_EQ(second.error().message(),
            "unix:x: address in use: another server holds " + directory_.file("x.lock"));
}

TEST_F(LockFileTest, ReleaseRemovesTheFile) {
  auto first = acquire();
  ASSERT_TRUE(first);
  EXPECT_TRUE(exists());

  first->reset();

  EXPECT_FALSE(exists());
  EXPECT_TRUE(acquire());
}

TEST_F(LockFileTest, FileOfAKilledHolderLocksNobodyOut) {
  ProcessSignal held;
  ChildProcess child([&] {
    const auto lock = acquire();
    held.raise();
    return ProcessSignal().wait() && lock ? 0 : 1;
  });
  ASSERT_TRUE(held.wait());
  EXPECT_FALSE(acquire());
  child.kill();
  ASSERT_TRUE(exists());

  EXPECT_TRUE(acquire());
}

TEST_F(LockFileTest, IsNotHeldByAForkedChildThatOutlivesTheHolder) {
  ProcessSignal forked;
  ProcessSignal over;
  ChildProcess holder([&] {
    const auto lock = acquire();
    const ChildProcess child([&] {
      forked.raise();
      over.leave_raising_to_others();
      return over.wait() ? 0 : 1;
    });
    return ProcessSignal().wait() && lock ? 0 : 1;
  });
  ASSERT_TRUE(forked.wait());
  EXPECT_FALSE(acquire());
  holder.kill();

  EXPECT_TRUE(acquire());
  over.raise();
}

TEST_F(LockFileTest, IsTakenFromAHolderThatWasKilledThisMoment) {
  for (int i = 0; i < 20; ++i) {
    ProcessSignal held;
    ChildProcess holder([&] {
      // What it has to give back first keeps the lock taken for a while.
      const std::vector<char> memory(std::size_t{4} * 1024 * 1024, 'x');
      const auto lock = acquire();
      held.raise();
      return ProcessSignal().wait() && lock && memory[0] == 'x' ? 0 : 1;
    });
    ASSERT_TRUE(held.wait());

    ::kill(holder.pid(), SIGKILL);

    const auto lock = acquire();
    ASSERT_TRUE(lock) << i << ": " << lock.status().message();
  }
}

TEST_F(LockFileTest, OfAHolderThatStillExitsIsRefusedWithThatReason) {
  const auto first = acquire();
  ASSERT_TRUE(first);
  const test::Zombie zombie;
  std::ofstream(directory_.file("x.lock")) << zombie.pid() << '\n';

  const auto second = acquire(/*longest_wait=*/{});

  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), StatusCode::unavailable);
  EXPECT_EQ(second.error().reason(), StatusReason::server_stopping);
  EXPECT_EQ(second.error().message(), "unix:x: address in use: the process that holds " +
                                          directory_.file("x.lock") + " is exiting");
}

TEST_F(LockFileTest, FileCanBeOpenedAgainWhateverTheUmaskWas) {
  const test::ScopedUmask takes_all(0777);

  const auto lock = acquire();

  ASSERT_TRUE(lock);
  EXPECT_EQ(test::mode_of(directory_.file("x.lock")), 0600U);
}

TEST_F(LockFileTest, FileOfAnotherUserIsRefusedWithTheOwnerAndTheWayOut) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become another user";
  const int file = ::open(directory_.file("x.lock").c_str(), O_CREAT | O_CLOEXEC, 0600);
  ASSERT_GE(file, 0);
  ::close(file);
  ASSERT_EQ(::chmod(directory_.path().c_str(), 0777), 0);
  constexpr uid_t somebody = 12345;
  ChildProcess child([&] {
    if (::setuid(somebody) != 0) return 1;
    const auto refused = acquire();
    if (refused || refused.error().code() != StatusCode::permission_denied) return 2;
    if (refused.error().reason() != StatusReason::no_permission) return 6;
    const std::string& why = refused.error().message();
    if (why.find(directory_.file("x.lock")) == std::string::npos) return 3;
    if (why.find("belongs to uid 0") == std::string::npos) return 4;
    return why.find("remove the socket, and its lock file") == std::string::npos ? 5 : 0;
  });

  EXPECT_EQ(child.wait(), 0);
}

TEST_F(LockFileTest, FileThatSomebodyElsePutThereIsNotRemoved) {
  auto lock = acquire();
  ASSERT_TRUE(lock);
  std::filesystem::remove(directory_.file("x.lock"));
  std::ofstream(directory_.file("x.lock")) << "theirs";

  lock->reset();

  EXPECT_TRUE(exists());
}

TEST_F(LockFileTest, FileOfAnotherProgramIsRefusedAndLeftAsItIs) {
  const std::string path = directory_.file("x.lock");
  for (const std::string text : {"[[package]]\nname = \"x\"\n", "17", "17\n18\n", "-1\n", "\n",
                                 "17 \n", "1234567890123456789\n"}) {
    std::ofstream(path) << text;

    const auto refused = acquire();

    ASSERT_FALSE(refused) << text;
    EXPECT_EQ(refused.error().code(), StatusCode::failed_precondition);
    EXPECT_THAT(refused.error().message(), HasSubstr(path + " is in the way"));
    std::ifstream file(path);
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), text);
  }
}

TEST_F(LockFileTest, FileThatADeadHolderLeftIsTaken) {
  for (const char* text : {"", "17\n"}) {
    std::ofstream(directory_.file("x.lock")) << text;

    EXPECT_TRUE(acquire()) << text;
    EXPECT_FALSE(exists());
  }
}

TEST_F(LockFileTest, FileWithAnotherLinkIsRefusedAndLeftAsItIs) {
  std::ofstream(directory_.file("target")) << "17\n";
  std::filesystem::create_hard_link(directory_.file("target"), directory_.file("x.lock"));

  EXPECT_EQ(acquire().status().code(), StatusCode::failed_precondition);
  EXPECT_TRUE(exists());
}

TEST_F(LockFileTest, FileOfAnotherUserThatIsOpenToAllIsRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to give a file away";
  std::ofstream(directory_.file("x.lock")) << "";
  ASSERT_EQ(::chown(directory_.file("x.lock").c_str(), 12345, 12345), 0);
  ASSERT_EQ(::chmod(directory_.file("x.lock").c_str(), 0666), 0);

  const Status refused = acquire().status();

  EXPECT_EQ(refused.code(), StatusCode::permission_denied);
  EXPECT_THAT(refused.message(), HasSubstr("It belongs to uid 12345"));
  EXPECT_TRUE(exists());
}

TEST_F(LockFileTest, WhatIsNotAPlainFileIsRefused) {
  ASSERT_EQ(::mkfifo(directory_.file("x.lock").c_str(), 0600), 0);
  const auto on_fifo = acquire();
  ASSERT_FALSE(on_fifo);
  EXPECT_THAT(on_fifo.error().message(), HasSubstr("not a plain file"));
  std::filesystem::remove(directory_.file("x.lock"));

  std::ofstream(directory_.file("target")) << "x";
  std::filesystem::create_symlink("target", directory_.file("x.lock"));
  EXPECT_THAT(acquire().status().message(), HasSubstr("not a plain file"));
  std::filesystem::remove(directory_.file("x.lock"));

  std::filesystem::create_directory(directory_.file("x.lock"));
  EXPECT_THAT(acquire().status().message(), HasSubstr("not a plain file"));
}

class SharedLockTest : public LockFileTest {
 protected:
  Result<std::unique_ptr<LockFile>> share(int fd) const {
    return LockFile::share(fd_.get(), "x.lock", UniqueFd(::fcntl(fd, F_DUPFD_CLOEXEC, 3)),
                           "unix:x");
  }
};

TEST_F(SharedLockTest, IsTakenUntilNobodyHasItAndGoesWithItsOwner) {
  auto first = acquire();
  ASSERT_TRUE(first);
  auto second = share((*first)->fd());
  ASSERT_TRUE(second);
  EXPECT_FALSE((*second)->is_owner());

  (*first)->set_owner(false);
  (*second)->set_owner(true);
  first->reset();

  EXPECT_FALSE(acquire());
  second->reset();
  EXPECT_FALSE(exists());
  EXPECT_TRUE(acquire());
}

TEST_F(SharedLockTest, OfWhoIsNotItsOwnerLeavesTheFile) {
  auto first = acquire();
  ASSERT_TRUE(first);
  auto second = share((*first)->fd());
  ASSERT_TRUE(second);

  second->reset();

  EXPECT_TRUE(exists());
  EXPECT_FALSE(acquire());
}

TEST_F(SharedLockTest, AnotherFileOrAnotherLockIsRefused) {
  const auto first = acquire();
  ASSERT_TRUE(first);
  const UniqueFd same_file(::openat(fd_.get(), "x.lock", O_RDWR | O_CLOEXEC));
  const UniqueFd other_file(::openat(fd_.get(), "y.lock", O_CREAT | O_RDWR | O_CLOEXEC, 0600));

  EXPECT_EQ(share(same_file.get()).status().code(), StatusCode::failed_precondition)
      << "it is locked by another";
  EXPECT_EQ(share(other_file.get()).status().code(), StatusCode::failed_precondition);
}

TEST_F(SharedLockTest, WhatIsNoPlainFileIsRefused) {
  ASSERT_EQ(::mkdirat(fd_.get(), "x.lock", 0700), 0);
  const UniqueFd folder(::openat(fd_.get(), "x.lock", O_RDONLY | O_DIRECTORY | O_CLOEXEC));

  EXPECT_EQ(share(folder.get()).status().code(), StatusCode::failed_precondition);
}

TEST_F(LockFileTest, DestructorInAForkedChildDoesNotUnlock) {
  auto lock = acquire();
  ASSERT_TRUE(lock);
  ChildProcess child([&] {
    lock->reset();
    return acquire() ? 1 : 0;
  });

  EXPECT_EQ(child.wait(), 0);
  EXPECT_TRUE(exists());
  EXPECT_FALSE(acquire());
}

TEST_F(LockFileTest, ManyWhoComeAndGoNeverHoldItTogether) {
  std::atomic<int> holders{0};
  std::atomic<int> acquired{0};
  const auto come_and_go = [&] {
    for (int i = 0; i < 500; ++i) {
      const auto lock = acquire();
      if (!lock) continue;
      EXPECT_EQ(holders.fetch_add(1), 0);
      acquired.fetch_add(1);
      holders.fetch_sub(1);
    }
  };

  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back(come_and_go);
  for (std::thread& thread : threads)
    thread.join();

  EXPECT_GT(acquired.load(), 0);
  EXPECT_FALSE(exists());
}

}  // namespace
}  // namespace nearcall::inline v0::detail
