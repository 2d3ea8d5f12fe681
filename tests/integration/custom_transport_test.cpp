// SPDX-License-Identifier: Apache-2.0
// The transport of examples/custom_transport under both drivers.
#include "../examples/custom_transport/plugin_transport.hpp"
#include "base/unique_fd.hpp"
#include "integration/both_drivers.hpp"

#include <utility>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;
using Connected = Result<std::unique_ptr<Transport>>;
using plugin::FdListener;
using plugin::PassedSocket;

constexpr Conversation custom_plan{/*rounds=*/100, /*big_size=*/1'000'000, /*replies=*/500,
                                   /*bound=*/20s};

std::pair<detail::UniqueFd, detail::UniqueFd> plain_socket_pair() {
  int fds[2] = {-1, -1};
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  return {detail::UniqueFd(fds[0]), detail::UniqueFd(fds[1])};
}

class CustomTransport : public testing::TestWithParam<ClientDriver> {
 protected:
  LogCapture log_;
  EchoService service_;
};

INSTANTIATE_TEST_SUITE_P(Drivers,
                         CustomTransport,
                         testing::Values(ClientDriver::blocking, ClientDriver::loop),
                         driver_name);

Task<Connected> hand_over(detail::UniqueFd& socket) {
  char word = 0;
  if (::recv(socket.get(), &word, 1, 0) != 1) {
    co_return Status(StatusCode::unavailable, "the socket was handed over before");
  }
  co_return std::make_unique<PassedSocket>(socket.release());
}

TEST_P(CustomTransport, CarriesEveryKindOfCallAndEndsItsServer) {
  auto [ours, theirs] = plain_socket_pair();
  Server server(ServerOptions().drain_timeout(1s));
  server.add_service(service_).listen(std::make_unique<FdListener>(theirs.get(), server),
                                      untrusted::anyone());
  ASSERT_TRUE(server.start());
  {
    detail::UniqueFd& socket = ours;
    Channel channel("http://localhost", ChannelOptions().max_connections(1).connector(
                                            [&socket](const auto&) { return hand_over(socket); }));

    const Status status = converse(GetParam(), Echo::Client(channel), custom_plan);

    EXPECT_TRUE(status.ok()) << status.to_string();
  }
  server.wait();  // without stop(): the end of its only connection stops it
}

}  // namespace
}  // namespace nearcall::test
