// SPDX-License-Identifier: Apache-2.0
// Server: where it listens and where it refuses to, how it runs and how it stops.
#include "server/server_fixture.hpp"
#include "support/child_process.hpp"
#include "support/io.hpp"
#include "support/session_peer.hpp"

#include <nearcall/event_loop.hpp>
#include <nearcall/server.hpp>
#include <nearcall/spawn.hpp>
#include <nearcall/task.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <future>
#include <thread>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

// ---- listen ---------------------------------------------------------------------------------

TEST_F(ServerTest, AnAbstractAddressIsRefusedUntilSomebodySaysAnyone) {
  const std::string abstract = "unix-abstract:nearcall-test-" + std::to_string(::getpid());
  Server server;

  const Result<void> refused = server.try_listen(abstract);
  const Result<void> granted = server.try_listen(abstract, untrusted::anyone());

  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), StatusCode::failed_precondition);
  EXPECT_THAT(refused.error().message(), HasSubstr("untrusted::anyone()"));
  EXPECT_TRUE(granted) << granted.status().to_string();
  EXPECT_THAT(server.addresses(), ElementsAre(abstract));
}

TEST_F(ServerTest, TcpIsRefusedUntilSomebodySaysAnyone) {
  Server server;

  const Result<void> refused = server.try_listen("ipv4:127.0.0.1:0");

  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), StatusCode::failed_precondition);
  EXPECT_TRUE(server.addresses().empty());
}

TEST_F(ServerTest, PortZeroBecomesTheRealPortAndIsServed) {
  Server server;
  server.add_service(service_);
  server.listen("ipv4:127.0.0.1:0", untrusted::anyone());
  ASSERT_TRUE(server.start());

  const std::vector<std::string> addresses = server.addresses();

  ASSERT_EQ(addresses.size(), 1U);
  EXPECT_THAT(addresses[0], StartsWith("ipv4:127.0.0.1:"));
  EXPECT_NE(addresses[0], "ipv4:127.0.0.1:0");
  EXPECT_TRUE(echo_over(addresses[0]));
}

TEST_F(ServerTest, ServesOnEachOfItsListenersWhateverTheirKind) {
  const std::string folder = folder_.path();
  Server server;
  server.add_service(service_);
  server.listen(target("a")).listen(target("b"), PeerPolicy::root());
  server.listen("unix-abstract:" + folder, untrusted::anyone());
  server.listen("ipv4:127.0.0.1:0", untrusted::anyone());
  server.listen("inproc:" + folder).listen("fifo:" + folder_.file("f"));
  ASSERT_TRUE(server.start());

  const std::vector<std::string> addresses = server.addresses();
  ASSERT_EQ(addresses.size(), 6U);
  for (const std::string& address : addresses) {
    const Status reached = echo_over(address).status();
    const bool is_refused = address == target("b") && ::geteuid() != 0;
    EXPECT_EQ(reached.ok(), !is_refused) << address << ": " << reached.to_string();
  }

  server.stop();
  server.wait();
  for (const std::string& address : addresses)
    EXPECT_EQ(echo_over(address).status().reason(), StatusReason::no_server) << address;
}

TEST_F(ServerTest, AServerThatLivesIsNotPushedAside) {
  Server first;
  first.add_service(service_);
  first.listen(target());
  ASSERT_TRUE(first.start());
  Server second;

  const Result<void> in_the_way = second.try_listen(target());

  ASSERT_FALSE(in_the_way);
  EXPECT_EQ(in_the_way.error().code(), StatusCode::unavailable);
  EXPECT_THAT(in_the_way.error().message(), HasSubstr("address in use"));
  EXPECT_THAT(in_the_way.error().message(), HasSubstr(folder_.file("s")));
  EXPECT_TRUE(echo_over(target())) << "the first one goes on";
}

TEST_F(ServerTest, ABadTargetIsAnInvalidArgument) {
  Server server;

  const Result<void> bad = server.try_listen("carrier-pigeon:coop");

  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code(), StatusCode::invalid_argument);
}

TEST_F(ServerTest, TheFirstErrorOfListenIsWhatStartReports) {
  Server server;
  server.listen("carrier-pigeon:coop").listen("ipv4:127.0.0.1:0");

  const Result<void> started = server.start();

  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code(), StatusCode::invalid_argument);
}

TEST_F(ServerTest, TheModeOfTheSocketFileIsWhatWasAskedFor) {
  Server server;
  server.listen(target("default"))
      .listen(target("open"), ListenOptions(PeerPolicy::by_file_mode()).mode(0660));

  struct stat status {};
  ASSERT_EQ(::lstat(folder_.file("default").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  ASSERT_EQ(::lstat(folder_.file("open").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0660U);
}

// ---- run ------------------------------------------------------------------------------------

TEST_F(ServerTest, RunAnswersOneAndLogsWhyItCannotListen) {
  Server first;
  first.listen(target());
  ASSERT_TRUE(first.start());
  Server second;
  second.listen(target());

  EXPECT_EQ(second.run(), 1);

  EXPECT_TRUE(log_capture().take("address in use"));
}

TEST_F(ServerTest, RunServesUntilSomebodyStopsIt) {
  Server server(ServerOptions().threads(2));
  server.add_service(service_);
  server.listen(target());
  std::thread client([&] {
    EXPECT_TRUE(echo_over(target()));
    server.stop();
  });

  EXPECT_EQ(server.run(), 0);

  client.join();
  EXPECT_FALSE(exists(folder_.file("s"))) << "its name went";
}

TEST_F(ServerTest, ShortOfDescriptorsItSaysSoAndNeverAborts) {
  int refused_starts = 0;
  for (rlim_t most = 4; most < 24; ++most) {
    ChildProcess child([&] {
      constexpr int could_not_listen = 10;
      constexpr int could_not_start = 11;
      const rlimit limit{most, most};
      if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return 1;
      Server server(ServerOptions().threads(2));
      const Result<void> listening = server.try_listen(target());
      if (!listening) {
        return listening.error().reason() == StatusReason::system_limit ? could_not_listen : 2;
      }
      const Result<void> started = server.start();
      if (started) return 0;
      return started.error().code() == StatusCode::resource_exhausted ? could_not_start : 3;
    });

    const int result = child.wait();

    EXPECT_TRUE(result == 0 || result == 10 || result == 11) << result << " with " << most;
    refused_starts += result == 11 ? 1 : 0;
  }
  EXPECT_GT(refused_starts, 0);
}

TEST_F(ServerTest, InAForkedChildOfTheProcessThatListensItDoesNotStart) {
  Server server;
  server.listen(target());

  ChildProcess child([&] {
    const Result<void> started = server.start();
    return started.status().code() == StatusCode::failed_precondition ? 0 : 1;
  });

  EXPECT_EQ(child.wait(), 0);
}

// ---- stop -----------------------------------------------------------------------------------

TEST_F(ServerTest, StoppingTakesNobodyNewAndLetsRunningCallsEnd) {
  Server server;
  server.add_service(service_);
  server.listen(target());
  ASSERT_TRUE(server.start());
  std::future<Result<Text>> running = std::async(std::launch::async, [&] {
    Channel channel(target());
    const ClientStub client(channel, WrapperService::methods);
    return client.unary<Text>(WrapperService::hold, text_of("stop"), CallOptions());
  });
  ASSERT_TRUE(service_.started.wait_for(1));

  server.stop();
  server.wait();

  const Result<Text> reply = running.get();
  ASSERT_TRUE(reply) << reply.status().to_string();
  EXPECT_EQ(reply->value(), "stop");
  const Result<Text> late = echo_over(target());
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code(), StatusCode::unavailable);
}

/// A server of the same services that listens as soon as it may, within ten seconds.
bool takes_over(Server& successor, const std::string& target) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!successor.try_listen(target)) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return successor.start().ok();
}

TEST_F(ServerTest, ASuccessorHasTheNameWhileTheCallsOfTheOldOneRun) {
  WrapperService service_of_successor;
  Server successor;
  successor.add_service(service_of_successor);
  Server old;
  old.add_service(service_);
  old.listen(target());
  ASSERT_TRUE(old.start());
  Channel channel(target());
  const ClientStub client(channel, WrapperService::methods);
  auto chat = client.bidi_streaming<Text, Text>(WrapperService::chat, CallOptions());
  ASSERT_TRUE(chat.write(text_of("before")));
  ASSERT_TRUE(chat.read());

  old.stop();

  ASSERT_TRUE(takes_over(successor, target()));
  EXPECT_TRUE(echo_over(target()));
  EXPECT_TRUE(service_of_successor.started.wait_for(1));
  ASSERT_TRUE(chat.write(text_of("after")));
  EXPECT_EQ(chat.read()->value(), "after");
  chat.writes_done();
  old.wait();
  EXPECT_TRUE(echo_over(target())) << "the old one took nothing with it";
}

TEST_F(ServerTest, ANameThatSomebodyRemovedIsTheSuccessorsAndTheOldOneStops) {
  Server old;
  old.listen(target());
  ASSERT_EQ(::unlink(folder_.file("s").c_str()), 0);
  ASSERT_EQ(::unlink(folder_.file("s.lock").c_str()), 0);
  Server successor;
  successor.listen(target());
  ASSERT_TRUE(successor.start());

  ASSERT_TRUE(old.start());
  old.wait();

  EXPECT_TRUE(log_capture().take("another server has taken"));
  EXPECT_TRUE(exists(folder_.file("s")));
}

TEST_F(ServerTest, StoppingTwiceDoesNoHarm) {
  Server server;
  server.listen(target());
  ASSERT_TRUE(server.start());

  server.stop();
  server.stop();
  server.wait();
  server.stop();

  EXPECT_FALSE(exists(folder_.file("s")));
}

TEST_F(ServerTest, AStopBeforeRunEndsItAtOnce) {
  for (const std::size_t threads : {std::size_t{1}, std::size_t{3}}) {
    Server server(ServerOptions().threads(threads));
    server.add_service(service_);
    server.listen(target());
    const std::unique_ptr<Transport> early = connect_raw(folder_.file("s"));
    server.stop();

    EXPECT_EQ(server.run(), 0);

    EXPECT_FALSE(exists(folder_.file("s")));
    EXPECT_EQ(read_exactly(*early, 1), "") << "closed, and never served";
  }
}

TEST_F(ServerTest, AStopBeforeTheStartIsNotForgotten) {
  Server server;
  server.listen(target());
  server.stop();

  ASSERT_TRUE(server.start());
  server.wait();

  EXPECT_FALSE(exists(folder_.file("s")));
}

TEST_F(ServerTest, AStopBeforeTheStartOnALoopOfTheCallersIsNotForgotten) {
  EventLoop loop;
  Server server(loop);
  server.listen(target());
  server.stop();
  ASSERT_TRUE(server.start());
  const auto main = [](Server& stopping, EventLoop& on) -> Task<void> {
    co_await stopping.stopped();
    on.stop();
  };

  spawn(loop, main(server, loop));
  loop.run();

  EXPECT_FALSE(exists(folder_.file("s")));
}

TEST_F(ServerTest, AStopAtAnyMomentOfTheStartEndsRun) {
  for (int round = 0; round < 100; ++round) {
    Server server(ServerOptions().threads(2));
    server.listen(target());
    std::thread stopper([&] { server.stop(); });

    EXPECT_EQ(server.run(), 0);

    stopper.join();
  }
}

TEST_F(ServerTest, ADestructorWithoutAStopEndsWhatRuns) {
  auto server = std::make_unique<Server>();
  server->add_service(service_);
  server->listen(target());
  ASSERT_TRUE(server->start());
  std::future<Result<Text>> running = std::async(std::launch::async, [&] {
    Channel channel(target());
    const ClientStub client(channel, WrapperService::methods);
    return client.unary<Text>(WrapperService::stuck, text_of("x"), CallOptions());
  });
  ASSERT_TRUE(service_.started.wait_for(1));

  server.reset();

  EXPECT_TRUE(service_.destroyed.wait_for(1));
  const Result<Text> reply = running.get();
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code(), StatusCode::unavailable);
  EXPECT_FALSE(exists(folder_.file("s")));
}

// ---- on a loop of the caller's ----------------------------------------------------------------

TEST_F(ServerTest, ServesOnTheLoopThatItWasGivenUntilItHasStopped) {
  EventLoop loop;
  Server server(loop);
  server.add_service(service_);
  server.listen(target());
  ASSERT_TRUE(server.start());
  Channel channel(target());
  const ClientStub client(channel, WrapperService::methods);
  std::string echoed;
  const auto main = [](const ClientStub& stub, Server& stopping, EventLoop& on,
                       std::string& into) -> Task<void> {
    auto call = stub.unary_async<Text>(WrapperService::echo, text_of("same thread"), CallOptions());
    Result<Text> reply = co_await call;
    if (reply) into = reply->value();
    stopping.stop();
    co_await stopping.stopped();
    on.stop();
  };

  spawn(loop, main(client, server, loop, echoed));
  loop.run();

  EXPECT_EQ(echoed, "same thread");
  EXPECT_FALSE(exists(folder_.file("s")));
}

TEST_F(ServerTest, GoesBeforeTheLoopThatItWasGiven) {
  EventLoop loop;
  {
    Server server(loop);
    server.add_service(service_);
    server.listen(target());
    ASSERT_TRUE(server.start());
    loop.poll();
    server.stop();
  }
  loop.poll();
  EXPECT_FALSE(exists(folder_.file("s")));
}

}  // namespace
}  // namespace nearcall::test
