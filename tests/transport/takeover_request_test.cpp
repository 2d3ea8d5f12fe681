// SPDX-License-Identifier: Apache-2.0
// TakeoverRequest: what is believed of a server that offers its socket.
#include "transport/takeover_request.hpp"

#include "support/child_process.hpp"
#include "support/temp_dir.hpp"
#include "transport/listening.hpp"
#include "transport/takeover_message.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace nearcall::inline v0::detail {
namespace {

using Answer = TakeoverRequest::Answer;
using testing::HasSubstr;
using namespace std::chrono_literals;

class TakeoverRequestTest : public testing::Test {
 protected:
  Result<std::unique_ptr<TakeoverRequest>> ask(Duration longest_wait = 10s) {
    return TakeoverRequest::ask(path_, "unix:x", longest_wait);
  }
  /// Asks a server that says `message`, with descriptors.
  Result<std::unique_ptr<TakeoverRequest>> ask_who_says(TakeoverMessage message,
                                                        std::vector<int> descriptors) {
    std::jthread server([&] {
      pollfd watched{listening_.get(), POLLIN, 0};
      ::poll(&watched, 1, 10'000);
      server_ = UniqueFd(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      send_takeover(server_.get(), message, descriptors);
    });
    return ask();
  }
  std::vector<int> parts() const { return {offered_.get(), lock_.get(), lock_.get()}; }

  const test::TempDir directory_;
  const std::string path_ = directory_.file("s");
  const UniqueFd listening_ = test::listening_at(path_);
  const UniqueFd offered_ = test::listening_at(directory_.file("offered"));
  const UniqueFd lock_{::open("/dev/null", O_RDWR | O_CLOEXEC)};
  UniqueFd server_;
};

TEST_F(TakeoverRequestTest, GetsTheSocketAndWhatBelongsToIt) {
  ASSERT_EQ(::fcntl(offered_.get(), F_SETFL, 0), 0);  // accept(2) would block a loop
  const auto request = ask_who_says(TakeoverMessage::offer, parts());
  ASSERT_TRUE(request) << request.status().to_string();

  const TakeoverParts parts = (*request)->take_parts();

  EXPECT_EQ(SocketAddress::local(parts.listening.get()).to_string(),
            "unix:" + directory_.file("offered"));
  EXPECT_NE(::fcntl(parts.listening.get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_TRUE(parts.lock && parts.file);
  EXPECT_EQ((*request)->look(), Answer::none);
}

TEST_F(TakeoverRequestTest, SaysThatItTakesThemAndIsToldThatTheyAreItsOwn) {
  const auto request = ask_who_says(TakeoverMessage::offer, parts());
  ASSERT_TRUE(request);

  (*request)->take();
  EXPECT_EQ(receive_takeover(server_.get()).message, TakeoverMessage::take);
  EXPECT_EQ((*request)->look(), Answer::none);
  send_takeover(server_.get(), TakeoverMessage::yours);

  EXPECT_EQ((*request)->look(), Answer::ours);
}

TEST_F(TakeoverRequestTest, OfAServerThatDiesMeanwhileOwnsThem) {
  const auto request = ask_who_says(TakeoverMessage::offer, parts());
  ASSERT_TRUE(request);
  (*request)->take();

  server_.reset();

  EXPECT_EQ((*request)->look(), Answer::ours);
}

TEST_F(TakeoverRequestTest, LearnsThatTheServerKeepsThem) {
  const auto request = ask_who_says(TakeoverMessage::offer, parts());
  ASSERT_TRUE(request);
  (*request)->take();

  send_takeover(server_.get(), TakeoverMessage::withdrawn);
  server_.reset();

  EXPECT_EQ((*request)->look(), Answer::withdrawn);
}

TEST_F(TakeoverRequestTest, WhereNobodyOffersAnythingSaysSo) {
  EXPECT_EQ(TakeoverRequest::ask(directory_.file("none"), "unix:x", 10s).status().reason(),
            StatusReason::no_server);
  test::leave_stale_socket_at(directory_.file("stale"));
  EXPECT_EQ(TakeoverRequest::ask(directory_.file("stale"), "unix:x", 10s).status().reason(),
            StatusReason::no_server);
}

TEST_F(TakeoverRequestTest, OfAServerThatNeverAnswersEnds) {
  const Status status = ask(/*longest_wait=*/1ms).status();

  EXPECT_EQ(status.reason(), StatusReason::address_in_use);
  EXPECT_THAT(status.message(), HasSubstr("does not answer who wants to take over"));
}

TEST_F(TakeoverRequestTest, WaitsOnThroughSignals) {
  struct sigaction action {};
  struct sigaction before {};
  action.sa_handler = [](int) {};
  ASSERT_EQ(::sigaction(SIGALRM, &action, &before), 0);
  const itimerval each_millisecond{{0, 1000}, {0, 1000}};
  ASSERT_EQ(::setitimer(ITIMER_REAL, &each_millisecond, nullptr), 0);
  const TimePoint begin = SteadyClock::now();

  const Status status = ask(/*longest_wait=*/50ms).status();

  EXPECT_GE(SteadyClock::now() - begin, 50ms);
  EXPECT_EQ(status.reason(), StatusReason::address_in_use);
  const itimerval never{};
  ASSERT_EQ(::setitimer(ITIMER_REAL, &never, nullptr), 0);
  ASSERT_EQ(::sigaction(SIGALRM, &before, nullptr), 0);
}

TEST_F(TakeoverRequestTest, OfAServerThatStopsBeforeItAnswersSaysSo) {
  std::jthread server([&] {
    pollfd watched{listening_.get(), POLLIN, 0};
    ::poll(&watched, 1, 10'000);
    UniqueFd(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  });

  EXPECT_EQ(ask().status().reason(), StatusReason::server_stopping);
}

TEST_F(TakeoverRequestTest, OfAServerThatManyAskSaysThatOthersAreFaster) {
  const auto others = test::fill_backlog(SocketAddress::unix_path(path_));

  EXPECT_EQ(ask().status().reason(), StatusReason::server_stopping);
}

constexpr const char* something_else = "offers something else than this version takes over";

TEST_F(TakeoverRequestTest, OffersOfAnotherVersionOrOfAnotherNumberOfDescriptorsAreRefused) {
  std::vector<int> too_few = parts();
  too_few.pop_back();
  std::vector<int> too_many = parts();
  too_many.push_back(lock_.get());
  for (const auto& [message, descriptors] :
       {std::pair(TakeoverMessage{'2'}, parts()),
        std::pair(TakeoverMessage::offer, std::vector<int>()),
        std::pair(TakeoverMessage::offer, too_few), std::pair(TakeoverMessage::offer, too_many)}) {
    const Status status = ask_who_says(message, descriptors).status();

    EXPECT_EQ(status.code(), StatusCode::failed_precondition) << descriptors.size();
    EXPECT_THAT(status.message(), HasSubstr(something_else)) << descriptors.size();
  }
}

TEST_F(TakeoverRequestTest, OnlyAUnixStreamSocketThatListensIsTakenOver) {
  const UniqueFd tcp(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::listen(tcp.get(), 1), 0);  // at any free port
  const UniqueFd packets = test::bound_at(directory_.file("packets"), SOCK_SEQPACKET);
  ASSERT_EQ(::listen(packets.get(), 1), 0);
  const UniqueFd bound = test::bound_at(directory_.file("bound"));
  for (const UniqueFd* const other : {&lock_, &tcp, &packets, &bound}) {
    const Status status =
        ask_who_says(TakeoverMessage::offer, {other->get(), lock_.get(), lock_.get()}).status();

    EXPECT_EQ(status.code(), StatusCode::failed_precondition);
    EXPECT_THAT(status.message(), HasSubstr(something_else));
  }
}

TEST_F(TakeoverRequestTest, WithoutRoomForWhatIsOfferedSaysSo) {
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  std::jthread server([&] {
    pollfd watched{listening_.get(), POLLIN, 0};
    ::poll(&watched, 1, 10'000);
    server_ = UniqueFd(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    const rlimit none{3, limit.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
    send_takeover(server_.get(), TakeoverMessage::offer, parts());
  });

  const Status status = ask().status();

  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_EQ(status.code(), StatusCode::resource_exhausted);
  EXPECT_THAT(status.message(), HasSubstr("no descriptors are left"));
}

TEST_F(TakeoverRequestTest, NothingIsTakenFromAnotherUser) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become another user";
  ASSERT_EQ(::chmod(directory_.path().c_str(), 0777), 0);
  const std::string theirs = directory_.file("theirs");
  test::ProcessSignal listens;
  test::ChildProcess stranger([&] {
    if (::setgid(12345) != 0 || ::setuid(12345) != 0) return 1;
    const UniqueFd socket = test::listening_at(theirs);
    listens.raise();
    return ::pause();
  });
  ASSERT_TRUE(listens.wait_for(10));

  const Status status = TakeoverRequest::ask(theirs, "unix:x", 10s).status();

  EXPECT_EQ(status.code(), StatusCode::permission_denied);
  EXPECT_THAT(status.message(), HasSubstr("uid=12345"));
}

/// In a user namespace without a map everybody looks like this process's own user.
TEST_F(TakeoverRequestTest, NothingIsTakenFromWhoMayBeAnybody) {
  test::ChildProcess asker([&] {
    if (::unshare(CLONE_NEWUSER) != 0) return 77;
    return ask().status().code() == StatusCode::permission_denied ? 0 : 1;
  });

  const int verdict = asker.wait();

  if (verdict == 77) GTEST_SKIP() << "no user namespaces here";
  EXPECT_EQ(verdict, 0);
}

}  // namespace
}  // namespace nearcall::inline v0::detail
