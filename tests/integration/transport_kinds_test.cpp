// SPDX-License-Identifier: Apache-2.0
// Transports of unusual ways carry calls under both drivers.
#include "integration/both_drivers.hpp"
#include "support/crossed_pipe.hpp"
#include "support/fragmenting_transport.hpp"
#include "support/handshaking_transport.hpp"
#include "support/queue_listener.hpp"
#include "support/scattered_transport.hpp"
#include "transport/socket_transport.hpp"

#include <memory>
#include <ostream>
#include <string>
#include <tuple>
#include <utility>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;
using Ends = std::pair<std::unique_ptr<Transport>, std::unique_ptr<Transport>>;

Ends sockets() {
  auto pair = detail::make_socketpair();
  return {std::move(pair->first), std::move(pair->second)};
}

Ends fragmented() {
  Ends ends = sockets();
  return {std::make_unique<FragmentingTransport>(std::move(ends.first), 7),
          std::make_unique<FragmentingTransport>(std::move(ends.second), 7)};
}

/// Reads wait for POLLOUT, writes for POLLIN.
Ends crossed() {
  return make_crossed_pipe(std::size_t{16} * 1024);
}

/// Each wait is for another descriptor.
Ends scattered() {
  Ends ends = sockets();
  return {std::make_unique<ScatteredTransport>(std::move(ends.first)),
          std::make_unique<ScatteredTransport>(std::move(ends.second))};
}

HandshakeScript three_steps() {
  HandshakeScript script;
  script.steps = 3;
  script.is_ours_to_do = true;
  script.events = POLLOUT;
  return script;
}

/// A handshake of three steps, each of which waits until it can write.
Ends handshaking() {
  static HandshakeScript client;
  static HandshakeScript server;
  client = three_steps();
  server = three_steps();
  Ends ends = sockets();
  return {std::make_unique<HandshakingTransport>(std::move(ends.first), client),
          std::make_unique<HandshakingTransport>(std::move(ends.second), server)};
}

struct Kind {
  const char* name;
  Ends (*make)();
};

void PrintTo(const Kind& kind, std::ostream* to) {
  *to << kind.name;
}

class TransportKind : public LogCheckedTest,
                      public testing::WithParamInterface<std::tuple<ClientDriver, Kind>> {
 protected:
  Task<Result<std::unique_ptr<Transport>>> connect() {
    Ends ends = std::get<Kind>(GetParam()).make();
    queue_->push(std::move(ends.second));
    co_return std::move(ends.first);
  }

  EchoService service_;
  std::shared_ptr<ConnectionQueue> queue_ = std::make_shared<ConnectionQueue>();
};

INSTANTIATE_TEST_SUITE_P(
    All,
    TransportKind,
    testing::Combine(testing::Values(ClientDriver::blocking, ClientDriver::loop),
                     testing::Values(Kind{"Fragmented", fragmented},
                                     Kind{"Crossed", crossed},
                                     Kind{"Scattered", scattered},
                                     Kind{"Handshaking", handshaking})),
    [](const auto& of) {
      const bool is_blocking = std::get<ClientDriver>(of.param) == ClientDriver::blocking;
      return std::get<Kind>(of.param).name + std::string(is_blocking ? "Blocking" : "Loop");
    });

TEST_P(TransportKind, CarriesCalls) {
  Server host(ServerOptions().spin(SpinPolicy::off()).drain_timeout(1s));
  host.add_service(service_).listen(std::make_unique<QueueListener>(queue_), untrusted::anyone());
  ASSERT_TRUE(host.start());
  Channel channel("http://localhost",
                  ChannelOptions().spin(SpinPolicy::off()).connector([this](const ConnectContext&) {
                    return connect();
                  }));
  constexpr Conversation plan{/*rounds=*/50, /*big_size=*/20'000, /*replies=*/100, /*bound=*/5s};

  const Status status =
      converse(std::get<ClientDriver>(GetParam()), Echo::Client(channel), plan, SpinPolicy::off());

  EXPECT_TRUE(status.ok()) << status.to_string();
  host.stop();
  host.wait();
}

}  // namespace
}  // namespace nearcall::test
