// SPDX-License-Identifier: Apache-2.0
// nginx and HAProxy between a channel and a server, as examples/proxies configures them.
#include "integration/both_drivers.hpp"
#include "support/enough_time.hpp"
#include "support/rounds.hpp"
#include "support/sanitized.hpp"

#include <nearcall/task_scope.hpp>

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <ostream>
#include <string>
#include <thread>
#include <vector>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

/// A proxy in a process of its own.
class ProxyProcess {
 public:
  struct Setup {
    std::string program;   // nginx or haproxy
    std::string front;     // where it listens: unix or tcp
    std::string back;      // the target of the server
    std::string patience;  // how long it lets a stream be silent
  };

  explicit ProxyProcess(const Setup& setup) {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    const detail::UniqueFd read(ends[0]);
    detail::UniqueFd write(ends[1]);
    std::vector<std::string> words{PROXY_SCRIPT,
                                   setup.program,
                                   "--front=" + setup.front,
                                   "--back=" + setup.back,
                                   "--patience=" + setup.patience,
                                   "--folder=" + folder_.path()};
    std::vector<char*> arguments;
    for (std::string& word : words)
      arguments.push_back(word.data());
    arguments.push_back(nullptr);
    process_ = std::make_unique<ChildProcess>([&] {
      ::dup2(write.get(), STDOUT_FILENO);
      ::execv(PROXY_SCRIPT, arguments.data());
      return 1;
    });
    write.reset();
    std::array<char, 512> piece{};
    ssize_t size = 0;
    while ((size = ::read(read.get(), piece.data(), piece.size())) > 0)
      said_.append(piece.data(), static_cast<std::size_t>(size));
  }
  ~ProxyProcess() { stop(); }

  /// It has said where it listens: there can be connected to it, though it may still be starting.
  bool is_there() const { return said_.ends_with("\n") && target().find(':') < 5; }
  std::string target() const { return said_.substr(0, said_.find('\n')); }
  /// What it said instead.
  const std::string& excuse() const noexcept { return said_; }
  /// Ends it and its worker, with their connections.
  void stop() {
    if (process_ == nullptr) return;
    ::kill(process_->pid(), SIGTERM);
    process_->wait();
    process_.reset();
  }

 private:
  TempDir folder_;
  std::string said_;
  std::unique_ptr<ChildProcess> process_;
};

/// What stands between, and what both of its sides are.
struct Way {
  std::string proxy;
  std::string socket;
};

void PrintTo(const Way& way, std::ostream* to) {
  *to << way.proxy << " over " << way.socket;
}

class Proxy : public LogCheckedTest, public testing::WithParamInterface<Way> {
 protected:
  explicit Proxy(std::string patience = "1h") : patience_(std::move(patience)) {}
  ~Proxy() override { stop_server(); }

  void SetUp() override {
    server_ = listening_server();
    // Before this process has more threads.
    proxy_ =
        std::make_unique<ProxyProcess>(ProxyProcess::Setup{.program = GetParam().proxy,
                                                           .front = GetParam().socket,
                                                           .back = server_->addresses().front(),
                                                           .patience = patience_});
    if (!proxy_->is_there()) GTEST_SKIP() << proxy_->excuse();
    const Result<void> started = server_->start();
    ASSERT_TRUE(started.ok()) << started.status().to_string();
    channel_ = std::make_unique<Channel>(proxy_->target());
    echo_ = std::make_unique<Echo::Client>(*channel_);
  }
  /// One over a Unix socket takes the place of the one before.
  std::unique_ptr<Server> listening_server() {
    auto server = std::make_unique<Server>();
    server->add_service(service_);
    if (GetParam().socket == "unix") {
      server->listen("unix:" + folder_.file("server"), ListenOptions().take_over(true));
    } else {
      server->listen("ipv4:127.0.0.1:0", untrusted::anyone());
    }
    return server;
  }
  void stop_server() {
    if (server_ == nullptr) return;
    server_->stop();
    server_->wait();
    server_.reset();
  }

  static CallOptions in_time() { return CallOptions().timeout(60s); }
  static EchoRequest waiting_for_cancel() {
    EchoRequest request;
    request.set_wait_for_cancel(true);
    return request;
  }

  const std::string patience_;
  TempDir folder_;
  EchoService service_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<ProxyProcess> proxy_;
  std::unique_ptr<Channel> channel_;
  std::unique_ptr<Echo::Client> echo_;
};

/// With sanitizers each suite is one test, and what differs lies on the proxy's side.
std::vector<Way> ways_of(const std::string& proxy) {
  if (is_sanitized) return {{proxy, "unix"}};
  return {{proxy, "unix"}, {proxy, "tcp"}};
}

std::string socket_name(const testing::TestParamInfo<Way>& info) {
  return info.param.socket;
}

INSTANTIATE_TEST_SUITE_P(Nginx, Proxy, testing::ValuesIn(ways_of("nginx")), socket_name);
INSTANTIATE_TEST_SUITE_P(Haproxy, Proxy, testing::ValuesIn(ways_of("haproxy")), socket_name);

TEST_P(Proxy, PassesEachMessageOnWhileTheStreamIsOpen) {
  for (const ClientDriver driver : {ClientDriver::blocking, ClientDriver::loop}) {
    const Status status =
        converse(driver, *echo_, {.rounds = 100, .big_size = 3'000'000, .replies = 5000});

    EXPECT_EQ(status.to_string(), "OK") << driver_name({driver, 0});
  }
}

TEST_P(Proxy, PassesAllRequestsOfAStreamOnHoweverMuchTheyAre) {
  auto call = echo_->Collect(in_time());
  const EchoRequest request = request_of(std::string(100'000, 'x'));
  for (int i = 0; i < 200; ++i)
    ASSERT_TRUE(call.write(request)) << i << ": " << call.finish().status().to_string();

  const Result<EchoReply> reply = call.finish();

  ASSERT_TRUE(reply.ok()) << reply.status().to_string();
  EXPECT_EQ(reply->number(), 200U);
  EXPECT_EQ(reply->payload(), "20000000");
}

TEST_P(Proxy, CancelsTheHandlerOfAClientThatGivesUp) {
  auto call = echo_->Expand(waiting_for_cancel(), in_time().metadata("key", "value"));
  EXPECT_EQ(call.headers().get("header-key"), "value") << "sent before the first message";

  call.cancel();

  EXPECT_EQ(call.finish().code(), StatusCode::cancelled);
  EXPECT_TRUE(service_.cancelled.reaches(1));
}

TEST_P(Proxy, TellsTheServerTheDeadline) {
  EchoRequest request;
  request.set_show_deadline(true);

  const Result<EchoReply> reply = echo_->Unary(request, CallOptions().timeout(1h));

  ASSERT_TRUE(reply.ok()) << reply.status().to_string();
  EXPECT_GT(reply->number(), 3000U);
  EXPECT_LE(reply->number(), 3600U);
}

TEST_P(Proxy, EndsACallAtItsDeadlineOnBothSides) {
  with_enough_time([this](std::chrono::milliseconds timeout) {
    auto call = echo_->Expand(waiting_for_cancel(),
                              CallOptions().timeout(timeout).metadata("key", "value"));
    const bool has_begun = call.headers().get("header-key") == "value";

    EXPECT_EQ(call.finish().code(), StatusCode::deadline_exceeded);
    return has_begun && service_.cancelled.reaches(1);
  });
}

TEST_P(Proxy, BringsHeadersAndTrailersOfAnyBytes) {
  const std::string bytes("\0\xff,=\r\n\x80", 7);
  const std::string large(5000, 'm');
  CallInfo info;

  const Result<EchoReply> reply = echo_->Unary(
      request_of("x"),
      in_time().metadata("key-bin", bytes).metadata("key", "a, b").metadata("large", large), &info);

  ASSERT_TRUE(reply.ok()) << reply.status().to_string();
  for (const auto& [prefix, metadata] :
       {std::pair{"header-", &info.headers()}, std::pair{"trailer-", &info.trailers()}}) {
    EXPECT_EQ(metadata->get(std::string(prefix) + "key-bin"), bytes);
    EXPECT_EQ(metadata->get(std::string(prefix) + "key"), "a, b");
    EXPECT_EQ(metadata->get(std::string(prefix) + "large"), large);
  }
}

TEST_P(Proxy, BringsAStatusWithItsMessageAndTrailers) {
  EchoRequest request = request_of("x", 3);
  request.set_code(static_cast<int>(StatusCode::not_found));
  request.set_message("100 % \n \u263a");

  const Status of_unary = echo_->Unary(request, in_time().metadata("key", "value")).status();
  auto call = echo_->Expand(request, in_time().metadata("key", "value"));
  int replies = 0;
  while (call.read())
    ++replies;
  const Status of_stream = call.finish();

  EXPECT_EQ(replies, 3);
  for (const Status& status : {of_unary, of_stream}) {
    EXPECT_EQ(status.code(), StatusCode::not_found);
    EXPECT_EQ(status.message(), "100 % \n \u263a");
    EXPECT_EQ(status.trailers().get("trailer-key"), "value");
  }
}

TEST_P(Proxy, BringsAStatusThatEndsAStreamOfRequestsEarly) {
  EchoRequest request = request_of("x");
  request.set_code(static_cast<int>(StatusCode::not_found));
  auto call = echo_->Chat(in_time());

  EXPECT_TRUE(call.write(request));

  EXPECT_FALSE(call.read().has_value());
  EXPECT_EQ(call.finish().code(), StatusCode::not_found);
}

TEST_P(Proxy, SaysThatAMethodIsNotThere) {
  const Result<EchoReply> reply = echo_->NotThere(EchoRequest(), in_time());

  EXPECT_EQ(reply.status().code(), StatusCode::unimplemented);
}

/// What becomes of one of many calls.
Task<void> call_once(const Echo::Client& echo, int* succeeded, Status* failure) {
  const Result<EchoReply> reply =
      co_await echo.UnaryAsync(request_of("x"), CallOptions().timeout(60s));
  if (reply) {
    ++*succeeded;
  } else {
    *failure = reply.status();
  }
}

Task<void> call_at_once(const Echo::Client& echo, int calls, int* succeeded, Status* failure) {
  TaskScope scope;
  for (int i = 0; i < calls; ++i)
    scope.spawn(call_once(echo, succeeded, failure));
  co_await scope.join();
}

TEST_P(Proxy, ServesMoreCallsAtOnceThanItAllowsStreams) {
  int succeeded = 0;
  Status failure;

  sync_wait(call_at_once(*echo_, 300, &succeeded, &failure));

  EXPECT_EQ(succeeded, 300) << failure.to_string();
}

// nginx ends a connection after a thousand calls.
TEST_P(Proxy, MayEndItsConnectionsWithoutAFailedCall) {
  for (int i = 0; i < 1100; ++i) {
    const Status status = echo_->Unary(request_of("x"), in_time()).status();
    ASSERT_TRUE(status.ok()) << i << ": " << status.to_string();
  }
}

TEST_P(Proxy, LetsACallFinishThatTheServerDrains) {
  EchoRequest request = request_of("last words");
  request.set_wait_for_stop(true);
  std::jthread stop([this] {
    EXPECT_TRUE(service_.started.reaches(1));
    stop_server();
  });

  const Result<EchoReply> reply = echo_->Unary(request, in_time());

  ASSERT_TRUE(reply.ok()) << reply.status().to_string();
  EXPECT_EQ(reply->payload(), "last words");
}

TEST_P(Proxy, WithoutAServerIsUnavailable) {
  stop_server();

  const Status status = echo_->Unary(request_of("x"), in_time()).status();

  EXPECT_EQ(status.code(), StatusCode::unavailable);
  EXPECT_THAT(status.message(), HasSubstr("HTTP status 50"));
}

TEST_P(Proxy, ThatEndsTakesItsCallsWithIt) {
  auto call = echo_->Expand(waiting_for_cancel(), in_time());
  call.headers();

  proxy_->stop();

  EXPECT_EQ(call.finish().code(), StatusCode::unavailable);
  EXPECT_TRUE(service_.cancelled.reaches(1));
}

/// What is handed over to the next server is a file's name. HAProxy 2.6 drops the trailers that it
/// has read if the server has closed before it can send a WINDOW_UPDATE, which ours has not.
class ProxyOverUnixSocket : public Proxy {};

INSTANTIATE_TEST_SUITE_P(Nginx,
                         ProxyOverUnixSocket,
                         testing::Values(Way{"nginx", "unix"}),
                         socket_name);
INSTANTIATE_TEST_SUITE_P(Haproxy,
                         ProxyOverUnixSocket,
                         testing::Values(Way{"haproxy", "unix"}),
                         socket_name);

TEST_P(ProxyOverUnixSocket, FailsNoCallWhileServersFollowEachOther) {
  Counter calls;
  std::atomic<bool> is_over = false;
  Status failure;
  std::jthread client([&] {
    while (!is_over && failure.ok()) {
      failure = echo_->Unary(request_of("x"), in_time()).status();
      calls.add();
    }
  });

  for (int i = 1; i <= rounds(10, 1000); ++i) {
    if (!calls.reaches(20 * i)) {
      ADD_FAILURE() << "in round " << i;
      break;
    }
    std::unique_ptr<Server> next = listening_server();
    EXPECT_TRUE(next->start().ok());
    server_->wait();
    server_ = std::move(next);
  }

  is_over = true;
  client.join();
  EXPECT_TRUE(failure.ok()) << failure.to_string();
}

class ImpatientProxy : public Proxy {
 protected:
  ImpatientProxy() : Proxy("500ms") {}
};

INSTANTIATE_TEST_SUITE_P(Nginx, ImpatientProxy, testing::ValuesIn(ways_of("nginx")), socket_name);
INSTANTIATE_TEST_SUITE_P(Haproxy,
                         ImpatientProxy,
                         testing::ValuesIn(ways_of("haproxy")),
                         socket_name);

TEST_P(ImpatientProxy, GivesUpOnAServerThatIsSilent) {
  const Status status = echo_->Unary(waiting_for_cancel(), in_time()).status();

  EXPECT_EQ(status.code(), StatusCode::unavailable);
  EXPECT_THAT(status.message(), HasSubstr("HTTP status 504"));
  EXPECT_TRUE(service_.cancelled.reaches(1));
}

TEST_P(ImpatientProxy, EndsAStreamOfAServerThatIsSilent) {
  auto call = echo_->Expand(waiting_for_cancel(), in_time().metadata("key", "value"));
  const bool was_in_time = call.headers().get("header-key") == "value";

  const Status status = call.finish();

  // RST_STREAM(INTERNAL_ERROR), and END_STREAM without trailers.
  const StatusCode code = GetParam().proxy == "nginx" ? StatusCode::internal : StatusCode::unknown;
  EXPECT_EQ(status.code(), was_in_time ? code : StatusCode::unavailable) << status.to_string();
  EXPECT_TRUE(service_.cancelled.reaches(1));
}

}  // namespace
}  // namespace nearcall::test
