// SPDX-License-Identifier: Apache-2.0
// TestServer: a service and a channel to it, without a socket. Link nearcall::testing.
#pragma once

#include <nearcall/channel.hpp>
#include <nearcall/event_loop.hpp>
#include <nearcall/server.hpp>
#include <nearcall/service.hpp>

#include <string>

/// GoogleTest's.
namespace testing {}

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0::testing {

/// So that `testing::Test` within namespace nearcall is still GoogleTest's
/// (transport_contract.hpp).
using namespace ::testing;

/// A server of one service, and a channel to it, in this process and without a socket:
///
///     nearcall::testing::TestServer server(service);
///     greet::Greeter::Client greeter(server.channel());
///
/// Each has an `inproc:` name of its own, so tests may run at a time. All else is as between
/// processes: messages are sent in HTTP/2, and limits and deadlines hold.
///
/// It stops when it goes: calls under way are cancelled then. Thread safety: as Server's.
class TestServer {
 public:
  /// Serves on a thread of its own, so that clients may block. Throws std::runtime_error where it
  /// cannot start. `service` outlives it.
  explicit TestServer(Service& service,
                      ServerOptions options = ServerOptions(),
                      ChannelOptions channel_options = ChannelOptions());
  /// Serves on `loop`: with awaited calls on it, too, the test has one thread (and, with a
  /// ManualClock, its own time). A blocking call on that thread would wait for itself.
  TestServer(EventLoop& loop,
             Service& service,
             ServerOptions options = ServerOptions(),
             ChannelOptions channel_options = ChannelOptions());
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;
  ~TestServer() = default;

  const Channel& channel() const noexcept { return channel_; }
  Server& server() noexcept { return server_; }
  /// Where it listens, for further channels.
  const std::string& target() const noexcept { return target_; }

 private:
  void start(Service& service);

  std::string target_;
  Server server_;
  Channel channel_;
};

}  // namespace nearcall::inline v0::testing

#pragma GCC visibility pop
