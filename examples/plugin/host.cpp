// SPDX-License-Identifier: Apache-2.0
// A program that starts a plug-in, calls it, and learns how it ends.
#include "greet.nearcall.hpp"
#include "program.hpp"

#include <nearcall/channel.hpp>

#include <cstdio>
#include <filesystem>
#include <string_view>

using namespace std::chrono_literals;

nearcall::Result<greet::HelloReply> greet_one(const greet::Greeter::Client& greeter,
                                              const char* name) {
  greet::HelloRequest request;
  request.set_name(name);
  return greeter.SayHello(request, nearcall::CallOptions().timeout(5s));
}

int main(int argc, char** argv) {
  if (argc != 1) return usage(argv[0], "");
  const auto plugin =
      std::filesystem::read_symlink("/proc/self/exe").replace_filename("example_plugin");
  const auto channel = nearcall::Channel::spawn({plugin.string()});
  if (!channel) return report(channel.error());
  greet::Greeter::Client greeter(*channel);

  const auto reply = greet_one(greeter, "world");
  if (!reply) return report(reply.status());
  std::printf("%s\n", reply->message().c_str());

  const auto lost = greet_one(greeter, "bug");
  std::printf("%s\n", lost.status().to_string().c_str());
  const bool is_told = lost.status().message().find("status 3") != std::string_view::npos;
  return is_told ? 0 : report(lost.status());
}
