// SPDX-License-Identifier: Apache-2.0
// The setters of options: of a variable they give it back, of a temporary a value that stays.
#include <nearcall/call_options.hpp>
#include <nearcall/channel.hpp>
#include <nearcall/server.hpp>

#include <gtest/gtest.h>

#include <chrono>

namespace nearcall {
namespace {

using namespace std::chrono_literals;

TEST(Options, AReferenceToWhatASetterOfATemporaryGivesStaysValid) {
  const CallOptions& call = CallOptions().timeout(1s).metadata("user", "7");
  const ChannelOptions& channel = ChannelOptions().authority("mine").max_connections(3);
  const ServerOptions& server = ServerOptions().threads(2);
  const ListenOptions& listen = ListenOptions().mode(0660);

  EXPECT_EQ(call.timeout(), 1s);
  EXPECT_EQ(call.metadata().get("user"), "7");
  EXPECT_EQ(channel.authority(), "mine");
  EXPECT_EQ(channel.max_connections(), 3U);
  EXPECT_EQ(server.threads(), 2U);
  EXPECT_EQ(listen.mode(), 0660U);
}

TEST(Options, ASetterOfAVariableChangesIt) {
  CallOptions options;

  CallOptions& same = options.timeout(1s);
  same.max_receive_message_size(7);

  EXPECT_EQ(&same, &options);
  EXPECT_EQ(options.max_receive_message_size(), 7U);
}

}  // namespace
}  // namespace nearcall
