// SPDX-License-Identifier: Apache-2.0
// A transport that wakes only announced sleepers, under both drivers, spinning and parking.
#include "integration/both_drivers.hpp"
#include "support/link.hpp"
#include "support/queue_listener.hpp"

#include <memory>
#include <string>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;

/// Small enough for a writer to wait too.
constexpr std::size_t link_capacity = 2048;
constexpr Conversation plan{/*rounds=*/500, /*big_size=*/100'000, /*replies=*/300, /*bound=*/20s};

class AnnouncedTransportTest : public testing::Test {
 protected:
  void run(ClientDriver driver, SpinPolicy client, SpinPolicy server) {
    Server host(ServerOptions().spin(server).drain_timeout(1s));
    host.add_service(service_).listen(std::make_unique<QueueListener>(queue_), untrusted::anyone());
    ASSERT_TRUE(host.start());
    Channel channel("http://localhost", ChannelOptions().spin(client).connector(
                                            [this](const ConnectContext&) { return connect(); }));

    const Status status = converse(driver, Echo::Client(channel), plan, client);

    EXPECT_TRUE(status.ok()) << status.to_string();
    host.stop();
    host.wait();
  }
  Task<Result<std::unique_ptr<Transport>>> connect() {
    link_ = std::make_shared<Link>(Link::Manner::announced, link_capacity);
    TransportPair ends = Link::ends(link_);
    queue_->push(std::move(ends.second));
    co_return std::move(ends.first);
  }

  LogCapture log_;
  EchoService service_;
  std::shared_ptr<ConnectionQueue> queue_ = std::make_shared<ConnectionQueue>();
  std::shared_ptr<Link> link_;
};

class AnnouncedTransport : public AnnouncedTransportTest,
                           public testing::WithParamInterface<ClientDriver> {};

INSTANTIATE_TEST_SUITE_P(Drivers,
                         AnnouncedTransport,
                         testing::Values(ClientDriver::blocking, ClientDriver::loop),
                         driver_name);

TEST_P(AnnouncedTransport, BothSidesSleepAndNoWakeUpIsMissed) {
  // Each round of ping-pong puts each side to sleep, unless the other was quicker; on a loaded
  // machine it may be quicker each time.
  for (int tries = 0; tries < 20; ++tries) {
    run(GetParam(), SpinPolicy::off(), SpinPolicy::off());
    if (link_->wakes(0, Interest::read) > 0 && link_->wakes(1, Interest::read) > 0) return;
  }
  FAIL() << "one side never slept";
}

TEST_F(AnnouncedTransportTest, AWriterThatSleepsIsWokenByTheReader) {
  Server host(ServerOptions().spin(SpinPolicy::off()).drain_timeout(1s));
  host.add_service(service_).listen(std::make_unique<QueueListener>(queue_), untrusted::anyone());
  ASSERT_TRUE(host.start());
  Channel channel("http://localhost",
                  ChannelOptions().spin(SpinPolicy::off()).connector([this](const ConnectContext&) {
                    return connect();
                  }));
  const std::string payload(link_capacity / 8, 'x');

  auto call = Echo::Client(channel).Expand(request_of(payload, 100), CallOptions().timeout(20s));
  EXPECT_TRUE(link_->reaches_sleeps(1, Interest::write, 1)) << "nobody reads, and it did not wait";
  int seen = 0;
  while (call.read())
    ++seen;

  EXPECT_EQ(seen, 100);
  EXPECT_TRUE(call.finish().ok());
}

TEST_P(AnnouncedTransport, BothSidesSpin) {
  run(GetParam(), SpinPolicy::adaptive(5ms), SpinPolicy::adaptive(5ms));
}

TEST_P(AnnouncedTransport, AClientThatSpinsAndAServerThatSleeps) {
  run(GetParam(), SpinPolicy::adaptive(), SpinPolicy::off());
}

TEST_P(AnnouncedTransport, AClientThatSleepsAndAServerThatSpins) {
  run(GetParam(), SpinPolicy::off(), SpinPolicy::adaptive());
}

}  // namespace
}  // namespace nearcall::test
