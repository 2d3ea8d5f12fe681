// SPDX-License-Identifier: Apache-2.0
// Server::run() and the signals that end it.
#include "server/server_fixture.hpp"
#include "support/child_process.hpp"
#include "support/session_peer.hpp"

#include <nearcall/server.hpp>

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <string>
#include <thread>

namespace nearcall::test {

namespace http2 = detail::http2;
namespace {

/// Tells when a name appears in a folder.
class NameWatch {
 public:
  explicit NameWatch(const std::string& folder) : notify_(::inotify_init1(IN_CLOEXEC)) {
    EXPECT_GE(::inotify_add_watch(notify_.get(), folder.c_str(), IN_CREATE | IN_MOVED_TO), 0);
  }
  bool wait_for(const std::string& name) {
    alignas(inotify_event) std::array<char, 4096> buffer{};
    for (;;) {
      const ssize_t count = ::read(notify_.get(), buffer.data(), buffer.size());
      if (count <= 0) return false;
      std::size_t at = 0;
      while (at < static_cast<std::size_t>(count)) {
        const auto& event = *reinterpret_cast<const inotify_event*>(buffer.data() + at);
        if (event.len > 0 && name == event.name) return true;
        at += sizeof(inotify_event) + event.len;
      }
    }
  }

 private:
  detail::UniqueFd notify_;
};

class ServerSignalTest : public ServerTest, public testing::WithParamInterface<int> {};

TEST_P(ServerSignalTest, EndsRunInGoodOrder) {
  ProcessSignal listening;
  ChildProcess child([&] {
    ::signal(SIGINT, SIG_DFL);
    ::signal(SIGTERM, SIG_DFL);
    WrapperService service;
    Server server;
    server.add_service(service);
    server.listen(target());
    listening.raise();
    return server.run();
  });
  listening.leave_raising_to_others();
  ASSERT_TRUE(listening.wait());
  ASSERT_TRUE(echo_over(target())) << "it runs";

  ASSERT_EQ(::kill(child.pid(), GetParam()), 0);

  EXPECT_EQ(child.wait(), 0);
  EXPECT_FALSE(exists(folder_.file("s")));
}

TEST_P(ServerSignalTest, ASecondOneCancelsTheCallsThatAreLeft) {
  ProcessSignal listening;
  ChildProcess child([&] {
    ::signal(SIGINT, SIG_DFL);
    ::signal(SIGTERM, SIG_DFL);
    WrapperService service;
    Server server(ServerOptions().drain_timeout(std::chrono::hours(1)));
    server.add_service(service);
    server.listen(target());
    listening.raise();
    return server.run();
  });
  listening.leave_raising_to_others();
  ASSERT_TRUE(listening.wait());
  SessionPeer client(folder_.file("s"));
  http2::Stream& call = client.open(SessionPeer::request_to("/test.Wrapper/Chat"));
  client.send(call, framed(text_of("begun")), /*end_stream=*/false);

  ASSERT_EQ(::kill(child.pid(), GetParam()), 0);
  ASSERT_EQ(client.read_goaway(), http2::ErrorCode::no_error) << "the first drains";
  ASSERT_EQ(::kill(child.pid(), GetParam()), 0);

  EXPECT_EQ(child.wait(), 0);
}

TEST_P(ServerSignalTest, AThirdOneEndsTheProgramThoughItsLoopStandsStill) {
  ChildProcess child([&] {
    ::signal(SIGINT, SIG_DFL);
    ::signal(SIGTERM, SIG_DFL);
    WrapperService service;
    service.on_echo = [](ServerContext&, const Text& request) -> Result<Text> {
      for (int i = 0; i < 3; ++i)
        ::raise(GetParam());
      return request;
    };
    Server server;
    server.add_service(service);
    server.listen(target());
    std::thread([&] { static_cast<void>(echo_over(target())); }).detach();
    return server.run();
  });

  EXPECT_EQ(child.wait(), 128 + GetParam());
}

/// The earliest that anybody can know of a server is when its name appears: wherever it is then on
/// its way to run(), the signal is kept, the server drains and the name goes.
TEST_P(ServerSignalTest, EndsRunInGoodOrderFromTheMomentThatTheNameIsSeen) {
  constexpr int rounds = 20;
  for (int round = 0; round < rounds; ++round) {
    const std::string name = "s" + std::to_string(round);
    NameWatch watch(folder_.path());
    ChildProcess child([&] {
      ::signal(SIGINT, SIG_DFL);
      ::signal(SIGTERM, SIG_DFL);
      Server server;
      server.listen(target(name));
      return server.run();
    });
    ASSERT_TRUE(watch.wait_for(name));

    ASSERT_EQ(::kill(child.pid(), GetParam()), 0);

    EXPECT_EQ(child.wait(), 0) << round;
    EXPECT_FALSE(exists(folder_.file(name))) << round;
  }
}

TEST_P(ServerSignalTest, BetweenListenAndRunIsKeptForRun) {
  ChildProcess child([&] {
    ::signal(SIGINT, SIG_DFL);
    ::signal(SIGTERM, SIG_DFL);
    Server server;
    server.listen(target());
    ::raise(GetParam());
    return exists(folder_.file("s")) ? server.run() : 99;
  });

  EXPECT_EQ(child.wait(), 0);
  EXPECT_FALSE(exists(folder_.file("s")));
}

TEST_P(ServerSignalTest, IsTheProgramsOwnBusinessOnceItStartsWithoutRun) {
  for (const bool comes_before_start : {false, true}) {
    const std::string name = comes_before_start ? "a" : "b";
    ChildProcess child([&] {
      ::signal(SIGINT, SIG_DFL);
      ::signal(SIGTERM, SIG_DFL);
      Server server;
      server.listen(target(name));
      if (comes_before_start) ::raise(GetParam());
      if (!server.start()) return 1;
      ::raise(GetParam());
      return 0;
    });

    EXPECT_EQ(child.wait(), 128 + GetParam());
  }
}

TEST_P(ServerSignalTest, IsKeptFromListenOnAndComesBackWhenTheServerGoesUnused) {
  ProcessSignal kept;
  ChildProcess child([&] {
    ::signal(SIGINT, SIG_DFL);
    ::signal(SIGTERM, SIG_DFL);
    {
      Server server;
      server.listen(target());
      ::raise(GetParam());
      kept.raise();
    }
    return 0;
  });
  kept.leave_raising_to_others();

  EXPECT_TRUE(kept.wait());
  EXPECT_EQ(child.wait(), 128 + GetParam());
  EXPECT_FALSE(exists(folder_.file("s")));
}

TEST_P(ServerSignalTest, ASecondOneEndsAProgramThatListensAndDoesNotRun) {
  ProcessSignal kept;
  ChildProcess child([&] {
    ::signal(SIGINT, SIG_DFL);
    ::signal(SIGTERM, SIG_DFL);
    Server server;
    server.listen(target());
    ::raise(GetParam());
    kept.raise();
    ::raise(GetParam());
    return 0;
  });
  kept.leave_raising_to_others();

  EXPECT_TRUE(kept.wait());
  EXPECT_EQ(child.wait(), 128 + GetParam());
}

TEST_P(ServerSignalTest, IsNotTakenByAServerOnALoopOfTheCallers) {
  ChildProcess child([&] {
    ::signal(SIGINT, SIG_DFL);
    ::signal(SIGTERM, SIG_DFL);
    EventLoop loop;
    Server server(loop);
    server.listen(target());
    ::raise(GetParam());
    return 0;
  });

  EXPECT_EQ(child.wait(), 128 + GetParam());
}

TEST_P(ServerSignalTest, EndsTheProgramAfterAListenThatFailed) {
  ChildProcess child([&] {
    ::signal(SIGINT, SIG_DFL);
    ::signal(SIGTERM, SIG_DFL);
    Server server;
    server.listen("unix:" + folder_.file("no such folder/s"));
    ::raise(GetParam());
    return 0;
  });

  EXPECT_EQ(child.wait(), 128 + GetParam());
}

INSTANTIATE_TEST_SUITE_P(Signals,
                         ServerSignalTest,
                         testing::Values(SIGINT, SIGTERM),
                         [](const auto& of) {
                           return std::string(of.param == SIGINT ? "Interrupt" : "Terminate");
                         });

}  // namespace
}  // namespace nearcall::test
