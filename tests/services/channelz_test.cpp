// SPDX-License-Identifier: Apache-2.0
// Channelz: grpc.channelz.v1 as its clients see it.
#include "services/channelz_stub.hpp"
#include "support/child_process.hpp"
#include "support/limit_set.hpp"
#include "support/log_capture.hpp"
#include "support/sanitized.hpp"
#include "support/temp_dir.hpp"

#include <nearcall/channelz.hpp>
#include <nearcall/health.hpp>
#include <nearcall/server.hpp>
#include <nearcall/testing/test_server.hpp>

#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <limits>
#include <list>
#include <memory>
#include <set>
#include <string>
#include <thread>

namespace nearcall::test {
namespace {

using testing::HasSubstr;
using testing::TestServer;

constexpr std::int64_t first_id = 1'000'000'000'000;
constexpr std::int64_t max_id = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t min_id = std::numeric_limits<std::int64_t>::min();

template <class Response>
std::string text_of_answer(const Result<Response>& answer) {
  return answer ? answer->ShortDebugString() : answer.status().to_string();
}

/// A server that is asked, and others that it shows.
class ChannelzTest : public LogCheckedTest {
 protected:
  /// Another server, which is shown.
  TestServer& show(const std::string& name, ServerOptions options = ServerOptions()) {
    TestServer& shown = shown_.emplace_back(health_, std::move(options));
    channelz_.add(shown.server(), name);
    return shown;
  }

  Health health_;
  Channelz channelz_;
  TestServer asked_{channelz_};
  std::list<TestServer> shown_;
  ChannelzStub stub_{asked_.channel()};
};

// ---- servers ------------------------------------------------------------------------------------

TEST_F(ChannelzTest, NothingIsShownThatWasNotAdded) {
  EXPECT_EQ(text_of_answer(stub_.servers()), "end: true");
  EXPECT_EQ(text_of_answer(stub_.top_channels()), "end: true");
}

TEST_F(ChannelzTest, AServerTellsWhereItListensAndOfItsCalls) {
  const TestServer& shown = show("greeter");
  ASSERT_TRUE(check_health(shown.channel()));
  ASSERT_TRUE(check_health(shown.channel()));
  ASSERT_FALSE(check_health(shown.channel(), "unknown"));

  const auto found = stub_.servers();

  ASSERT_TRUE(found) << found.status().to_string();
  EXPECT_TRUE(found->end());
  ASSERT_EQ(found->server_size(), 1);
  const auto& server = found->server(0);
  EXPECT_EQ(server.ref().server_id(), first_id);
  EXPECT_EQ(server.ref().name(), "greeter");
  EXPECT_EQ(server.data().ShortDebugString(),
            "calls_started: 3 calls_succeeded: 2 calls_failed: 1");
  ASSERT_EQ(server.listen_socket_size(), 1);
  EXPECT_EQ(server.listen_socket(0).name(), shown.target());
  EXPECT_EQ(text_of_answer(stub_.server(first_id)), "server { " + server.ShortDebugString() + " }");
}

TEST_F(ChannelzTest, CallsOfConnectionsThatAreGoneStillCount) {
  const TestServer& shown = show("greeter");
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(check_health(Channel(shown.target())));
  }

  const auto server = stub_.server(first_id);

  ASSERT_TRUE(server) << server.status().to_string();
  EXPECT_EQ(server->server().data().calls_succeeded(), 3);
}

TEST_F(ChannelzTest, AServerMayShowItself) {
  channelz_.add(asked_.server());

  const auto first = stub_.server(first_id);
  const auto second = stub_.server(first_id);

  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->server().data().calls_started(), 1);
  EXPECT_EQ(second->server().data().calls_started(), 2);
  EXPECT_EQ(second->server().data().calls_succeeded(), 1);
}

TEST_F(ChannelzTest, ServersComeInPages) {
  for (int i = 1; i <= 5; ++i)
    show(std::to_string(i));

  const auto first = stub_.servers(0, 2);
  const auto last = stub_.servers(4 * first_id, 2);

  ASSERT_TRUE(first && last);
  EXPECT_EQ(first->server_size(), 2);
  EXPECT_FALSE(first->end());
  EXPECT_EQ(last->server(1).ref().name(), "5");
  EXPECT_TRUE(last->end());
}

TEST_F(ChannelzTest, APageHasAHundredAtMost) {
  std::list<Server> many;
  for (int i = 0; i < 101; ++i)
    channelz_.add(many.emplace_back());

  for (const std::int64_t wanted : {std::int64_t{0}, std::int64_t{101}, max_id}) {
    const auto page = stub_.servers(0, wanted);
    ASSERT_TRUE(page) << page.status().to_string();
    EXPECT_EQ(page->server_size(), 100);
    EXPECT_FALSE(page->end());
  }
}

TEST_F(ChannelzTest, AServerThatIsGoneIsNotFound) {
  show("first");
  show("second");
  shown_.pop_front();

  EXPECT_EQ(text_of_answer(stub_.server(first_id)),
            "NOT_FOUND: channelz: there is no server 1000000000000");
  EXPECT_EQ(stub_.servers()->server_size(), 1);
}

// ---- sockets ------------------------------------------------------------------------------------

TEST_F(ChannelzTest, ASocketTellsWhoIsConnected) {
  const TempDir folder;
  Server server;
  server.add_service(health_).listen("unix:" + folder.file("s"));
  ASSERT_TRUE(server.start());
  channelz_.add(server);
  const Channel channel("unix:" + folder.file("s"));
  ASSERT_TRUE(check_health(channel));
  ASSERT_FALSE(check_health(channel, "unknown"));

  const auto sockets = stub_.server_sockets(first_id);
  ASSERT_TRUE(sockets) << sockets.status().to_string();
  ASSERT_EQ(sockets->socket_ref_size(), 1);
  EXPECT_TRUE(sockets->end());
  const auto& ref = sockets->socket_ref(0);
  EXPECT_EQ(ref.socket_id(), first_id + 1);
  const auto socket = stub_.socket(ref.socket_id());

  ASSERT_TRUE(socket) << socket.status().to_string();
  EXPECT_THAT(ref.name(), HasSubstr("pid=" + std::to_string(::getpid())));
  EXPECT_EQ(socket->socket().ref().ShortDebugString(), ref.ShortDebugString());
  EXPECT_EQ(socket->socket().local().uds_address().filename(), folder.file("s"));
  const auto& data = socket->socket().data();
  EXPECT_EQ(data.streams_started(), 2);
  EXPECT_EQ(data.streams_succeeded(), 2);
  EXPECT_EQ(data.streams_failed(), 0);
  EXPECT_GT(data.remote_flow_control_window().value(), 0);
  EXPECT_EQ(data.option(0).name(), "SO_PEERCRED");
}

TEST_F(ChannelzTest, WhatAServerListensAtIsASocketToo) {
  const TestServer& shown = show("");
  const auto server = stub_.server(first_id);
  ASSERT_TRUE(server) << server.status().to_string();

  const auto listener = stub_.socket(server->server().listen_socket(0).socket_id());

  ASSERT_TRUE(listener) << listener.status().to_string();
  EXPECT_EQ(listener->socket().local().other_address().name(), shown.target());
  EXPECT_FALSE(stub_.socket(server->server().listen_socket(0).socket_id() + 1));
}

TEST_F(ChannelzTest, SocketsAreNotFoundOnceTheyAreClosed) {
  const TestServer& shown = show("");
  {
    const Channel channel(shown.target());
    ASSERT_TRUE(check_health(channel));
    ASSERT_TRUE(stub_.socket(first_id + 1));
  }
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(8);
  while (stub_.socket(first_id + 1) && std::chrono::steady_clock::now() < deadline)
    std::this_thread::yield();  // until the server has noticed

  EXPECT_EQ(text_of_answer(stub_.socket(first_id + 1)),
            "NOT_FOUND: channelz: there is no socket 1000000000001");
}

// ---- bad questions ------------------------------------------------------------------------------

TEST_F(ChannelzTest, IdsThatNobodyHasAreNotFound) {
  show("");
  for (const std::int64_t id : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{1}, first_id - 1,
                                2 * first_id, max_id, min_id}) {
    const std::string text = std::to_string(id);
    EXPECT_EQ(text_of_answer(stub_.server(id)), "NOT_FOUND: channelz: there is no server " + text);
    EXPECT_EQ(text_of_answer(stub_.server_sockets(id)),
              "NOT_FOUND: channelz: there is no server " + text);
    EXPECT_EQ(text_of_answer(stub_.channel(id)),
              "NOT_FOUND: channelz: there is no channel " + text);
    EXPECT_EQ(text_of_answer(stub_.subchannel(id)),
              "NOT_FOUND: channelz: there is no subchannel " + text);
    EXPECT_EQ(text_of_answer(stub_.socket(id)), "NOT_FOUND: channelz: there is no socket " + text);
  }
  EXPECT_FALSE(stub_.socket(first_id));  // the server itself
}

TEST_F(ChannelzTest, NegativeWishesAreInvalid) {
  show("");
  for (const std::int64_t bad : {std::int64_t{-1}, min_id}) {
    const std::string start = "INVALID_ARGUMENT: channelz: where to start is negative";
    const std::string most = "INVALID_ARGUMENT: channelz: max_results is negative";
    EXPECT_EQ(text_of_answer(stub_.servers(bad)), start);
    EXPECT_EQ(text_of_answer(stub_.servers(0, bad)), most);
    EXPECT_EQ(text_of_answer(stub_.top_channels(bad)), start);
    EXPECT_EQ(text_of_answer(stub_.top_channels(0, bad)), most);
    EXPECT_EQ(text_of_answer(stub_.server_sockets(first_id, bad)), start);
    EXPECT_EQ(text_of_answer(stub_.server_sockets(first_id, 0, bad)), most);
  }
}

TEST_F(ChannelzTest, BehindTheLastThereIsNothing) {
  show("");
  EXPECT_EQ(text_of_answer(stub_.servers(max_id)), "end: true");
  EXPECT_EQ(text_of_answer(stub_.server_sockets(first_id, max_id, max_id)), "end: true");
}

// ---- many ---------------------------------------------------------------------------------------

/// A process that connects often and says nothing.
class ManySockets : public LogCheckedTest {
 protected:
  static constexpr int many = is_sanitized ? 1'000 : 10'000;

  int connect_all() {
    if (!listening_.wait()) return 1;
    const std::string path = folder_.file("s");
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    for (int i = 0; i < many; ++i) {
      const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
      if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return 1;
    }
    connected_.raise();
    stop_.wait();
    return 0;
  }
  static ServerOptions options() {
    return ServerOptions()
        .threads(3)
        .max_connections(2 * many)
        .max_connections_per_uid(2 * many)
        .limits(LimitSet{.handshake_timeout = std::chrono::minutes(10)});
  }

  TempDir folder_;
  ProcessSignal listening_;
  ProcessSignal connected_;
  ProcessSignal stop_;
  ChildProcess clients_{[this] { return connect_all(); }};
};

TEST_F(ManySockets, ComeInPagesOfAHundred) {
  Channelz channelz;
  Server shown(options());
  shown.add_service(channelz).listen("unix:" + folder_.file("s"));
  ASSERT_TRUE(shown.start());
  channelz.add(shown);
  const TestServer asked(channelz);
  const ChannelzStub stub(asked.channel());
  listening_.raise();
  connected_.leave_raising_to_others();
  ASSERT_TRUE(connected_.wait());
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(8);
  while (!stub.socket(first_id + many) && std::chrono::steady_clock::now() < deadline)
    std::this_thread::yield();  // until the last one was accepted

  std::set<std::int64_t> seen;
  int pages = 0;
  for (bool has_more = true; has_more; ++pages) {
    auto page = stub.server_sockets(first_id, seen.empty() ? 0 : *seen.rbegin() + 1);
    while (page.status().code() == StatusCode::unavailable)  // a loop was busy for a second
      page = stub.server_sockets(first_id, seen.empty() ? 0 : *seen.rbegin() + 1);
    ASSERT_TRUE(page) << page.status().to_string();
    ASSERT_GT(page->socket_ref_size(), 0);
    for (const auto& ref : page->socket_ref()) {
      EXPECT_TRUE(seen.empty() || ref.socket_id() > *seen.rbegin());
      seen.insert(ref.socket_id());
    }
    has_more = !page->end();
  }

  EXPECT_EQ(seen.size(), static_cast<std::size_t>(many));
  EXPECT_EQ(pages, many / 100);
  stop_.raise();
  EXPECT_EQ(clients_.wait(), 0);
}

}  // namespace
}  // namespace nearcall::test
