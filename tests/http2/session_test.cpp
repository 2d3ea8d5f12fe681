// SPDX-License-Identifier: Apache-2.0
// Session: a whole exchange, handshakes, and the life of streams.
#include "http2/session.hpp"

#include "http2/session_pair.hpp"
#include "support/scripted_peer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nearcall::http2 {
namespace {

using namespace std::chrono_literals;
using test::ScriptedPeer;
using test::SessionPair;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
namespace frames = test::frames;

TEST(Session, CarriesAUnaryExchange) {
  SessionPair pair;
  std::vector<std::string> seen;
  pair.on_server = [&](const Event& event) {
    seen.push_back("server: " + test::describe(event));
    if (event.end_stream) {
      pair.server.consumed(*event.stream, event.data.size());
      pair.server.send_headers(*event.stream, test::response_head(), {}, /*end_stream=*/false);
      test::send_text(pair.server, *event.stream, "world", /*end_stream=*/false);
      pair.server.send_headers(*event.stream, test::ok_trailers(), {}, /*end_stream=*/true);
      pair.server.release(*event.stream);
    }
  };
  pair.on_client = [&](const Event& event) {
    seen.push_back("client: " + test::describe(event));
    if (event.end_stream) pair.client.release(*event.stream);
  };

  Stream& stream = pair.client.open_stream(test::request_head(), {}, false, nullptr);
  test::send_text(pair.client, stream, "hello", /*end_stream=*/true);
  pair.run();

  EXPECT_THAT(
      seen, ElementsAre("server: settings",
                        "server: headers 1 :method=POST :scheme=http :path=/greet.Greeter/SayHello "
                        ":authority=localhost te=trailers content-type=application/grpc "
                        "user-agent=nearcall/0.1",
                        "server: data 1 hello end", "client: settings", "client: settings_ack",
                        "client: headers 1 :status=200 content-type=application/grpc",
                        "client: data 1 world", "client: headers 1 trailers grpc-status=0 end",
                        "server: settings_ack"));
  EXPECT_EQ(pair.client.stream_count(), 0U);
  EXPECT_EQ(pair.server.stream_count(), 0U);
}

}  // namespace
}  // namespace nearcall::http2
