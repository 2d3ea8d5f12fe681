// SPDX-License-Identifier: Apache-2.0
// UnixListener: the life of a listener on a path, and on an abstract name.
#include "transport/unix_listener.hpp"

#include "support/child_process.hpp"
#include "support/io.hpp"
#include "support/log_capture.hpp"
#include "support/temp_dir.hpp"
#include "transport/listening.hpp"
#include "transport/lock_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <string>

namespace nearcall::inline v0::detail {
namespace {

using testing::HasSubstr;

class UnixListenerTest : public test::LogCheckedTest {
 protected:
  static Endpoint endpoint_of(const std::string& target) { return *Endpoint::parse(target); }

  test::TempDir directory_;
  const std::string path_ = directory_.file("x.sock");
  UnixListener listener_{endpoint_of("unix:" + path_)};
};

bool is_readable(const WaitAdvice& advice) {
  pollfd watched{advice.fd(), advice.events(), 0};
  return ::poll(&watched, 1, 0) == 1;
}

TEST_F(UnixListenerTest, HandsOverAConnectionWithItsPeer) {
  ASSERT_TRUE(listener_.bind());
  EXPECT_FALSE(is_readable(listener_.prepare_wait()));
  const UniqueFd client = test::connected_to(path_);
  ASSERT_TRUE(client);
  EXPECT_TRUE(is_readable(listener_.prepare_wait()));

  const auto accepted = listener_.try_accept();

  ASSERT_TRUE(accepted && *accepted);
  Transport& connection = **accepted;
  EXPECT_EQ(connection.peer().address(), "unix:" + path_);
  EXPECT_EQ(connection.peer().pid(), ::getpid());
  EXPECT_EQ(connection.peer().uid(), ::geteuid());
  ASSERT_TRUE(test::write_all(connection, "hi"));
  char text[2] = {};
  EXPECT_EQ(::read(client.get(), text, 2), 2);
  EXPECT_FALSE(is_readable(listener_.prepare_wait()));
}

TEST_F(UnixListenerTest, NobodyWaitsGivesNull) {
  ASSERT_TRUE(listener_.bind());

  const auto accepted = listener_.try_accept();

  ASSERT_TRUE(accepted);
  EXPECT_EQ(*accepted, nullptr);
}

TEST_F(UnixListenerTest, AddressIsTheTarget) {
  EXPECT_EQ(listener_.address(), "unix:" + path_);
}

TEST_F(UnixListenerTest, UnbindFreesTheNameAndKeepsTheConnections) {
  ASSERT_TRUE(listener_.bind());
  const UniqueFd client = test::connected_to(path_);
  const auto accepted = listener_.try_accept();
  ASSERT_TRUE(accepted && *accepted);

  listener_.unbind();

  EXPECT_FALSE(test::status_of(path_));
  EXPECT_FALSE(test::status_of(path_ + ".lock"));
  EXPECT_EQ(test::write_once(**accepted, "x").kind(), IoResult::Kind::bytes);
}

TEST_F(UnixListenerTest, WhoHadConnectedBeforeTheUnbindIsHandedOver) {
  ASSERT_TRUE(listener_.bind());
  const UniqueFd first = test::connected_to(path_);
  const UniqueFd second = test::connected_to(path_);

  listener_.unbind();

  for (int i = 0; i < 2; ++i) {
    const auto accepted = listener_.try_accept();
    ASSERT_TRUE(accepted && *accepted) << i;
  }
  for (int i = 0; i < 2; ++i) {
    const auto none = listener_.try_accept();
    ASSERT_TRUE(none) << none.error().to_string();
    EXPECT_EQ(*none, nullptr);
  }
}

TEST_F(UnixListenerTest, SuccessorTakesTheNameFromAnUnboundOneAndKeepsIt) {
  auto first = std::make_unique<UnixListener>(endpoint_of("unix:" + path_));
  ASSERT_TRUE(first->bind());
  EXPECT_THAT(listener_.bind().error().message(), HasSubstr("address in use"));
  first->unbind();

  ASSERT_TRUE(listener_.bind());
  first.reset();

  EXPECT_TRUE(test::connected_to(path_));
  EXPECT_TRUE(test::status_of(path_ + ".lock"));
}

class RemovedNameTest : public UnixListenerTest, public testing::WithParamInterface<const char*> {};

TEST_F(UnixListenerTest, NameThatIsThereNeedsNoMending) {
  ASSERT_TRUE(listener_.bind());
  const auto before = test::status_of(path_);

  const Result<bool> checked = listener_.check_name();

  ASSERT_TRUE(checked);
  EXPECT_TRUE(*checked) << "look again";
  EXPECT_EQ(test::status_of(path_)->st_ino, before->st_ino);
}

TEST_P(RemovedNameTest, IsTakenAgain) {
  ASSERT_TRUE(listener_.bind());
  const UniqueFd waiting = test::connected_to(path_);
  for (const std::string& name : {path_, path_ + ".lock"}) {
    const bool is_lock = name != path_;
    const std::string which = GetParam();
    if (which != "both" && (which == "lock") != is_lock) continue;
    ASSERT_EQ(::unlink(name.c_str()), 0);
  }

  const Result<bool> checked = listener_.check_name();

  ASSERT_TRUE(checked) << checked.error().to_string();
  EXPECT_TRUE(log_capture().take("it is there again"));
  EXPECT_EQ(test::mode_of(path_), 0600U);
  EXPECT_TRUE(test::status_of(path_ + ".lock"));
  EXPECT_FALSE(test::status_of(directory_.file(".x.sock.new")));
  UnixListener second(endpoint_of("unix:" + path_));
  EXPECT_THAT(second.bind().error().message(), HasSubstr("address in use"));
  const UniqueFd later = test::connected_to(path_);
  ASSERT_TRUE(later);
  for (const char* who : {"waiting", "later"}) {
    const auto accepted = listener_.try_accept();
    EXPECT_TRUE(accepted && *accepted) << who;
  }
  EXPECT_TRUE(*listener_.check_name()) << "and stays";
}

INSTANTIATE_TEST_SUITE_P(OfThePair,
                         RemovedNameTest,
                         testing::Values("socket", "lock", "both"),
                         [](const auto& info) { return std::string(info.param); });

TEST_F(RemovedNameTest, GoesWithItsFolderAndComesBackWithIt) {
  const std::string folder = directory_.file("folder");
  ASSERT_EQ(::mkdir(folder.c_str(), 0700), 0);
  UnixListener listener(endpoint_of("unix:" + folder + "/s"));
  ASSERT_TRUE(listener.bind());
  std::filesystem::remove_all(folder);

  const Result<bool> without_folder = listener.check_name();
  EXPECT_THAT(without_folder.status().message(), HasSubstr("open directory " + folder));
  ASSERT_EQ(::mkdir(folder.c_str(), 0700), 0);
  const Result<bool> with_folder = listener.check_name();

  ASSERT_TRUE(with_folder) << with_folder.error().to_string();
  EXPECT_TRUE(log_capture().take("it is there again"));
  EXPECT_TRUE(test::connected_to(folder + "/s"));
}

class MovedFolderTest : public UnixListenerTest {
 protected:
  MovedFolderTest() {
    EXPECT_EQ(::mkdir(folder_.c_str(), 0700), 0);
    EXPECT_TRUE(in_folder_.bind());
    std::filesystem::rename(folder_, directory_.file("moved"));
    EXPECT_EQ(::mkdir(folder_.c_str(), 0700), 0);
  }

  const std::string folder_ = directory_.file("folder");
  UnixListener in_folder_{endpoint_of("unix:" + folder_ + "/s")};
};

TEST_F(MovedFolderTest, TheNameIsTakenInTheNewOne) {
  const Result<bool> checked = in_folder_.check_name();

  ASSERT_TRUE(checked) << checked.error().to_string();
  EXPECT_TRUE(log_capture().take("it is there again"));
  EXPECT_TRUE(test::connected_to(folder_ + "/s"));
  EXPECT_TRUE(std::filesystem::is_empty(directory_.file("moved")));
  EXPECT_TRUE(*in_folder_.check_name()) << "and stays";
}

TEST_F(MovedFolderTest, ASuccessorInTheNewOneIsLeftAlone) {
  UnixListener successor(endpoint_of("unix:" + folder_ + "/s"));
  ASSERT_TRUE(successor.bind());

  EXPECT_EQ(in_folder_.check_name().status().code(), StatusCode::aborted);
  EXPECT_TRUE(*successor.check_name());
}

TEST_F(UnixListenerTest, WhatIsNoSocketInPlaceOfTheNameIsNoSuccessor) {
  ASSERT_TRUE(listener_.bind());
  for (const bool is_lock_removed : {false, true}) {
    ASSERT_EQ(::unlink((path_ + (is_lock_removed ? ".lock" : "")).c_str()), 0);
    std::ofstream(path_) << "precious";

    const Result<bool> checked = listener_.check_name();

    EXPECT_EQ(checked.status().code(), StatusCode::failed_precondition);
    EXPECT_THAT(checked.status().message(), HasSubstr("a plain file is in the way at " + path_));
  }
  ASSERT_EQ(::unlink(path_.c_str()), 0);

  EXPECT_TRUE(listener_.check_name()) << "once it has gone";
  EXPECT_TRUE(log_capture().take("it is there again"));
}

TEST_F(UnixListenerTest, NameThatASuccessorHasIsLeftToIt) {
  ASSERT_TRUE(listener_.bind());
  ASSERT_EQ(::unlink(path_.c_str()), 0);
  ASSERT_EQ(::unlink((path_ + ".lock").c_str()), 0);
  UnixListener successor(endpoint_of("unix:" + path_));
  ASSERT_TRUE(successor.bind());
  const auto of_successor = test::status_of(path_);

  EXPECT_EQ(listener_.check_name().status().code(), StatusCode::aborted);
  listener_.unbind();

  EXPECT_EQ(test::status_of(path_)->st_ino, of_successor->st_ino);
  EXPECT_TRUE(*successor.check_name());
}

TEST_F(UnixListenerTest, LockThatASuccessorHasIsLeftToItAndTheNameToo) {
  ASSERT_TRUE(listener_.bind());
  ASSERT_EQ(::unlink(path_.c_str()), 0);
  ASSERT_EQ(::unlink((path_ + ".lock").c_str()), 0);
  const UniqueFd folder(::open(directory_.path().c_str(), O_PATH | O_CLOEXEC));
  const auto lock = LockFile::acquire(folder.get(), "x.sock.lock", "test", "x.sock.lock", {});
  ASSERT_TRUE(lock);

  EXPECT_EQ(listener_.check_name().status().code(), StatusCode::aborted);
  EXPECT_FALSE(test::status_of(path_));
}

TEST_F(UnixListenerTest, LockOfAServerThatExitsIsTakenByALaterLookAndNotWaitedFor) {
  ASSERT_TRUE(listener_.bind());
  ASSERT_EQ(::unlink(path_.c_str()), 0);
  ASSERT_EQ(::unlink((path_ + ".lock").c_str()), 0);
  const UniqueFd folder(::open(directory_.path().c_str(), O_PATH | O_CLOEXEC));
  auto lock = LockFile::acquire(folder.get(), "x.sock.lock", "test", "x.sock.lock", {});
  ASSERT_TRUE(lock);
  const test::Zombie exiting;
  std::ofstream(path_ + ".lock") << exiting.pid() << '\n';

  const TimePoint before = SteadyClock::now();
  const Result<bool> first_look = listener_.check_name();
  EXPECT_LT(SteadyClock::now() - before, std::chrono::seconds(1));
  lock->reset();
  const Result<bool> next_look = listener_.check_name();

  EXPECT_EQ(first_look.status().code(), StatusCode::unavailable);
  EXPECT_THAT(first_look.status().message(), HasSubstr("is exiting"));
  ASSERT_TRUE(next_look) << next_look.error().to_string();
  EXPECT_TRUE(*next_look);
  EXPECT_TRUE(log_capture().take("it is there again"));
  EXPECT_TRUE(test::connected_to(path_));
}

TEST_F(UnixListenerTest, NameOfAServerWithoutALockIsLeftToIt) {
  ASSERT_TRUE(listener_.bind());
  ASSERT_EQ(::unlink(path_.c_str()), 0);
  const UniqueFd foreign = test::listening_at(path_);

  EXPECT_EQ(listener_.check_name().status().code(), StatusCode::aborted);
  EXPECT_TRUE(test::connected_to(path_));
}

TEST_F(UnixListenerTest, NameAndLockStayYoung) {
  ASSERT_TRUE(listener_.bind());
  const timespec long_ago[2] = {{1'000'000, 0}, {1'000'000, 0}};
  for (const std::string& name : {path_, path_ + ".lock"})
    ASSERT_EQ(::utimensat(AT_FDCWD, name.c_str(), long_ago, 0), 0);

  ASSERT_TRUE(listener_.check_name());

  const time_t now = ::time(nullptr);
  for (const std::string& name : {path_, path_ + ".lock"}) {
    EXPECT_GT(test::status_of(name)->st_mtim.tv_sec, now - 60) << name;
    EXPECT_GT(test::status_of(name)->st_atim.tv_sec, now - 60) << name;
  }
}

TEST_F(UnixListenerTest, DestructionRemovesTheName) {
  auto listener = std::make_unique<UnixListener>(endpoint_of("unix:" + path_));
  ASSERT_TRUE(listener->bind());

  listener.reset();

  EXPECT_FALSE(test::status_of(path_));
}

TEST_F(UnixListenerTest, RefusedBindMayBeTriedAgain) {
  {
    const UniqueFd other = test::listening_at(path_);
    EXPECT_FALSE(listener_.bind());
  }

  EXPECT_TRUE(listener_.bind());
}

TEST_F(UnixListenerTest, ForkedChildTearsNothingDown) {
  auto listener = std::make_unique<UnixListener>(endpoint_of("unix:" + path_));
  ASSERT_TRUE(listener->bind());
  test::ChildProcess child([&] {
    listener.reset();
    return 0;
  });
  ASSERT_EQ(child.wait(), 0);

  EXPECT_TRUE(test::connected_to(path_));
  const auto accepted = listener->try_accept();
  EXPECT_TRUE(accepted && *accepted);
}

TEST_F(UnixListenerTest, UnbindRefusesEvenIfAForkedChildHoldsACopy) {
  ASSERT_TRUE(listener_.bind());
  test::ProcessSignal finish;
  test::ChildProcess child([&] { return finish.wait() ? 0 : 1; });

  listener_.unbind();

  EXPECT_FALSE(test::connected_to(path_));
  EXPECT_EQ(errno, ENOENT);
  finish.raise();
  EXPECT_EQ(child.wait(), 0);
}

TEST_F(UnixListenerTest, NoDescriptorIsOpenOnExec) {
  const int before = test::descriptors_open_on_exec();
  ASSERT_TRUE(listener_.bind());
  const UniqueFd client = test::connected_to(path_);

  const auto accepted = listener_.try_accept();

  ASSERT_TRUE(accepted && *accepted);
  EXPECT_EQ(test::descriptors_open_on_exec(), before);
}

class AbstractListenerTest : public UnixListenerTest {
 protected:
  const std::string name_ = "nearcall-test-" + std::to_string(::getpid());
  UnixListener abstract_{endpoint_of("unix-abstract:" + name_)};
};

TEST_F(AbstractListenerTest, HandsOverAConnectionWithItsPeer) {
  ASSERT_TRUE(abstract_.bind());
  const UniqueFd client = test::connected_to(SocketAddress(endpoint_of("unix-abstract:" + name_)));
  ASSERT_TRUE(client);

  const auto accepted = abstract_.try_accept();

  ASSERT_TRUE(accepted && *accepted);
  EXPECT_EQ((*accepted)->peer().address(), "unix-abstract:" + name_);
  EXPECT_EQ((*accepted)->peer().pid(), ::getpid());
}

TEST_F(AbstractListenerTest, NameHasExactlyItsLength) {
  ASSERT_TRUE(abstract_.bind());
  const SocketAddress bound = SocketAddress::local(abstract_.prepare_wait().fd());
  EXPECT_EQ(bound.size(), offsetof(sockaddr_un, sun_path) + 1 + name_.size());

  const std::string with_nul = name_ + std::string(1, '\0');
  EXPECT_FALSE(test::connected_to(SocketAddress(endpoint_of("unix-abstract:" + with_nul))));
  EXPECT_TRUE(test::connected_to(SocketAddress(endpoint_of("unix-abstract:" + name_))));
}

TEST_F(AbstractListenerTest, NameInUseIsRefused) {
  ASSERT_TRUE(abstract_.bind());
  UnixListener second(endpoint_of("unix-abstract:" + name_));

  const auto bound = second.bind();

  ASSERT_FALSE(bound);
  EXPECT_EQ(bound.error().message(), "unix-abstract:" + name_ + ": bind: Address already in use");
}

TEST_F(AbstractListenerTest, NameIsFreeOnceUnboundAndAllWereHandedOver) {
  ASSERT_TRUE(abstract_.bind());
  EXPECT_FALSE(*abstract_.check_name()) << "it cannot be lost";
  abstract_.unbind();
  ASSERT_TRUE(abstract_.try_accept());

  EXPECT_TRUE(UnixListener(endpoint_of("unix-abstract:" + name_)).bind());
}

}  // namespace
}  // namespace nearcall::inline v0::detail
