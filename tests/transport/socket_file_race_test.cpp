// SPDX-License-Identifier: Apache-2.0
// Many servers that want one path at the same time: exactly one gets it.
#include "support/child_process.hpp"
#include "support/temp_dir.hpp"
#include "transport/listening.hpp"
#include "transport/socket_file.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <memory>
#include <thread>
#include <vector>

namespace nearcall::inline v0::detail {
namespace {

using test::ChildProcess;
using test::ProcessSignal;

constexpr int contenders = 4;

TEST(SocketFileRace, ExactlyOneProcessTakesAStalePath) {
  for (int round = 0; round < 15; ++round) {
    const test::TempDir directory;
    const std::string path = directory.file("x.sock");
    test::leave_stale_socket_at(path);
    ProcessSignal start;
    ProcessSignal tried;
    ProcessSignal finish;
    const auto contend = [&] {
      const UniqueFd socket = test::unix_socket();
      start.wait();
      const auto file = SocketFile::create(socket.get(), path, {});
      tried.raise();
      finish.wait();
      return file ? 1 : 0;
    };
    std::vector<std::unique_ptr<ChildProcess>> children;
    for (int i = 0; i < contenders; ++i)
      children.push_back(std::make_unique<ChildProcess>(contend));

    for (int i = 0; i < contenders; ++i)
      start.raise();
    for (int i = 0; i < contenders; ++i)
      ASSERT_TRUE(tried.wait());
    EXPECT_TRUE(test::connected_to(path));
    for (int i = 0; i < contenders; ++i)
      finish.raise();

    int winners = 0;
    for (const auto& child : children)
      winners += child->wait();
    EXPECT_EQ(winners, 1) << "round " << round;
  }
}

TEST(SocketFileRace, ExactlyOneThreadTakesAStalePath) {
  const test::TempDir directory;
  const std::string path = directory.file("x.sock");
  constexpr int rounds = 100;
  std::atomic<int> winners{0};
  std::barrier together(contenders);
  const auto contend = [&](bool is_first) {
    for (int round = 0; round < rounds; ++round) {
      if (is_first) test::leave_stale_socket_at(path + (round % 2 == 0 ? "" : ".other"));
      const UniqueFd socket = test::unix_socket();
      together.arrive_and_wait();
      auto file = SocketFile::create(socket.get(), path, {});
      if (file) winners.fetch_add(1);
      together.arrive_and_wait();
      if (is_first) {
        EXPECT_EQ(winners.exchange(0), 1) << "round " << round;
        EXPECT_TRUE(test::connected_to(path));
      }
      together.arrive_and_wait();
      if (file) file->reset();
      if (is_first) ::unlink((path + ".other").c_str());
      together.arrive_and_wait();
    }
  };

  std::vector<std::thread> threads;
  for (int i = 0; i < contenders; ++i)
    threads.emplace_back(contend, i == 0);
  for (std::thread& thread : threads)
    thread.join();

  EXPECT_FALSE(test::status_of(path));
}

TEST(SocketFileRace, ServersThatComeAndGoNeverListenTogether) {
  const test::TempDir directory;
  const std::string path = directory.file("x.sock");
  std::atomic<int> listening{0};
  std::atomic<int> served{0};
  const auto come_and_go = [&] {
    for (int i = 0; i < 150; ++i) {
      const UniqueFd socket = test::unix_socket();
      const auto file = SocketFile::create(socket.get(), path, {});
      if (!file) {
        EXPECT_EQ(file.error().code(), StatusCode::unavailable) << file.error().to_string();
        continue;
      }
      EXPECT_EQ(listening.fetch_add(1), 0);
      EXPECT_TRUE(test::connected_to(path));
      served.fetch_add(1);
      listening.fetch_sub(1);
    }
  };

  std::vector<std::thread> threads;
  for (int i = 0; i < contenders; ++i)
    threads.emplace_back(come_and_go);
  for (std::thread& thread : threads)
    thread.join();

  EXPECT_GT(served.load(), 0);
  EXPECT_FALSE(test::status_of(path));
  EXPECT_FALSE(test::status_of(path + ".lock"));
}

/// Another server, without our lock, moves its live socket to the path while we take the path:
/// whoever comes first, its socket must be there in the end.
void expect_foreign_server_survives(bool has_stale_socket) {
  for (int round = 0; round < 200; ++round) {
    const test::TempDir directory;
    const std::string path = directory.file("x.sock");
    if (has_stale_socket) test::leave_stale_socket_at(path);
    const UniqueFd foreign = test::listening_at(directory.file("foreign"));
    const ino_t inode = test::status_of(directory.file("foreign"))->st_ino;
    std::barrier together(2);
    std::thread thief([&] {
      together.arrive_and_wait();
      for (int i = 0; i < round; ++i)
        test::status_of(path);  // a little later each time
      EXPECT_EQ(::rename(directory.file("foreign").c_str(), path.c_str()), 0);
    });

    const UniqueFd socket = test::unix_socket();
    together.arrive_and_wait();
    const auto file = SocketFile::create(socket.get(), path, {});
    thief.join();

    const auto status = test::status_of(path);
    ASSERT_TRUE(status) << "round " << round;
    EXPECT_EQ(status->st_ino, inode) << "round " << round;
    EXPECT_TRUE(file || file.error().code() == StatusCode::unavailable);
  }
}

TEST(SocketFileRace, ForeignServerThatTakesAStalePathMeanwhileIsNotReplaced) {
  expect_foreign_server_survives(/*has_stale_socket=*/true);
}

TEST(SocketFileRace, ForeignServerThatTakesAFreePathMeanwhileIsNotReplaced) {
  expect_foreign_server_survives(/*has_stale_socket=*/false);
}

}  // namespace
}  // namespace nearcall::inline v0::detail
