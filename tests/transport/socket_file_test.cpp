// SPDX-License-Identifier: Apache-2.0
// SocketFile: what it takes, what it leaves alone, and with which permissions.
#include "transport/socket_file.hpp"

#include "support/child_process.hpp"
#include "support/log_capture.hpp"
#include "support/temp_dir.hpp"
#include "transport/connect_socket.hpp"
#include "transport/listening.hpp"
#include "transport/socket_path.hpp"

#include <gmock/gmock.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

namespace nearcall::inline v0::detail {
namespace {

namespace fs = std::filesystem;
using test::ChildProcess;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr uid_t another_user = 65534;

class SocketFileTest : public test::LogCheckedTest {
 protected:
  /// A server of ours.
  struct Server {
    UniqueFd socket = test::unix_socket();
    std::unique_ptr<SocketFile> file;
  };

  Result<Server> serve(const std::string& path, const ListenOptions& options = ListenOptions()) {
    Server server;
    auto file = SocketFile::create(server.socket.get(), path, options);
    if (!file) return std::move(file).error();
    server.file = std::move(*file);
    return server;
  }
  Result<Server> serve() { return serve(path_); }
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& entry : fs::directory_iterator(directory_.path())) {
      all.push_back(entry.path().filename());
    }
    return all;
  }
  /// Expects that nobody can listen at path_, and that what is there stays there.
  void expect_refusal(StatusCode code, const std::string& why) {
    const auto before = test::status_of(path_);
    ASSERT_TRUE(before);

    const auto server = serve();

    ASSERT_FALSE(server);
    EXPECT_EQ(server.error().code(), code);
    EXPECT_THAT(server.error().message(), HasSubstr("unix:" + path_ + ": "));
    EXPECT_THAT(server.error().message(), HasSubstr(why));
    const auto after = test::status_of(path_);
    ASSERT_TRUE(after);
    EXPECT_EQ(after->st_ino, before->st_ino);
    EXPECT_EQ(after->st_mode, before->st_mode);
    EXPECT_EQ(after->st_ctim.tv_nsec, before->st_ctim.tv_nsec);
  }

  /// What a killed server leaves, at a path of any length.
  static void leave_stale_socket_at(const std::string& path) {
    const std::string folder = fs::path(path).parent_path();
    const UniqueFd opened(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    const std::string near = path_of_fd(opened.get()) + "/stale";
    test::leave_stale_socket_at(near);
    fs::rename(near, path);
  }

  test::TempDir directory_;
  const std::string path_ = directory_.file("x.sock");
};

TEST_F(SocketFileTest, ListensAndLeavesNothingBehind) {
  auto server = serve();
  ASSERT_TRUE(server) << server.error().to_string();
  EXPECT_TRUE(test::connected_to(path_));
  EXPECT_THAT(names(), testing::UnorderedElementsAre("x.sock", "x.sock.lock"));

  server->file.reset();

  EXPECT_THAT(names(), IsEmpty());
}

TEST_F(SocketFileTest, StaleSocketIsReplaced) {
  test::leave_stale_socket_at(path_);

  const auto server = serve();

  ASSERT_TRUE(server) << server.error().to_string();
  EXPECT_TRUE(test::connected_to(path_));
  EXPECT_THAT(names(), testing::UnorderedElementsAre("x.sock", "x.sock.lock"));
}

TEST_F(SocketFileTest, NameOfAKilledServerIsTakenOver) {
  test::ProcessSignal listens;
  ChildProcess child([&] {
    const auto server = serve();
    listens.raise();
    return test::ProcessSignal().wait() && server ? 0 : 1;
  });
  ASSERT_TRUE(listens.wait());
  EXPECT_FALSE(serve());
  child.kill();

  const auto server = serve();

  ASSERT_TRUE(server) << server.error().to_string();
  EXPECT_TRUE(test::connected_to(path_));
}

TEST_F(SocketFileTest, LeftOverTemporaryNameIsRemoved) {
  test::leave_stale_socket_at(directory_.file(".x.sock.new"));

  EXPECT_TRUE(serve());
  EXPECT_THAT(names(), IsEmpty());
}

TEST_F(SocketFileTest, OurLiveServerIsUntouched) {
  const auto first = serve();
  ASSERT_TRUE(first);

  expect_refusal(StatusCode::unavailable,
                 "address in use: another server holds " + path_ + ".lock");

  EXPECT_TRUE(test::connected_to(path_));
}

TEST_F(SocketFileTest, LiveServerWithoutALockIsUntouched) {
  const UniqueFd other = test::listening_at(path_);

  expect_refusal(StatusCode::unavailable, "address in use: a server listens there");

  EXPECT_THAT(names(), ElementsAre("x.sock"));
  EXPECT_TRUE(test::connected_to(path_));
}

TEST_F(SocketFileTest, LiveServerWithAFullBacklogIsUntouched) {
  const UniqueFd other = test::listening_at(path_, /*backlog=*/1);
  const auto waiting = test::fill_backlog(SocketAddress::unix_path(path_));
  ASSERT_FALSE(waiting.empty());

  expect_refusal(StatusCode::unavailable, "address in use");
}

TEST_F(SocketFileTest, BoundDatagramSocketIsUntouched) {
  const UniqueFd other = test::bound_at(path_, SOCK_DGRAM);

  expect_refusal(StatusCode::unavailable, "another type");
}

TEST_F(SocketFileTest, PlainFileIsUntouched) {
  std::ofstream(path_) << "precious";

  expect_refusal(StatusCode::failed_precondition, "a plain file is in the way");

  EXPECT_THAT(names(), ElementsAre("x.sock"));
}

TEST_F(SocketFileTest, WhatIsInTheWayOfTheTemporaryNameIsNamed) {
  fs::create_directory(directory_.file(".x.sock.new"));

  const auto server = serve();

  EXPECT_EQ(server.status().code(), StatusCode::failed_precondition);
  EXPECT_THAT(server.status().message(),
              HasSubstr("a directory is in the way at " + directory_.file(".x.sock.new")));
}

TEST_F(SocketFileTest, DirectoryIsUntouched) {
  fs::create_directory(path_);

  expect_refusal(StatusCode::failed_precondition, "a directory is in the way");
}

TEST_F(SocketFileTest, SymbolicLinkIsUntouchedWhereverItLeads) {
  fs::create_symlink("nowhere", path_);
  expect_refusal(StatusCode::failed_precondition, "a symbolic link is in the way");
  fs::remove(path_);

  test::leave_stale_socket_at(directory_.file("target"));
  fs::create_symlink("target", path_);
  expect_refusal(StatusCode::failed_precondition, "a symbolic link is in the way");
}

/// Of three lengths: what fits into an address, what does not, and a name that is as long as any.
TEST_F(SocketFileTest, PathOfAnyLengthIsTakenTakenOverAndGivenBack) {
  const std::string folder = directory_.file(std::string(200, 'd'));
  for (const std::string& path :
       {directory_.file(std::string(107 - directory_.path().size() - 1, 'n')),
        directory_.file(std::string(200, 'n')), folder + "/" + std::string(255, 'n')}) {
    SCOPED_TRACE(path.size());
    fs::create_directories(fs::path(path).parent_path());
    const auto reached = [&path] {
      const UniqueFd client = test::unix_socket();
      return connect_to_path(client.get(), path) == 0;
    };
    {
      const auto first = serve(path);
      ASSERT_TRUE(first) << first.error().to_string();
      EXPECT_TRUE(reached());
      EXPECT_EQ(test::mode_of(path), 0600U);
      const auto second = serve(path);
      EXPECT_EQ(second.status().reason(), StatusReason::address_in_use);
      const Result<bool> in_place = first->file->check();
      EXPECT_TRUE(in_place && *in_place);
    }
    EXPECT_FALSE(fs::exists(path));
    leave_stale_socket_at(path);
    const auto next = serve(path);
    ASSERT_TRUE(next) << next.error().to_string();
    EXPECT_TRUE(reached());
  }
  fs::remove_all(folder);
  EXPECT_THAT(names(), IsEmpty());
}

TEST_F(SocketFileTest, PathThatNoFileHasIsRefused) {
  const auto too_long = serve(directory_.file(std::string(256, 'n')));

  ASSERT_FALSE(too_long);
  EXPECT_EQ(too_long.error().code(), StatusCode::invalid_argument);
  EXPECT_THAT(too_long.error().message(), HasSubstr("has 256 bytes, the limit is 255"));
}

TEST_F(SocketFileTest, RelativePathIsGivenBackEvenAfterChdir) {
  ChildProcess child([&] {
    if (::chdir(directory_.path().c_str()) != 0) return 1;
    auto server = serve("x.sock");
    if (!server || !test::connected_to(path_)) return 2;
    if (::chdir("/") != 0) return 3;
    server->file.reset();
    return names().empty() ? 0 : 4;
  });

  EXPECT_EQ(child.wait(), 0);
}

TEST_F(SocketFileTest, ModeIsExactlyAsAskedUnderAnyUmask) {
  for (const mode_t mask : {0U, 022U, 077U, 0777U}) {
    for (const mode_t mode : {0600U, 0660U, 0666U, 0777U, 0U}) {
      const test::ScopedUmask scope(mask);

      const auto server = serve(path_, ListenOptions().mode(mode));

      ASSERT_TRUE(server) << server.error().to_string();
      EXPECT_EQ(test::mode_of(path_), mode) << std::oct << "umask " << mask;
      EXPECT_EQ(test::mode_of(path_ + ".lock"), 0600U);
    }
  }
}

TEST_F(SocketFileTest, WithoutProcItWorksOrSaysThatItNeedsProc) {
  const std::string deep = directory_.file(std::string(105 - directory_.path().size(), 'x'));
  ChildProcess child([&] {
    if (!test::hide_proc()) return 77;
    if (!serve()) return 1;
    const auto open = serve(path_, ListenOptions().mode(0666));
    if (!open && open.error().message().find("needs /proc") == std::string::npos) return 2;
    if (open && test::mode_of(path_) != 0666U) return 3;
    const auto long_path = serve(deep);
    return long_path.status().message().find("needs /proc") == std::string::npos ? 4 : 0;
  });

  const int result = child.wait();

  if (result == 77) GTEST_SKIP() << "needs a mount namespace of its own";
  EXPECT_EQ(result, 0);
}

TEST_F(SocketFileTest, DefaultModeIsForTheOwnerOnly) {
  const test::ScopedUmask scope(0);

  const auto server = serve();

  ASSERT_TRUE(server);
  EXPECT_EQ(test::mode_of(path_), 0600U);
}

TEST_F(SocketFileTest, NoInstantShowsAnotherMode) {
  const test::ScopedUmask scope(0);
  const ListenOptions options = ListenOptions().mode(0620);
  std::atomic<bool> finish{false};
  std::atomic<int> seen{0};
  std::thread watcher([&] {
    while (!finish.load()) {
      const auto final_name = test::mode_of(path_);
      const auto temporary_name = test::mode_of(directory_.file(".x.sock.new"));
      if (final_name) {
        seen.fetch_add(1);
        EXPECT_EQ(*final_name, 0620U);
      }
      if (temporary_name) {
        EXPECT_TRUE(*temporary_name == 0600U || *temporary_name == 0620U) << *temporary_name;
      }
    }
  });

  for (int i = 0; i < 300 || seen.load() == 0; ++i) {
    const auto server = serve(path_, options);
    ASSERT_TRUE(server) << server.error().to_string();
  }
  finish.store(true);
  watcher.join();
}

TEST_F(SocketFileTest, NameNeverLeadsToASocketThatRefuses) {
  test::leave_stale_socket_at(path_);
  std::atomic<bool> finish{false};
  std::atomic<int> refused_after_success{0};
  std::atomic<bool> is_up{false};
  std::thread client([&] {
    while (!finish.load()) {
      const bool must_work = is_up.load();
      const bool works = static_cast<bool>(test::connected_to(path_));
      if (must_work && !works && errno != EAGAIN) refused_after_success.fetch_add(1);
      if (works) is_up.store(true);
    }
  });

  const auto server = serve();
  ASSERT_TRUE(server);
  while (!is_up.load())
    std::this_thread::yield();
  finish.store(true);
  client.join();

  EXPECT_EQ(refused_after_success.load(), 0);
}

TEST_F(SocketFileTest, GroupIsAsAsked) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to give files away";

  const auto server = serve(path_, ListenOptions().mode(0660).group(4712));

  ASSERT_TRUE(server) << server.error().to_string();
  EXPECT_EQ(test::status_of(path_)->st_uid, ::geteuid());
  EXPECT_EQ(test::status_of(path_)->st_gid, 4712U);
  EXPECT_EQ(test::mode_of(path_), 0660U);
}

TEST_F(SocketFileTest, WhatAnotherPutAtTheNameIsNotRemoved) {
  auto server = serve();
  ASSERT_TRUE(server);
  fs::remove(path_);
  const UniqueFd thief = test::listening_at(path_);

  server->file.reset();

  EXPECT_TRUE(test::connected_to(path_));
  EXPECT_THAT(names(), ElementsAre("x.sock"));
}

TEST_F(SocketFileTest, DestructorInAForkedChildLeavesTheNameAndTheLock) {
  auto server = serve();
  ASSERT_TRUE(server);
  ChildProcess child([&] {
    server->socket.reset();
    server->file.reset();
    return 0;
  });
  ASSERT_EQ(child.wait(), 0);

  EXPECT_TRUE(test::connected_to(path_));
  expect_refusal(StatusCode::unavailable, "another server holds");
}

TEST_F(SocketFileTest, IsAdoptedByItsNumberAlone) {
  const UniqueFd left = test::listening_at(path_);
  const FileId there = file_id(*test::status_of(path_));

  const Status status =
      SocketFile::adopt(path_, FileId{there.device, there.inode + 1}, ListenOptions()).status();

  EXPECT_EQ(status.reason(), StatusReason::address_in_use);
  EXPECT_THAT(names(), ElementsAre("x.sock")) << "what is there stays, and is not locked";
  EXPECT_TRUE(SocketFile::adopt(path_, there, ListenOptions()));
}

TEST_F(SocketFileTest, IsNotSharedByTheFileOfAnotherSocket) {
  const auto server = serve();
  ASSERT_TRUE(server);
  test::listening_at(directory_.file("other"));
  const auto share = [&](const std::string& offered) {
    return SocketFile::share(
        path_, UniqueFd(::fcntl(server->file->lock_fd(), F_DUPFD_CLOEXEC, 0)),
        UniqueFd(::open(directory_.file(offered).c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC)));
  };

  EXPECT_TRUE(share("x.sock"));
  EXPECT_THAT(share("other").status().message(),
              HasSubstr("what was offered is not the socket at the path"));
}

TEST_F(SocketFileTest, DirectoryThatOthersMayWriteToEarnsAWarning) {
  for (const mode_t mode : {01777U, 0777U, 0770U}) {
    ASSERT_EQ(::chmod(directory_.path().c_str(), mode), 0);

    EXPECT_TRUE(serve());

    EXPECT_TRUE(log_capture().take("others may write to the directory " + directory_.path()));
  }
}

TEST_F(SocketFileTest, DirectoryOfAnotherUserEarnsAWarningThatNamesHim) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to give a directory away";
  ASSERT_EQ(::chown(directory_.path().c_str(), another_user, another_user), 0);

  EXPECT_TRUE(serve());

  EXPECT_TRUE(log_capture().take("(it belongs to uid " + std::to_string(another_user) + ")"));
}

TEST_F(SocketFileTest, MissingDirectoryIsNamed) {
  const auto server = serve(directory_.file("none/x.sock"));

  ASSERT_FALSE(server);
  EXPECT_THAT(server.error().message(),
              HasSubstr("open directory " + directory_.file("none") + ": No such file"));
}

TEST_F(SocketFileTest, PathOfADirectoryIsRefused) {
  EXPECT_EQ(serve(directory_.path() + "/").status().code(), StatusCode::invalid_argument);
}

TEST_F(SocketFileTest, ForbiddenDirectoryIsAPermissionError) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to become somebody else";
  ASSERT_EQ(::chmod(directory_.path().c_str(), 0755), 0);
  ChildProcess child([&] {
    if (::setgid(another_user) != 0 || ::setuid(another_user) != 0) return 1;
    return serve().status().code() == StatusCode::permission_denied ? 0 : 2;
  });

  EXPECT_EQ(child.wait(), 0);
  EXPECT_THAT(names(), IsEmpty());
}

TEST_F(SocketFileTest, SocketOfAnotherUserWithoutALockIsRefusedWithTheOwnerAndTheWayOut) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to become somebody else";
  const test::ScopedUmask owner_only(077);
  test::leave_stale_socket_at(path_);
  ASSERT_EQ(::chmod(directory_.path().c_str(), 0777), 0);
  log_capture().allow("others may write to the directory");
  ChildProcess child([&] {
    if (::setgid(another_user) != 0 || ::setuid(another_user) != 0) return 1;
    const auto refused = serve();
    if (refused || refused.error().code() != StatusCode::permission_denied) return 2;
    if (refused.error().reason() != StatusReason::no_permission) return 3;
    const std::string& why = refused.error().message();
    if (why.find("It belongs to uid 0") == std::string::npos) return 4;
    return why.find("has to remove the socket") == std::string::npos ? 5 : 0;
  });

  EXPECT_EQ(child.wait(), 0);
  EXPECT_THAT(names(), ElementsAre("x.sock"));
}

TEST_F(SocketFileTest, TemporaryNameThatAStrangerHasIsRefusedWithTheOwnerAndTheWayOut) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to become somebody else";
  const std::string temporary = directory_.file(".x.sock.new");
  test::leave_stale_socket_at(temporary);
  ASSERT_EQ(::chmod(directory_.path().c_str(), 01777), 0);
  log_capture().allow("others may write to the directory");
  ChildProcess child([&] {
    if (::setgid(another_user) != 0 || ::setuid(another_user) != 0) return 1;
    const auto refused = serve();
    if (refused || refused.error().code() != StatusCode::permission_denied) return 2;
    if (refused.error().reason() != StatusReason::no_permission) return 3;
    const std::string& why = refused.error().message();
    if (why.find("remove " + temporary + ": ") == std::string::npos) return 4;
    if (why.find("It belongs to uid 0") == std::string::npos) return 5;
    return why.find("has to remove the socket") == std::string::npos ? 6 : 0;
  });

  EXPECT_EQ(child.wait(), 0);
  EXPECT_THAT(names(), ElementsAre(".x.sock.new"));
}

TEST_F(SocketFileTest, FailureToSetTheGroupLeavesNothingBehind) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to become somebody else";
  ASSERT_EQ(::chown(directory_.path().c_str(), another_user, another_user), 0);
  ChildProcess child([&] {
    if (::setgid(another_user) != 0 || ::setuid(another_user) != 0) return 1;
    if (::setgroups(0, nullptr) == 0) return 3;
    return serve(path_, ListenOptions().group(0)).status().code() == StatusCode::permission_denied
               ? 0
               : 2;
  });

  EXPECT_EQ(child.wait(), 0);
  EXPECT_THAT(names(), IsEmpty());
}

}  // namespace
}  // namespace nearcall::inline v0::detail
