// SPDX-License-Identifier: Apache-2.0
// Channels to several real servers, by their targets and by a directory, while servers come and go.
#include "integration/both_drivers.hpp"
#include "integration/echo_server.hpp"
#include "support/log_capture.hpp"
#include "support/temp_dir.hpp"

#include <nearcall/event_loop.hpp>
#include <nearcall/health.hpp>
#include <nearcall/picker.hpp>
#include <nearcall/sync_wait.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;

/// Answers with its name.
class NamedService final : public Echo::Service {
 public:
  explicit NamedService(std::string name) : name_(std::move(name)) {}

 private:
  Task<Result<EchoReply>> Unary(ServerContext& /*call*/, EchoRequest /*request*/) override {
    EchoReply reply;
    reply.set_payload(name_);
    co_return reply;
  }

  const std::string name_;
};

/// One server on threads of its own.
class NamedServer {
 public:
  NamedServer(const std::string& target, const std::string& name) : service_(name) {
    server_.add_service(service_);
    server_.listen(target);
    const Result<void> started = server_.start();
    EXPECT_TRUE(started.ok()) << started.status().to_string();
  }
  ~NamedServer() {
    server_.stop();
    server_.wait();
  }

 private:
  NamedService service_;
  Server server_{ServerOptions().threads(1)};
};

class Backends : public testing::TestWithParam<ClientDriver> {
 protected:
  std::string target(const std::string& name) const { return "unix:" + folder_.file(name); }
  std::string directory() const { return "unix-dir:" + folder_.path(); }
  void start(const std::string& name) {
    servers_[name] = std::make_unique<NamedServer>(target(name), name);
  }
  void stop(const std::string& name) { servers_.erase(name); }

  static Task<Result<EchoReply>> call_awaited(const Echo::Client& echo, CallOptions options) {
    const EchoRequest request = request_of("x");
    auto call = echo.UnaryAsync(request, options);
    co_return co_await call;
  }
  /// Who has answered, or how it failed.
  std::string who_answers(const Channel& channel,
                          const CallOptions& options = CallOptions().timeout(20s)) const {
    const Echo::Client echo(channel);
    const Result<EchoReply> reply = GetParam() == ClientDriver::blocking
                                        ? echo.Unary(request_of("x"), options)
                                        : sync_wait(call_awaited(echo, options));
    return reply ? reply->payload() : reply.status().to_string();
  }
  std::map<std::string, int> answers(const Channel& channel, int calls) const {
    std::map<std::string, int> counted;
    for (int i = 0; i < calls; ++i)
      ++counted[who_answers(channel)];
    return counted;
  }

  LogCapture log_;
  const TempDir folder_;
  std::map<std::string, std::unique_ptr<NamedServer>> servers_;
};

using Counts = std::map<std::string, int>;

INSTANTIATE_TEST_SUITE_P(Drivers,
                         Backends,
                         testing::Values(ClientDriver::blocking, ClientDriver::loop),
                         driver_name);

TEST_P(Backends, ServersOfADirectoryShareCalls) {
  for (const char* const name : {"a", "b", "c"})
    start(name);
  const Channel channel(directory(), ChannelOptions().picker(Picker::round_robin()));

  EXPECT_EQ(answers(channel, 9), (Counts{{"a", 3}, {"b", 3}, {"c", 3}}));
}

TEST_P(Backends, OneThatStopsLosesNoCallAndOneThatComesGetsItsShare) {
  start("a");
  start("b");
  const Channel channel(directory(), ChannelOptions().picker(Picker::round_robin()));
  EXPECT_EQ(answers(channel, 4), (Counts{{"a", 2}, {"b", 2}}));

  stop("a");
  EXPECT_EQ(answers(channel, 4), (Counts{{"b", 4}}));

  start("c");
  Counts counted;
  while (counted["c"] == 0)
    ++counted[who_answers(channel)];
  EXPECT_EQ(counted.size(), 2U);
  EXPECT_EQ(answers(channel, 4), (Counts{{"b", 2}, {"c", 2}}));
}

TEST_P(Backends, ACallWaitsUntilTheFirstServerComesIntoADirectory) {
  const Channel channel(directory());
  const std::jthread later([this] {
    std::this_thread::yield();
    start("a");
  });

  EXPECT_EQ(who_answers(channel, CallOptions().timeout(20s).wait_for_ready()), "a");
}

TEST_P(Backends, ServersThatAreReplacedOneByOneLoseNoCall) {
  for (const char* const name : {"a", "b", "c"})
    start(name);
  std::vector<std::string> targets;
  for (const char* const name : {"a", "b", "c"})
    targets.push_back(target(name));
  std::atomic<bool> is_over{false};
  std::atomic<int> calls{0};
  std::vector<std::string> failed;
  std::thread caller([&] {
    const Channel channel =
        Channel::to_any(targets, ChannelOptions().picker(Picker::round_robin()));
    while (!is_over) {
      const std::string answer = who_answers(channel);
      if (answer.size() != 1) failed.push_back(answer);
      ++calls;
    }
  });
  for (int round = 0; round < 3; ++round) {
    for (const char* const name : {"a", "b", "c"}) {
      const int before = calls;
      while (calls < before + 5)
        std::this_thread::yield();
      stop(name);
      start(name);
    }
  }
  is_over = true;
  caller.join();

  EXPECT_TRUE(failed.empty()) << failed.size() << " of " << calls << ": " << failed.front();
}

TEST_P(Backends, AMissingFirstOneIsPassedOver) {
  start("b");
  const Channel channel = Channel::to_any({target("a"), target("b")});

  EXPECT_EQ(answers(channel, 3), (Counts{{"b", 3}}));
  EXPECT_EQ(channel.state(), ConnectivityState::ready);
}

TEST_P(Backends, OneThatSaysThatItDoesNotServeGetsNoCallsUntilItDoes) {
  Health health;
  NamedService service("a");
  Server server(ServerOptions().threads(1));
  server.add_service(service).add_service(health).listen(target("a"));
  ASSERT_TRUE(server.start().ok());
  start("b");
  log_.allow("no health service, so it counts as healthy");
  health.set("Echo", ServingStatus::serving);
  {
    const Channel channel(directory(), ChannelOptions().service_config(R"({
      "loadBalancingConfig": [{"round_robin": {}}],
      "healthCheckConfig": {"serviceName": "Echo"}})"));
    Counts counted;
    while (counted.size() < 2)
      ++counted[who_answers(channel)];

    health.set("Echo", ServingStatus::not_serving);
    while (who_answers(channel) != "b" || who_answers(channel) != "b") {
    }
    EXPECT_EQ(answers(channel, 4), (Counts{{"b", 4}}));

    health.set("Echo", ServingStatus::serving);
    while (who_answers(channel) != "a") {
    }
    EXPECT_EQ(answers(channel, 4), (Counts{{"a", 2}, {"b", 2}}));
  }
  server.stop();
  server.wait();
}

TEST_P(Backends, AHostsNameLeadsToWhicheverOfItsAddressesAnswers) {
  Server server(ServerOptions().threads(1));
  NamedService service("tcp");
  server.add_service(service);
  server.listen("ipv4:127.0.0.1:0", ListenOptions(untrusted::anyone()));
  ASSERT_TRUE(server.start().ok());
  const std::string address = server.addresses().front();
  const std::string port = address.substr(address.rfind(':') + 1);

  {
    const Channel channel("dns:localhost:" + port,
                          ChannelOptions().expect_server(untrusted::anyone()));
    EXPECT_EQ(who_answers(channel), "tcp");
    const Channel spelled_as_a_uri("dns:///localhost:" + port);
    EXPECT_EQ(who_answers(spelled_as_a_uri), "tcp");
  }
  server.stop();
  server.wait();
}

}  // namespace
}  // namespace nearcall::test
