// SPDX-License-Identifier: Apache-2.0
// make_connector and make_listener: each kind of endpoint gets its transport.
#include "transport/make_transport.hpp"

#include "support/io.hpp"
#include "support/temp_dir.hpp"
#include "transport/connecting.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

namespace nearcall {
namespace {

TEST(MakeTransport, ListenerAndConnectorOfEachKindFindEachOther) {
  const test::TempDir directory;
  for (const std::string& target :
       {"unix:" + directory.file("s"), "unix-abstract:nearcall-make-" + std::to_string(::getpid()),
        std::string("ipv4:127.0.0.1:0")}) {
    SCOPED_TRACE(target);
    auto listener = make_listener(*Endpoint::parse(target));
    ASSERT_TRUE(listener);
    ASSERT_TRUE((*listener)->bind());
    const auto connector = make_connector(*Endpoint::parse((*listener)->address()));

    const auto client = test::connect_now(*connector);

    ASSERT_TRUE(client) << client.error().to_string();
    const WaitAdvice advice = (*listener)->prepare_wait();
    pollfd watched{advice.fd(), advice.events(), 0};
    ASSERT_EQ(::poll(&watched, 1, 10'000), 1);
    const auto server = (*listener)->try_accept();
    ASSERT_TRUE(server && *server);
    ASSERT_TRUE(test::write_all(**client, "hello"));
    EXPECT_EQ(test::read_exactly(**server, 5), "hello");
  }
}

TEST(MakeTransport, AuthorityNeedsAConnectCallback) {
  const Endpoint endpoint = *Endpoint::parse("http://localhost");

  const auto connection = test::connect_now(*make_connector(endpoint));

  ASSERT_FALSE(connection);
  EXPECT_EQ(connection.error().code(), StatusCode::failed_precondition);
  EXPECT_EQ(make_listener(endpoint).status().code(), StatusCode::invalid_argument);
}

TEST(MakeTransport, ModeWithMoreThanPermissionBitsIsRefused) {
  ListenerOptions options;
  options.mode = 04600;

  const auto listener = make_listener(*Endpoint::parse("unix:/x"), options);

  EXPECT_EQ(listener.status().code(), StatusCode::invalid_argument);
}

}  // namespace
}  // namespace nearcall
