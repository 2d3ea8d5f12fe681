// SPDX-License-Identifier: Apache-2.0
// A service and a channel to it, without a socket.
#include <nearcall/testing/test_server.hpp>

#include <atomic>
#include <stdexcept>
#include <string>
#include <utility>

namespace nearcall::inline v0::testing {
namespace {

/// No other one of this process has it.
std::string new_target() {
  static std::atomic<unsigned> made{0};
  return "inproc:nearcall TestServer " + std::to_string(++made);
}

}  // namespace

TestServer::TestServer(Service& service, ServerOptions options, ChannelOptions channel_options)
    : target_(new_target()),
      server_(std::move(options)),
      channel_(target_, std::move(channel_options)) {
  start(service);
}

TestServer::TestServer(EventLoop& loop,
                       Service& service,
                       ServerOptions options,
                       ChannelOptions channel_options)
    : target_(new_target()),
      server_(loop, std::move(options)),
      channel_(target_, std::move(channel_options)) {
  start(service);
}

void TestServer::start(Service& service) {
  server_.add_service(service).listen(target_);
  if (const Result<void> started = server_.start(); !started)
    throw std::runtime_error("TestServer: " + started.error().to_string());
}

}  // namespace nearcall::inline v0::testing
