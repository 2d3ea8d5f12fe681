// SPDX-License-Identifier: Apache-2.0
// A process with servers, a pool and channels that forks: its child leaves all of it alone, and
// begins anew.
#include "integration/echo_server.hpp"
#include "support/child_process.hpp"
#include "support/rounds.hpp"
#include "support/sanitized.hpp"

#include <nearcall/event_loop.hpp>
#include <nearcall/spawn.hpp>
#include <nearcall/sync_wait.hpp>
#include <nearcall/thread_pool.hpp>

#include <unistd.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;
using Chat = BidiStreamingCall<EchoRequest, EchoReply>;

/// Long enough for any machine: what does not end was forgotten in the parent.
constexpr unsigned child_seconds = 60;

CallOptions in_time() {
  return CallOptions().timeout(50s);
}

/// Answers on threads of a pool.
class EchoFunctions final : public Echo::BlockingService {
 public:
  Counter reading;

 private:
  Result<EchoReply> Unary(ServerContext& /*call*/, const EchoRequest& request) override {
    return reply_to(request);
  }
  Status Chat(ServerContext& /*call*/,
              BlockingReader<EchoRequest>& requests,
              BlockingWriter<EchoReply>& replies) override {
    reading.add();
    EchoRequest request;
    while (requests.read(request)) {
      if (!replies.write(reply_to(request))) break;
    }
    return Status();
  }
  static EchoReply reply_to(const EchoRequest& request) {
    EchoReply reply;
    reply.set_payload(request.payload());
    return reply;
  }
};

/// Two servers with threads of their own, one of coroutines and one of functions on a pool of the
/// program's, and a channel to each.
class ForkOfServers : public LogCheckedTest {
 protected:
  ForkOfServers() {
    servers_[0] = std::make_unique<Server>(ServerOptions().threads(2).spin(SpinPolicy::off()));
    servers_[0]->add_service(coroutines_).listen(target(0));
    servers_[1] =
        std::make_unique<Server>(ServerOptions().handler_pool(*pool_).spin(SpinPolicy::off()));
    servers_[1]->add_service(functions_).listen(target(1));
    for (std::size_t i = 0; i < 2; ++i) {
      EXPECT_TRUE(servers_[i]->start());
      channels_[i].emplace(target(i), ChannelOptions().spin(SpinPolicy::off()));
      clients_[i].emplace(*channels_[i]);
    }
  }
  std::string target(std::size_t server) const {
    return "unix:" + folder_.file("s" + std::to_string(server));
  }
  static bool can_call(const Echo::Client& echo) {
    const Result<EchoReply> reply = echo.Unary(request_of("x"), in_time());
    return reply && reply->payload() == "x";
  }
  static bool can_call(const std::string& target) {
    const Channel channel(target);
    return can_call(Echo::Client(channel));
  }
  static bool can_chat(Chat& chat) {
    return chat.write(request_of("chat", 1)) && chat.read().has_value();
  }
  /// What is inherited goes, in the child: 0.
  int drop_all() {
    for (std::size_t i = 0; i < 2; ++i) {
      servers_[i]->stop();
      servers_[i]->wait();
      servers_[i].reset();
      clients_[i].reset();
      channels_[i].reset();
    }
    pool_.reset();
    return 0;
  }
  /// Old channels still go to the old servers: 0, or where it went wrong.
  int call_parent() {
    for (std::size_t i = 0; i < 2; ++i) {
      if (clients_[i] && !can_call(*clients_[i])) return 1;
      if (!can_call(target(i))) return 2;
    }
    return 0;
  }
  /// A server of its own: 0, or where it went wrong.
  static int serve() {
    const TempDir folder;
    const std::string target = "unix:" + folder.file("s");
    EchoFunctions functions;
    Server server(ServerOptions().threads(2));
    server.add_service(functions).listen(target);
    if (!server.start()) return 3;
    return can_call(target) ? 0 : 4;
  }

  TempDir folder_;
  EchoService coroutines_;
  EchoFunctions functions_;
  std::unique_ptr<ThreadPool> pool_ = std::make_unique<ThreadPool>(4);
  std::unique_ptr<Server> servers_[2];
  std::optional<Channel> channels_[2];
  std::optional<Echo::Client> clients_[2];
};

TEST_F(ForkOfServers, TheChildDropsWhatItInheritedWithoutAWordToTheParent) {
  Chat coroutine = clients_[0]->Chat(in_time());
  Chat function = clients_[1]->Chat(in_time());
  ASSERT_TRUE(can_chat(coroutine) && can_chat(function));

  ChildProcess child([this] {
    ::alarm(child_seconds);
    drop_all();
    return call_parent();
  });

  EXPECT_EQ(child.wait(), 0);
  for (Chat* const chat : {&coroutine, &function}) {
    EXPECT_TRUE(can_chat(*chat));
    EXPECT_TRUE(chat->writes_done());
    EXPECT_TRUE(chat->finish().ok());
  }
}

TEST_F(ForkOfServers, AServerThatWasMadeBeforeTheForkServesInTheChild) {
  if (is_thread_sanitized) GTEST_SKIP() << "ThreadSanitizer starts no threads in such a child";
  const std::string target = "unix:" + folder_.file("new");
  EchoFunctions functions;
  Server server;
  server.add_service(functions);

  ChildProcess child([&] {
    ::alarm(child_seconds);
    server.listen(target);
    if (!server.start()) return 1;
    if (!can_call(target)) return 2;
    server.stop();
    server.wait();
    return 0;
  });

  EXPECT_EQ(child.wait(), 0);
}

Task<void> call_until(const Echo::Client& echo,
                      const std::atomic<bool>& is_over,
                      std::atomic<int>& failed) {
  while (!is_over) {
    const Result<EchoReply> reply = co_await echo.UnaryAsync(request_of("x"), in_time());
    if (!reply) ++failed;
  }
}

TEST_F(ForkOfServers, UnderLoadNoCallOfTheParentFailsAndNoChildHangs) {
  if (is_sanitized) GTEST_SKIP() << "the locks of a sanitizer's allocator are not freed in a child";
  std::atomic<bool> is_over = false;
  std::atomic<int> failed = 0;
  std::vector<std::thread> load;
  for (const std::size_t server : {0U, 1U}) {
    load.emplace_back([&, server] {
      while (!is_over) {
        if (!can_call(*clients_[server])) ++failed;
      }
    });
  }
  load.emplace_back([&] { sync_wait(call_until(*clients_[0], is_over, failed)); });
  Chat chat = clients_[1]->Chat(in_time());
  ASSERT_TRUE(can_chat(chat));

  for (int round = 0; round < rounds(8, 100); ++round) {
    ChildProcess child([this, round] {
      ::alarm(child_seconds);
      if (round % 2 == 0) drop_all();
      const int called = call_parent();
      return called != 0 ? called : serve();
    });
    EXPECT_EQ(child.wait(), 0) << "child " << round;
  }

  EXPECT_TRUE(can_chat(chat));
  is_over = true;
  for (std::thread& thread : load)
    thread.join();
  EXPECT_EQ(failed, 0);
}

}  // namespace
}  // namespace nearcall::test
