// SPDX-License-Identifier: Apache-2.0
// Functions on a pool, and several clients: what one of them has for good leaves a part to others.
#include "server/blocking_server.hpp"
#include "support/child_process.hpp"
#include "support/queue_listener.hpp"
#include "transport/socket_transport.hpp"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <string>
#include <utility>

namespace nearcall::test {
namespace {

constexpr pid_t first_pid = 1001;
constexpr pid_t second_pid = 1002;

PeerIdentity peer_of(uid_t uid, pid_t pid) {
  return PeerIdentity("queue:", uid, /*gid=*/1, pid);
}
PeerIdentity our_process(pid_t pid) {
  return peer_of(::geteuid(), pid);
}

/// A server whose clients are who the test says, and whose Chat reads until its client has gone.
class PooledCallShareTest : public BlockingServerTest {
 protected:
  void start(ThreadPool& pool) {
    server_ = std::make_unique<Server>(ServerOptions().handler_pool(pool));
    server_->add_service(functions_)
        .listen(std::make_unique<QueueListener>(queue_, /*knows_credentials=*/true),
                ListenOptions().policy(untrusted::anyone()));
    ASSERT_TRUE(server_->start());
    functions_.on_chat = [this](ServerContext&, BlockingReader<Text>& requests,
                                BlockingWriter<Text>& /*replies*/) {
      arrived_.add();
      while (requests.read()) {
      }
      return Status();
    };
  }
  std::unique_ptr<SessionPeer> connect(PeerIdentity who) {
    std::array<int, 2> fds{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds.data()), 0);
    const auto make = [](int fd, PeerIdentity peer) {
      return std::make_unique<detail::SocketTransport>(detail::UniqueFd(fd), std::move(peer));
    };
    queue_->push(make(fds[0], std::move(who)));
    return std::make_unique<SessionPeer>(http2::Role::client, make(fds[1], PeerIdentity("queue:")));
  }
  static void open_silent_streams(SessionPeer& client, int count) {
    for (int i = 0; i < count; ++i)
      client.open(SessionPeer::request_to("/test.Functions/Chat"));
    EXPECT_TRUE(client.ping());
  }
  /// The status of a unary call, as on the wire.
  static std::string call_once(SessionPeer& client) {
    const auto answer =
        client.call(SessionPeer::request_to("/test.Functions/Unary"), framed(text_of("x")));
    return answer ? answer->field("grpc-status") : "none";
  }

  std::shared_ptr<ConnectionQueue> queue_ = std::make_shared<ConnectionQueue>();
};

TEST_F(PooledCallShareTest, AnotherClientIsServedWhileTheFirstOnesFunctionsSitInReads) {
  ThreadPool pool(4);
  start(pool);
  auto first = connect(our_process(first_pid));
  open_silent_streams(*first, 100);
  ASSERT_TRUE(arrived_.wait_for(3));

  auto second = connect(our_process(second_pid));

  for (int i = 0; i < 10; ++i)
    EXPECT_EQ(call_once(*second), "0");
  EXPECT_EQ(arrived_.count(), 3);
  server_.reset();  // before its pool
}

TEST_F(PooledCallShareTest, TheOtherStreamsHaveTheirTurnsWhenOnesEnd) {
  ThreadPool pool(4);
  start(pool);
  auto client = connect(our_process(first_pid));
  http2::Stream& oldest = client->open(SessionPeer::request_to("/test.Functions/Chat"));
  open_silent_streams(*client, 3);
  ASSERT_TRUE(arrived_.wait_for(3));

  client->send(oldest, "", /*end_stream=*/true);

  EXPECT_TRUE(client->answer_to(oldest));
  EXPECT_TRUE(arrived_.wait_for(4));
  server_.reset();
}

TEST_F(PooledCallShareTest, BeyondItsShareOfTheQueueAClientIsRefusedAndAnotherOneIsNot) {
  ThreadPool pool(4, 4);
  start(pool);
  auto first = connect(our_process(first_pid));
  open_silent_streams(*first, 6);
  ASSERT_TRUE(arrived_.wait_for(3));

  EXPECT_EQ(call_once(*first), "8");

  EXPECT_TRUE(log_capture().take("the client's calls have their share of the server's pool"));
  auto second = connect(our_process(second_pid));
  EXPECT_EQ(call_once(*second), "0");
  server_.reset();
}

/// In a user namespace without a map whoever is outside of it looks like this process's own user,
/// and each of their processes would have a share of its own.
TEST_F(PooledCallShareTest, ProcessesOfWhoMayBeAnybodyShareOne) {
  ChildProcess server([this] {
    if (::unshare(CLONE_NEWUSER) != 0) return 77;
    ThreadPool pool(4, 0);
    start(pool);
    auto first = connect(our_process(first_pid));
    open_silent_streams(*first, 3);
    if (!arrived_.wait_for(3)) return 1;
    auto second = connect(our_process(second_pid));
    const bool share_one = call_once(*second) == "8";
    server_.reset();
    return share_one ? 0 : 2;
  });

  const int verdict = server.wait();

  if (verdict == 77) GTEST_SKIP() << "no user namespaces here";
  EXPECT_EQ(verdict, 0);
}

/// Two clients, and whether the second is served although the first has its share.
struct TwoClients {
  const char* name;
  PeerIdentity first;
  PeerIdentity second;
  bool share_one;
};

void PrintTo(const TwoClients& clients, std::ostream* to) {
  *to << clients.name;
}

class PooledCallClientTest : public PooledCallShareTest,
                             public testing::WithParamInterface<TwoClients> {};

TEST_P(PooledCallClientTest, WhoHasAShareOfItsOwn) {
  ThreadPool pool(4, 0);
  start(pool);
  auto first = connect(GetParam().first);
  open_silent_streams(*first, 3);
  ASSERT_TRUE(arrived_.wait_for(3));

  auto second = connect(GetParam().second);

  EXPECT_EQ(call_once(*second), GetParam().share_one ? "8" : "0");
  EXPECT_EQ(log_capture().take("have their share"), GetParam().share_one);
  server_.reset();
}

INSTANTIATE_TEST_SUITE_P(
    Clients,
    PooledCallClientTest,
    testing::Values(
        TwoClients{"ConnectionsOfAProcess", our_process(first_pid), our_process(first_pid), true},
        TwoClients{"ProcessesOfOurUser", our_process(first_pid), our_process(second_pid), false},
        TwoClients{"ProcessesOfAnotherUser", peer_of(::geteuid() + 1, first_pid),
                   peer_of(::geteuid() + 1, second_pid), true},
        TwoClients{"Users", peer_of(::geteuid() + 1, first_pid),
                   peer_of(::geteuid() + 2, first_pid), false},
        TwoClients{"AnotherUserAndOurs", peer_of(::geteuid() + 1, first_pid),
                   our_process(first_pid), false},
        TwoClients{"OwnEnds", PeerIdentity::own("queue:", first_pid),
                   PeerIdentity::own("queue:", second_pid), false},
        TwoClients{"ConnectionsOfWhomNobodyVouchesFor", PeerIdentity("queue:"),
                   PeerIdentity("queue:"), false}),
    testing::PrintToStringParamName());

}  // namespace
}  // namespace nearcall::test
