// SPDX-License-Identifier: Apache-2.0
// make_connector and make_listener: each kind of endpoint gets its transport.
#include "transport/make_transport.hpp"

#include "support/io.hpp"
#include "support/misuse.hpp"
#include "support/temp_dir.hpp"
#include "transport/connecting.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

namespace nearcall {
namespace {

TEST(MakeTransport, ListenerAndConnectorOfEachKindFindEachOther) {
  const test::TempDir directory;
  for (const std::string& target :
       {"unix:" + directory.file("s"), "npipe:" + directory.file("p"),
        "unix-abstract:nearcall-make-%00%FF%2F-" + std::to_string(::getpid()),
        std::string("ipv4:127.0.0.1:0")}) {
    SCOPED_TRACE(target);
    const ListenOptions options = target.find(directory.path()) != std::string::npos
                                      ? ListenOptions()
                                      : ListenOptions(untrusted::anyone());
    auto listener = make_listener(target, options);
    ASSERT_TRUE(listener);
    ASSERT_TRUE((*listener)->bind());
    const auto connector = make_connector((*listener)->address());
    ASSERT_TRUE(connector);

    const auto client = test::connect_now(**connector);

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
  const auto connector = make_connector("http://localhost");
  ASSERT_TRUE(connector);

  const auto connection = test::connect_now(**connector);

  ASSERT_FALSE(connection);
  EXPECT_EQ(connection.error().code(), StatusCode::failed_precondition);
  EXPECT_EQ(make_listener("http://localhost").status().code(), StatusCode::invalid_argument);
}

TEST(MakeTransport, WhatIsNoTargetIsAnError) {
  EXPECT_EQ(make_connector("carrier-pigeon:x").status().code(), StatusCode::invalid_argument);
  EXPECT_EQ(make_connector("carrier-pigeon:x").status().reason(), StatusReason::bad_target);
  EXPECT_EQ(make_listener("carrier-pigeon:x").status().code(), StatusCode::invalid_argument);
}

TEST(MakeTransport, ListenerWhosePolicyCannotBeKeptIsAnError) {
  EXPECT_EQ(make_listener("ipv4:127.0.0.1:0").status().code(), StatusCode::failed_precondition);
  EXPECT_EQ(make_listener("ipv4:127.0.0.1:0").status().reason(), StatusReason::misuse);
}

TEST(ListenerDeathTest, UsedOutOfOrderSaysTheOrder) {
  const test::TempDir directory;
  for (const std::string& target : {"unix:" + directory.file("s"), "npipe:" + directory.file("p"),
                                    std::string("ipv4:127.0.0.1:0")}) {
    SCOPED_TRACE(target);
    const auto made = make_listener(target, ListenOptions(untrusted::anyone()).mode(0600));
    ASSERT_TRUE(made) << made.error().to_string();
    Listener& listener = **made;
    const auto order = test::ends_with_sentence(
        "Listener: used out of order; call bind() once, and prepare_wait() only between bind() and "
        "unbind()");

    EXPECT_DEATH(listener.prepare_wait(), order);
    ASSERT_TRUE(listener.bind());
    EXPECT_DEATH(static_cast<void>(listener.bind()), order);
    listener.unbind();
    EXPECT_DEATH(listener.prepare_wait(), order);
  }
}

}  // namespace
}  // namespace nearcall
