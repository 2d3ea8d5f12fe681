// SPDX-License-Identifier: Apache-2.0
// A path that goes from one listener to the next: who has it at each step, and if one dies there.
#include "support/child_process.hpp"
#include "support/io.hpp"
#include "support/log_capture.hpp"
#include "support/temp_dir.hpp"
#include "transport/listening.hpp"
#include "transport/make_transport.hpp"
#include "transport/peer_credentials.hpp"
#include "transport/unix_listener.hpp"

#include <gmock/gmock.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace nearcall::inline v0::detail {
namespace {

using testing::HasSubstr;

class TakeoverTest : public test::LogCheckedTest {
 protected:
  std::unique_ptr<UnixListener> make(ListenOptions options = ListenOptions()) const {
    return std::make_unique<UnixListener>(*Endpoint::parse("unix:" + path_),
                                          std::move(options).take_over(true));
  }
  /// What a server's loop does when something is ready.
  static std::unique_ptr<Transport> turn(UnixListener& listener) {
    auto accepted = listener.try_accept();
    EXPECT_TRUE(accepted) << accepted.status().to_string();
    return accepted ? *std::move(accepted) : nullptr;
  }
  static bool is_ready(UnixListener& listener) {
    const WaitAdvice advice = listener.prepare_wait();
    pollfd watched{advice.fd(), advice.events(), 0};
    return ::poll(&watched, 1, 0) == 1;
  }
  /// bind() of the next one, while the one that listens has turns.
  std::unique_ptr<UnixListener> next_of(UnixListener& listening,
                                        ListenOptions options = ListenOptions()) const {
    std::unique_ptr<UnixListener> next = make(std::move(options));
    std::atomic<bool> is_bound = false;
    std::jthread turns([&] {
      while (!is_bound)
        EXPECT_EQ(turn(listening), nullptr);
    });
    const Result<void> bound = next->bind();
    is_bound = true;
    EXPECT_TRUE(bound) << bound.status().to_string();
    return next;
  }
  /// All that is left to do once the next one accepts.
  static void finish(UnixListener& listening, UnixListener& next) {
    EXPECT_TRUE(*next.check_name());
    turn(listening);  // is asked
    turn(next);       // is told
    turn(listening);  // learns that it was
  }
  bool is_there(const std::string& ending) const { return std::filesystem::exists(path_ + ending); }
  bool has_takeover_name() const { return std::filesystem::exists(directory_.file(".x.takeover")); }

  const test::TempDir directory_;
  const std::string path_ = directory_.file("x");
};

TEST_F(TakeoverTest, GivesTheSocketToTheNext) {
  const auto first = make();
  ASSERT_TRUE(first->bind());
  const auto before = test::status_of(path_);
  const auto second = next_of(*first);

  finish(*first, *second);

  EXPECT_TRUE(first->is_over());
  EXPECT_FALSE(second->is_over());
  first->unbind();
  EXPECT_EQ(file_id(*test::status_of(path_)), file_id(*before)) << "the name never went";
  EXPECT_TRUE(is_there(".lock") && has_takeover_name());
  const UniqueFd client = test::connected_to(path_);
  EXPECT_NE(turn(*second), nullptr);
  EXPECT_TRUE(*second->check_name());
  const UniqueFd late = test::connected_to(path_);
  second->unbind();
  EXPECT_FALSE(is_there("") || is_there(".lock") || has_takeover_name());
  EXPECT_NE(turn(*second), nullptr) << "as of any server that stops";
}

TEST_F(TakeoverTest, SaysOnceThatItAccepts) {
  const auto first = make();
  ASSERT_TRUE(first->bind());
  const auto second = next_of(*first);
  ASSERT_TRUE(*second->check_name());

  finish(*first, *second);

  EXPECT_TRUE(first->is_over());
}

TEST_F(TakeoverTest, WhoWaitsMeanwhileIsAccepted) {
  const auto first = make();
  ASSERT_TRUE(first->bind());
  const auto second = next_of(*first);
  const UniqueFd client = test::connected_to(path_);
  EXPECT_TRUE(is_ready(*first) && is_ready(*second)) << "either may accept";

  ASSERT_TRUE(*second->check_name());
  first->unbind();

  EXPECT_NE(turn(*second), nullptr);
}

TEST_F(TakeoverTest, GoesOnAndOn) {
  std::unique_ptr<UnixListener> listening = make();
  ASSERT_TRUE(listening->bind());
  for (int i = 0; i < 20; ++i) {
    std::unique_ptr<UnixListener> next = next_of(*listening);
    finish(*listening, *next);
    ASSERT_TRUE(listening->is_over()) << i;
    listening = std::move(next);
  }

  EXPECT_TRUE(test::connected_to(path_));
}

TEST_F(TakeoverTest, NextThatEndsBeforeItAcceptsLeavesAllAsItWas) {
  const auto first = make();
  ASSERT_TRUE(first->bind());

  next_of(*first).reset();
  turn(*first);

  EXPECT_FALSE(first->is_over());
  EXPECT_TRUE(*first->check_name());
  const UniqueFd client = test::connected_to(path_);
  EXPECT_NE(turn(*first), nullptr);
  EXPECT_NE(next_of(*first), nullptr) << "and another one may ask";
}

TEST_F(TakeoverTest, NextThatEndsBeforeItIsToldLeavesAllAsItWas) {
  const auto first = make();
  ASSERT_TRUE(first->bind());
  auto second = next_of(*first);
  ASSERT_TRUE(*second->check_name());

  second.reset();
  turn(*first);
  turn(*first);

  EXPECT_FALSE(first->is_over());
  EXPECT_TRUE(*first->check_name());
  EXPECT_TRUE(test::connected_to(path_));
  first->unbind();
  EXPECT_FALSE(is_there("") || is_there(".lock") || has_takeover_name());
}

/// SIGKILL between what it was told and its reading that: nobody else can say that it was read.
TEST_F(TakeoverTest, NextThatIsKilledBeforeItReadsThatItOwnsItOwnsNothing) {
  const auto first = make();
  ASSERT_TRUE(first->bind());
  test::ProcessSignal said;
  test::ChildProcess next([&] {
    const auto second = make();
    if (!second->bind() || !second->check_name()) return 1;
    said.raise();
    return ::pause();
  });
  while (!is_ready(*first))
    std::this_thread::yield();
  turn(*first);  // offers
  ASSERT_TRUE(said.wait_for(10));
  turn(*first);  // tells

  next.kill();
  turn(*first);

  EXPECT_FALSE(first->is_over());
  EXPECT_TRUE(*first->check_name());
  first->unbind();
  EXPECT_FALSE(is_there("") || is_there(".lock") || has_takeover_name());
}

class DyingServer : public TakeoverTest {
 protected:
  /// A server in another process, which serves `turns` of its loop.
  std::unique_ptr<test::ChildProcess> server_of(int turns) {
    return std::make_unique<test::ChildProcess>([this, turns] {
      const auto first = make();
      if (!first->bind()) return 1;
      listens_.raise();
      for (int i = 0; i < turns; ++i) {
        while (!is_ready(*first))
          std::this_thread::yield();
        turn(*first);
      }
      turned_.raise();
      return ::pause();
    });
  }

  test::ProcessSignal listens_;
  test::ProcessSignal turned_;
};

TEST_F(DyingServer, WhoHasAskedOwnsWhatItWasOffered) {
  const auto server = server_of(/*turns=*/1);
  ASSERT_TRUE(listens_.wait_for(10));
  const auto second = make();
  ASSERT_TRUE(second->bind());
  ASSERT_TRUE(turned_.wait_for(10));

  server->kill();
  ASSERT_TRUE(*second->check_name());
  turn(*second);

  EXPECT_TRUE(*second->check_name());
  const UniqueFd client = test::connected_to(path_);
  EXPECT_NE(turn(*second), nullptr);
  second->unbind();
  EXPECT_FALSE(is_there("") || is_there(".lock") || has_takeover_name());
}

TEST_F(TakeoverTest, OfAServerThatStopsMeanwhileIsTheNextOnes) {
  const auto first = make();
  ASSERT_TRUE(first->bind());
  const auto second = next_of(*first);

  first->unbind();

  EXPECT_TRUE(test::connected_to(path_)) << "at no moment does nobody listen";
  EXPECT_TRUE(*second->check_name());
  turn(*second);
  second->unbind();
  EXPECT_FALSE(is_there("") || is_there(".lock") || has_takeover_name());
}

TEST_F(TakeoverTest, IsRefusedByAServerThatDoesNotOfferIt) {
  UnixListener first(*Endpoint::parse("unix:" + path_));
  ASSERT_TRUE(first.bind());

  const Status status = make()->bind().status();

  EXPECT_EQ(status.reason(), StatusReason::address_in_use);
  EXPECT_TRUE(test::connected_to(path_));
}

TEST_F(TakeoverTest, PermissionsAreThoseOfWhoOwnsIt) {
  const auto first = make();
  ASSERT_TRUE(first->bind());
  const ListenOptions for_all = ListenOptions(PeerPolicy::by_file_mode()).mode(0666);
  auto second = next_of(*first, for_all);
  ASSERT_TRUE(*second->check_name());
  EXPECT_EQ(test::status_of(path_)->st_mode & 0777U, 0600U) << "the first one may go on";
  second.reset();
  turn(*first);
  turn(*first);
  EXPECT_EQ(test::status_of(path_)->st_mode & 0777U, 0600U) << "and does";

  const auto third = next_of(*first, for_all);
  finish(*first, *third);

  EXPECT_EQ(test::status_of(path_)->st_mode & 0777U, 0666U);
}

TEST_F(TakeoverTest, PermissionsThatCannotBeSetLetNobodyElseIn) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become a user without groups";
  ASSERT_EQ(::chmod(directory_.path().c_str(), 0777), 0);
  test::ChildProcess child([&] {
    if (::setgroups(0, nullptr) != 0 || ::setgid(12345) != 0 || ::setuid(12345) != 0) return 1;
    const auto first = make(ListenOptions(PeerPolicy::by_file_mode()).mode(0666));
    if (!first->bind()) return 2;
    const auto second = next_of(*first, ListenOptions(PeerPolicy::group(0)).mode(0660).group(0));
    finish(*first, *second);
    if (!first->is_over() || second->is_over()) return 3;
    return (test::status_of(path_)->st_mode & 0777U) == 0600U ? 0 : 4;
  });

  EXPECT_EQ(child.wait(), 0);
}

TEST_F(TakeoverTest, IsForOneAfterTheOtherOfThoseWhoAsk) {
  const auto first = make();
  ASSERT_TRUE(first->bind());
  const auto second = next_of(*first);
  const auto third = make();
  std::atomic<bool> is_bound = false;
  std::jthread asking([&] {
    EXPECT_TRUE(third->bind());
    is_bound = true;
  });

  finish(*first, *second);
  while (!is_bound)
    turn(*second);
  asking.join();
  finish(*second, *third);

  EXPECT_TRUE(first->is_over() && second->is_over());
  const UniqueFd client = test::connected_to(path_);
  EXPECT_NE(turn(*third), nullptr);
}

TEST_F(TakeoverTest, NamesThatAnotherServerHasTakenAreLeftToIt) {
  auto first = make();
  ASSERT_TRUE(first->bind());
  for (const std::string& name : {path_, path_ + ".lock", directory_.file(".x.takeover")})
    std::filesystem::remove(name);
  const auto other = make();
  ASSERT_TRUE(other->bind());

  EXPECT_EQ(first->check_name().status().code(), StatusCode::aborted);
  first.reset();

  EXPECT_TRUE(is_there("") && is_there(".lock") && has_takeover_name());
}

/// As of a program that calls daemon() between make_listener() and listen().
TEST_F(TakeoverTest, IsOfferedByTheProcessThatListensAndNotByTheOneThatMadeTheListener) {
  const auto first = make();
  test::ProcessSignal listens;
  test::ChildProcess child([&] {
    if (!first->bind()) return 1;
    listens.raise();
    while (!first->is_over()) {
      turn(*first);
      std::this_thread::yield();
    }
    return 0;
  });
  ASSERT_TRUE(listens.wait_for(10));
  const auto second = make();
  ASSERT_TRUE(second->bind());
  ASSERT_TRUE(*second->check_name());
  while (!is_ready(*second))
    std::this_thread::yield();

  turn(*second);

  EXPECT_EQ(child.wait(), 0);
}

TEST_F(TakeoverTest, IsAskedForAgainOfAServerThatHasNoTimeForIt) {
  UnixListener stopping(*Endpoint::parse("unix:" + path_));
  ASSERT_TRUE(stopping.bind());
  const UniqueFd listening = test::listening_at(directory_.file(".x.takeover"));
  std::jthread other([&] {
    pollfd watched{listening.get(), POLLIN, 0};
    EXPECT_EQ(::poll(&watched, 1, 10'000), 1);
    UniqueFd(::accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC));
    stopping.unbind();
  });

  const Result<void> bound = make()->bind();

  EXPECT_TRUE(bound) << bound.status().to_string();
}

TEST_F(TakeoverTest, WithoutADescriptorForWhoAsksIsAPause) {
  const auto first = make();
  ASSERT_TRUE(first->bind());
  const UniqueFd asking = test::connected_to(directory_.file(".x.takeover"));
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  const rlimit few{100, limit.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  std::vector<UniqueFd> hoard;
  do {
    hoard.emplace_back(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0));
  } while (hoard.back());

  const Status status = first->try_accept().status();

  hoard.clear();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_EQ(status.code(), StatusCode::resource_exhausted);
  EXPECT_THAT(status.message(), HasSubstr("of who takes over"));
}

TEST_F(TakeoverTest, KernelNamesTheNextOneToClients) {
  const auto first = make();
  ASSERT_TRUE(first->bind());
  test::ProcessSignal owns;
  test::ChildProcess next([&] {
    const auto second = make();
    if (!second->bind() || !second->check_name()) return 1;
    while (!is_ready(*second))
      std::this_thread::yield();
    turn(*second);
    owns.raise();
    return ::pause();
  });
  while (!first->is_over()) {
    turn(*first);
    std::this_thread::yield();
  }
  ASSERT_TRUE(owns.wait_for(10));

  const UniqueFd client = test::connected_to(path_);

  EXPECT_EQ(peer_identity(client.get(), "").pid(), next.pid());
}

TEST_F(TakeoverTest, NameThatACleanerRemovedIsThereAgain) {
  const auto first = make();
  ASSERT_TRUE(first->bind());
  std::filesystem::remove(directory_.file(".x.takeover"));

  EXPECT_TRUE(*first->check_name());

  EXPECT_TRUE(has_takeover_name());
  EXPECT_NE(next_of(*first), nullptr);
}

TEST_F(TakeoverTest, NameThatLeadsElsewhereIsOursAgain) {
  const auto first = make();
  ASSERT_TRUE(first->bind());
  const std::string name = directory_.file(".x.takeover");
  std::filesystem::remove(name);
  const UniqueFd foreign = test::listening_at(name);
  const FileId before = file_id(*test::status_of(name));

  EXPECT_TRUE(*first->check_name());

  EXPECT_NE(file_id(*test::status_of(name)), before);
  EXPECT_NE(next_of(*first), nullptr);
}

TEST_F(TakeoverTest, NameThatIsRemovedMeanwhileKeepsNobodyFromTakingOver) {
  const auto first = make();
  ASSERT_TRUE(first->bind());
  const auto second = next_of(*first);
  std::filesystem::remove(directory_.file(".x.takeover"));
  EXPECT_TRUE(*first->check_name());

  finish(*first, *second);

  EXPECT_TRUE(first->is_over());
  EXPECT_TRUE(has_takeover_name()) << "the second one's";
}

TEST_F(TakeoverTest, AllNamesThatSomebodyRemovedAreThereAgainAtOnce) {
  const auto first = make();
  ASSERT_TRUE(first->bind());
  for (const std::string& name : {path_, path_ + ".lock", directory_.file(".x.takeover")})
    std::filesystem::remove(name);

  EXPECT_TRUE(*first->check_name());

  EXPECT_TRUE(log_capture().take("somebody removed the socket"));
  EXPECT_TRUE(is_there("") && is_there(".lock") && has_takeover_name());
}

TEST_F(TakeoverTest, NameThatIsLostOnceItIsTheNextOnesIsLeftToThat) {
  const auto first = make();
  ASSERT_TRUE(first->bind());
  const auto second = next_of(*first);
  ASSERT_TRUE(*second->check_name());
  turn(*first);  // tells
  std::filesystem::remove(path_);

  EXPECT_TRUE(*first->check_name());
  EXPECT_FALSE(is_there(""));
  turn(*second);
  EXPECT_TRUE(*second->check_name());

  EXPECT_TRUE(log_capture().take("somebody removed the socket"));
  EXPECT_TRUE(is_there(""));
  turn(*first);
  EXPECT_TRUE(first->is_over());
}

TEST_F(TakeoverTest, SocketThatWasMadeAnewIsTheOneThatIsOffered) {
  const auto first = make();
  ASSERT_TRUE(first->bind());
  std::filesystem::remove(path_);
  ASSERT_TRUE(*first->check_name());
  EXPECT_TRUE(log_capture().take("somebody removed the socket"));

  const auto second = next_of(*first);
  finish(*first, *second);

  const UniqueFd client = test::connected_to(path_);
  EXPECT_NE(turn(*second), nullptr);
}

TEST_F(TakeoverTest, OfferOfASocketThatWasLostIsWithdrawn) {
  const auto first = make();
  ASSERT_TRUE(first->bind());
  const auto second = next_of(*first);
  std::filesystem::remove(path_);
  ASSERT_TRUE(*first->check_name());
  EXPECT_TRUE(log_capture().take("somebody removed the socket"));

  ASSERT_TRUE(*second->check_name());
  turn(*second);

  EXPECT_TRUE(second->is_over());
  EXPECT_TRUE(log_capture().take("the server there keeps its socket"));
  EXPECT_TRUE(test::connected_to(path_));
}

TEST_F(TakeoverTest, OfferThatNobodyTakesForAMinuteIsWithdrawn) {
  const auto first = make();
  ASSERT_TRUE(first->bind());
  const auto second = next_of(*first);

  for (int i = 0; i < 13; ++i)  // every five seconds
    EXPECT_TRUE(*first->check_name());

  ASSERT_TRUE(*second->check_name());
  turn(*second);
  EXPECT_TRUE(second->is_over());
  EXPECT_TRUE(log_capture().take("the server there keeps its socket"));
  EXPECT_NE(next_of(*first), nullptr);
}

TEST_F(TakeoverTest, WorksAtALongPath) {
  const std::string folder = directory_.file(std::string(200, 'd'));
  std::filesystem::create_directories(folder);
  const Endpoint endpoint = *Endpoint::parse("unix:" + folder + "/" + std::string(200, 's'));
  UnixListener first(endpoint, ListenOptions().take_over(true));
  UnixListener second(endpoint, ListenOptions().take_over(true));
  ASSERT_TRUE(first.bind());
  std::jthread turns([&] {
    while (!is_ready(first))
      std::this_thread::yield();
    turn(first);
  });

  EXPECT_TRUE(second.bind());
}

TEST_F(TakeoverTest, ForkedChildOfEitherSideTouchesNothing) {
  const auto first = make();
  ASSERT_TRUE(first->bind());
  auto second = next_of(*first, ListenOptions(PeerPolicy::by_file_mode()).mode(0666));
  ASSERT_TRUE(*second->check_name());
  const FileId before = file_id(*test::status_of(directory_.file(".x.takeover")));
  test::ChildProcess child([&] {
    for (UnixListener* const each : {first.get(), second.get()})
      static_cast<void>(each->try_accept());  // it has no descriptor any more
    first->unbind();
    second->unbind();
    return 0;
  });
  ASSERT_EQ(child.wait(), 0);
  EXPECT_TRUE(is_there("") && is_there(".lock"));
  EXPECT_EQ(file_id(*test::status_of(directory_.file(".x.takeover"))), before);
  EXPECT_EQ(test::status_of(path_)->st_mode & 0777U, 0600U);

  turn(*first);
  turn(*second);
  turn(*first);

  EXPECT_TRUE(first->is_over());
}

TEST_F(TakeoverTest, IsForPathsAlone) {
  for (const char* const target : {"unix-abstract:x", "ipv4:127.0.0.1:0", "inproc:x", "systemd:"}) {
    const Status status = make_listener(target, ListenOptions().take_over(true)).status();

    EXPECT_EQ(status.reason(), StatusReason::misuse) << target;
    EXPECT_THAT(status.message(), HasSubstr("take_over")) << target;
  }
}

}  // namespace
}  // namespace nearcall::inline v0::detail
