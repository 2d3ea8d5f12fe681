// SPDX-License-Identifier: Apache-2.0
// Sockets in the store of a service manager: what it is told to keep, and who begins with it.
#include "transport/stored_socket.hpp"

#include "support/child_process.hpp"
#include "support/log_capture.hpp"
#include "support/notify_socket.hpp"
#include "support/temp_dir.hpp"
#include "transport/listening.hpp"
#include "transport/lock_file.hpp"
#include "transport/make_transport.hpp"
#include "transport/unix_listener.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace nearcall::inline v0::detail {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;
using testing::StartsWith;

/// Servers of one process, which one begins with what another one has left.
class StoredSocketTest : public test::LogCheckedTest {
 protected:
  std::unique_ptr<UnixListener> make(ListenOptions options = ListenOptions()) const {
    return std::make_unique<UnixListener>(*Endpoint::parse("unix:" + path_),
                                          std::move(options).keep_in_store(true));
  }
  static bool hands_one_over(UnixListener& listener) {
    const auto accepted = listener.try_accept();
    return accepted && *accepted;
  }
  bool is_there(const std::string& ending = "") const {
    return std::filesystem::exists(path_ + ending);
  }
  /// The name of what the manager is told to keep, and does.
  std::string kept_name() {
    const std::string heard = manager_.hear(&store_.emplace_back());
    const std::string stored = "FDSTORE=1\nFDNAME=";
    EXPECT_THAT(heard, StartsWith(stored));
    return heard.substr(std::min(stored.size(), heard.size()));
  }
  void expect_to_drop(const std::string& name) const {
    EXPECT_EQ(manager_.hear(), "FDSTOREREMOVE=1\nFDNAME=" + name);
  }

  const test::TempDir directory_;
  const std::string path_ = directory_.file("x");
  const test::NotifySocket manager_{directory_.file("notify")};
  std::vector<UniqueFd> store_;
};

TEST_F(StoredSocketTest, IsWhatTheManagerIsToldToKeep) {
  const auto listener = make();
  ASSERT_TRUE(listener->bind());

  UniqueFd kept;
  EXPECT_THAT(manager_.hear(&kept),
              MatchesRegex("FDSTORE=1\nFDNAME=nearcall-[0-9a-f]{16}-[0-9]+[.][0-9]+"));

  const UniqueFd client = test::connected_to(path_);
  EXPECT_TRUE(UniqueFd(::accept4(kept.get(), nullptr, nullptr, SOCK_CLOEXEC)));
}

TEST_F(StoredSocketTest, OfAServerThatStopsIsTheNextOnesWithThoseWhoWait) {
  const auto first = make();
  ASSERT_TRUE(first->bind());
  const FileId before = file_id(*test::status_of(path_));
  const UniqueFd early = test::connected_to(path_);
  first->unbind();
  EXPECT_FALSE(hands_one_over(*first)) << "they are left to the next one";
  const UniqueFd late = test::connected_to(path_);
  EXPECT_TRUE(late) << "at no moment does nobody listen";

  const auto second = make(ListenOptions(PeerPolicy::by_file_mode()).mode(0666));
  ASSERT_TRUE(second->bind());

  EXPECT_TRUE(hands_one_over(*second) && hands_one_over(*second));
  EXPECT_EQ(file_id(*test::status_of(path_)), before);
  EXPECT_EQ(test::mode_of(path_), 0666) << "as it is asked for now";
  EXPECT_TRUE(*second->check_name());
  kept_name();
  EXPECT_EQ(manager_.hear(), "nothing") << "it has it already";
}

TEST_F(StoredSocketTest, IsNoneWithoutAManager) {
  const test::ScopedVariable none("NOTIFY_SOCKET", nullptr);
  auto listener = make();
  ASSERT_TRUE(listener->bind());
  const UniqueFd client = test::connected_to(path_);

  listener->unbind();

  EXPECT_FALSE(is_there() || is_there(".lock"));
  EXPECT_TRUE(hands_one_over(*listener)) << "as of any server that stops";
}

TEST_F(StoredSocketTest, ThatTheManagerDoesNotTakeIsLoggedAndAsWithout) {
  const test::ScopedVariable gone("NOTIFY_SOCKET", directory_.file("none").c_str());
  auto listener = make();

  ASSERT_TRUE(listener->bind());

  EXPECT_TRUE(log_capture().take("the service manager does not keep it"));
  listener->unbind();
  EXPECT_FALSE(is_there());
}

TEST_F(StoredSocketTest, WhoseNameSomebodyRemovedIsDroppedForAnother) {
  ASSERT_TRUE(make()->bind());
  const std::string name = kept_name();
  std::filesystem::remove(path_);

  const auto second = make();
  ASSERT_TRUE(second->bind());

  expect_to_drop(name);
  EXPECT_NE(kept_name(), name);
  const UniqueFd client = test::connected_to(path_);
  EXPECT_TRUE(hands_one_over(*second));
}

TEST_F(StoredSocketTest, WhoseNameAnotherServerHasIsDroppedAndThatOneUntouched) {
  ASSERT_TRUE(make()->bind());
  const std::string name = kept_name();
  std::filesystem::remove(path_);
  const UniqueFd other = test::listening_at(path_);

  const Status status = make()->bind().status();

  EXPECT_EQ(status.reason(), StatusReason::address_in_use);
  expect_to_drop(name);
  EXPECT_TRUE(test::connected_to(path_));
}

TEST_F(StoredSocketTest, WaitsWhileAnotherServerHasTheLock) {
  ASSERT_TRUE(make()->bind());
  kept_name();
  const UniqueFd lock(::open((path_ + ".lock").c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_EQ(::flock(lock.get(), LOCK_EX | LOCK_NB), 0);
  EXPECT_EQ(make()->bind().status().reason(), StatusReason::address_in_use);
  ASSERT_EQ(::flock(lock.get(), LOCK_UN), 0);

  EXPECT_TRUE(make()->bind());

  EXPECT_EQ(manager_.hear(), "nothing");
}

TEST_F(StoredSocketTest, IsAnotherOnceTheNameWasMadeAnew) {
  const auto listener = make();
  ASSERT_TRUE(listener->bind());
  const std::string name = kept_name();
  std::filesystem::remove(path_);

  ASSERT_TRUE(*listener->check_name());

  EXPECT_TRUE(log_capture().take("somebody removed the socket"));
  expect_to_drop(name);
  EXPECT_NE(kept_name(), name);
}

TEST_F(StoredSocketTest, IsDroppedWhereASuccessorHasTheName) {
  const auto listener = make();
  ASSERT_TRUE(listener->bind());
  const std::string name = kept_name();
  std::filesystem::remove(path_);
  const UniqueFd other = test::listening_at(path_);

  EXPECT_EQ(listener->check_name().status().code(), StatusCode::aborted);

  expect_to_drop(name);
  listener->unbind();
  EXPECT_EQ(manager_.hear(), "nothing");
  EXPECT_TRUE(test::connected_to(path_)) << "it is that one's";
}

TEST_F(StoredSocketTest, IsFoundByAnotherWayToTheSameFile) {
  const std::string link = directory_.path() + "/link";
  std::filesystem::create_directory_symlink(".", link);
  ASSERT_TRUE(make()->bind());
  kept_name();
  UnixListener second(*Endpoint::parse("unix:" + link + "/x"), ListenOptions().keep_in_store(true));

  EXPECT_TRUE(second.bind());

  EXPECT_EQ(manager_.hear(), "nothing");
}

TEST_F(StoredSocketTest, IsNotLeftByAForkedChild) {
  const auto listener = make(ListenOptions().take_over(true));
  ASSERT_TRUE(listener->bind());
  test::ChildProcess child([&] {
    listener->unbind();
    return 0;
  });
  ASSERT_EQ(child.wait(), 0);

  EXPECT_TRUE(is_there() && is_there(".lock"));
  EXPECT_TRUE(std::filesystem::exists(directory_.file(".x.takeover")));
  EXPECT_TRUE(test::connected_to(path_));
}

TEST_F(StoredSocketTest, CanBeTakenOverAsWell) {
  const auto first = make(ListenOptions().take_over(true));
  ASSERT_TRUE(first->bind());
  first->unbind();
  EXPECT_FALSE(std::filesystem::exists(directory_.file(".x.takeover"))) << "nobody offers it now";

  const auto second = make(ListenOptions().take_over(true));
  ASSERT_TRUE(second->bind());

  EXPECT_TRUE(std::filesystem::exists(directory_.file(".x.takeover")));
}

TEST_F(StoredSocketTest, OfWhoIsOfferedItIsHisAtTheStop) {
  const auto listener = make(ListenOptions().take_over(true));
  ASSERT_TRUE(listener->bind());
  const std::string takeover_name = directory_.file(".x.takeover");
  const UniqueFd asker = test::connected_to(takeover_name);
  ASSERT_FALSE(hands_one_over(*listener));  // and offers

  listener->unbind();

  EXPECT_TRUE(is_there() && is_there(".lock") && std::filesystem::exists(takeover_name));
}

TEST_F(StoredSocketTest, IsForPathsAlone) {
  for (const char* const target : {"unix-abstract:x", "ipv4:127.0.0.1:0", "inproc:x", "systemd:"}) {
    const Status status = make_listener(target, ListenOptions().keep_in_store(true)).status();

    EXPECT_EQ(status.reason(), StatusReason::misuse) << target;
    EXPECT_THAT(status.message(), HasSubstr("keep_in_store")) << target;
  }
}

}  // namespace
}  // namespace nearcall::inline v0::detail
