// SPDX-License-Identifier: Apache-2.0
// Each kind of address between two processes, under both drivers of a client.
#include "integration/both_drivers.hpp"
#include "integration/server_process.hpp"
#include "support/scoped_variable.hpp"

#include <unistd.h>

#include <string>

namespace nearcall::test {
namespace {

class Address : public LogCheckedTest, public testing::WithParamInterface<ClientDriver> {
 protected:
  /// A conversation with a server process that listens at `target`.
  std::string converse_at(const std::string& target,
                          const ListenOptions& listen = ListenOptions()) {
    ServerSetup setup;
    setup.target = target;
    setup.listen = listen;
    return converse_with(setup, ChannelOptions());
  }
  std::string converse_with(const ServerSetup& setup, ChannelOptions options) {
    ServerProcess server(folder_.file("x"), setup);
    if (!server.is_ready()) return "not ready: " + server.log();
    const Channel channel(server.target(), std::move(options));
    return converse(GetParam(), Echo::Client(channel),
                    {.rounds = 20, .big_size = mebibyte, .replies = 100})
        .to_string();
  }

  const TempDir folder_;
};

INSTANTIATE_TEST_SUITE_P(Drivers,
                         Address,
                         testing::Values(ClientDriver::blocking, ClientDriver::loop),
                         driver_name);

TEST_P(Address, OfAPathServes) {
  EXPECT_EQ(converse_at("unix:" + folder_.file("s")), "OK");
}

TEST_P(Address, OfAnAbstractNameServes) {
  const std::string target = "unix-abstract:nearcall%00%FF-" + std::to_string(::getpid());

  EXPECT_EQ(converse_at(target, untrusted::anyone()), "OK");
}

TEST_P(Address, OfANamedPipeServes) {
  const ScopedVariable directory("TMPDIR", folder_.path().c_str());

  EXPECT_EQ(converse_at("npipe:greeter"), "OK");
}

}  // namespace
}  // namespace nearcall::test
