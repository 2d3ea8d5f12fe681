// SPDX-License-Identifier: Apache-2.0
// Peers that connect and say nothing, or stop in the middle of what must be quick: closed after 5
// s.
#include "integration/echo_frames.hpp"
#include "integration/server_process.hpp"

#include <chrono>
#include <memory>
#include <vector>

namespace nearcall::test {

namespace http2 = detail::http2;
namespace {

using namespace std::chrono_literals;

constexpr std::size_t silent_ones = 300;

ServerSetup room_for_all() {
  ServerSetup setup;
  setup.options.max_connections_per_uid(1'000);
  return setup;
}

class SilentPeer : public ServerProcessTest {
 protected:
  SilentPeer() : ServerProcessTest(room_for_all()) {}
};

// One test: it waits for the five seconds once.
TEST_F(SilentPeer, ThreeHundredOfThemCostLittleAndAreClosedAfterFiveSeconds) {
  ASSERT_TRUE(serves());
  const std::size_t memory_before = resident_bytes(server_.pid());
  const auto begin = std::chrono::steady_clock::now();
  std::vector<std::unique_ptr<FramePeer>> silent;
  for (std::size_t i = 0; i < silent_ones; ++i)
    silent.push_back(std::make_unique<FramePeer>(server_.path()));
  FramePeer half_a_preface(server_.path());
  half_a_preface.say(frames::preface().substr(0, 20));
  FramePeer no_settings(server_.path());
  no_settings.say(frames::preface());
  FramePeer open_block(server_.path());
  ASSERT_TRUE(open_block.greet());
  open_block.say(frames::headers(1, frames::request_block(unary_path), 0));
  FramePeer half_a_frame(server_.path());
  ASSERT_TRUE(half_a_frame.greet());
  half_a_frame.say(frames::headers(1, frames::request_block(unary_path)).substr(0, 20));
  FramePeer idle(server_.path());
  ASSERT_TRUE(idle.greet());

  EXPECT_TRUE(serves()) << "beside them";
  const std::size_t memory_with = resident_bytes(server_.pid());
  RecordProperty("bytes_a_connection",
                 static_cast<int>((memory_with - memory_before) / silent_ones));
  if (!is_sanitized) {
    EXPECT_LT(memory_with, memory_before + silent_ones * 8 * 1024 + mebibyte);
  }

  for (const auto& peer : silent)
    EXPECT_TRUE(peer->hear_end());
  EXPECT_TRUE(half_a_preface.hear_end());
  EXPECT_TRUE(no_settings.hear_end());
  EXPECT_TRUE(open_block.hear_end());
  EXPECT_TRUE(half_a_frame.hear_end());
  const auto took = std::chrono::steady_clock::now() - begin;
  EXPECT_GE(took, 4900ms);
  EXPECT_LT(took, 8s);
  EXPECT_EQ(no_settings.goaway(), http2::ErrorCode::settings_timeout);
  EXPECT_EQ(open_block.goaway(), http2::ErrorCode::enhance_your_calm);
  EXPECT_EQ(half_a_frame.goaway(), http2::ErrorCode::enhance_your_calm);
  EXPECT_TRUE(idle.say(whole_call(1, unary_path, ""))) << "an idle one may stay";
  EXPECT_EQ(idle.hear(1).field("grpc-status"), "0");
}

class DefaultPlaces : public ServerProcessTest {};

TEST_F(DefaultPlaces, BeyondTwoHundredAndFiftySixOfOneUserTheOneIdleForLongestGivesWay) {
  std::vector<std::unique_ptr<FramePeer>> peers;
  for (int i = 0; i < 256; ++i) {
    peers.push_back(std::make_unique<FramePeer>(server_.path()));
    ASSERT_TRUE(peers.back()->greet()) << i;
  }

  FramePeer one_more(server_.path());
  ASSERT_TRUE(one_more.greet());

  EXPECT_TRUE(peers.front()->hear_end());
  EXPECT_EQ(peers.front()->goaway(), http2::ErrorCode::no_error);
  for (FramePeer* const peer : {peers[1].get(), &one_more}) {
    EXPECT_TRUE(peer->say(whole_call(1, unary_path, "")));
    EXPECT_EQ(peer->hear(1).field("grpc-status"), "0");
  }
}

}  // namespace
}  // namespace nearcall::test
