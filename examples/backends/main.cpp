// SPDX-License-Identifier: Apache-2.0
// Two servers that are alike, and channels that use whichever is there, or both by turns.
#include "greet.nearcall.hpp"
#include "program.hpp"

#include <nearcall/channel.hpp>
#include <nearcall/health.hpp>
#include <nearcall/picker.hpp>
#include <nearcall/server.hpp>

#include <chrono>
#include <cstdio>
#include <string>

using namespace std::chrono_literals;
using nearcall::CallOptions;
using nearcall::Channel;
using nearcall::ChannelOptions;
using nearcall::Picker;
using nearcall::Result;
using nearcall::Task;

class GreeterService final : public greet::Greeter::Service {
 public:
  explicit GreeterService(std::string name) : name_(std::move(name)) {}

 private:
  Task<Result<greet::HelloReply>> SayHello(ServerContext&, greet::HelloRequest) override {
    greet::HelloReply reply;
    reply.set_message(name_);
    co_return reply;
  }

  std::string name_;
};

nearcall::Status start(nearcall::Server& server, GreeterService& service, const std::string& at) {
  server.add_service(service).listen(at);
  return server.start().status();
}

int call_twice(const char* what, const Channel& channel) {
  const greet::Greeter::Client greeter(channel);
  std::printf("%s:", what);
  for (int i = 0; i < 2; ++i) {
    const auto options = CallOptions().timeout(10s).wait_for_ready();
    const Result<greet::HelloReply> reply = greeter.SayHello(greet::HelloRequest(), options);
    if (!reply) return report(reply.status());
    std::printf(" %s", reply->message().c_str());
  }
  std::printf("\n");
  return 0;
}

int main(int argc, char** argv) {
  if (argc != 2) return usage(argv[0]);
  const std::string one = argv[1];
  const std::string other = one + ".2";

  GreeterService first("first");
  GreeterService second("second");
  nearcall::Server second_server;
  if (const auto status = start(second_server, second, other); !status.ok()) return report(status);

  const Channel whichever = Channel::to_any({one, other});
  if (call_twice("whichever is there", whichever) != 0) return 1;

  nearcall::Health health;
  nearcall::Server first_server;
  first_server.add_service(health);
  if (const auto status = start(first_server, first, one); !status.ok()) return report(status);

  const Channel both =
      Channel::to_any({one, other}, ChannelOptions().picker(Picker::round_robin()));
  if (call_twice("by turns", both) != 0) return 1;

  health.set("greet.Greeter", nearcall::ServingStatus::not_serving);
  const Channel healthy = Channel::to_any({one, other}, ChannelOptions().service_config(R"({
    "loadBalancingConfig": [{"round_robin": {}}],
    "healthCheckConfig": {"serviceName": "greet.Greeter"}
  })"));
  if (call_twice("those that serve", healthy) != 0) return 1;

  const std::string folder = one.substr(sizeof("unix:") - 1, one.rfind('/') - sizeof("unix:") + 1);
  const Channel all("unix-dir:" + folder, ChannelOptions().service_config(R"({
    "loadBalancingConfig": [{"round_robin": {}}]
  })"));
  if (call_twice("all that are in the directory", all) != 0) return 1;

  first_server.stop();
  second_server.stop();
  first_server.wait();
  second_server.wait();
  return 0;
}
