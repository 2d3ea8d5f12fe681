// SPDX-License-Identifier: Apache-2.0
// max_buffered_headers: what all calls of a session together keep of headers.
#include "http2/common.hpp"
#include "http2/scenario.hpp"
#include "http2/session.hpp"
#include "support/scripted_peer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace nearcall::inline v0::detail::http2 {
namespace {

using namespace test::frames;
using test::ScriptedPeer;
using testing::ElementsAre;
using testing::StartsWith;

/// A peer past its handshake, of a session whose owner keeps what it gets.
class Keeper : public ScriptedPeer {
 public:
  Keeper(Role role, const SessionOptions& options) : ScriptedPeer(role, options) {
    shake_hands(*this, role);
    on_event = [](const Event&) {};
  }
};

/// Requests of that many bytes each, as max_header_list_size counts.
constexpr std::uint32_t padded_request_size = 1000;
std::string padded_request(StreamId id) {
  const std::size_t head_size =
      (7 + 4) + (7 + 4) + (5 + 6) + (10 + 9) + (2 + 8) + (12 + 16) + 6 * 32;
  return headers(
      id, request_block() + block({{"x", std::string(padded_request_size - head_size - 33, 'v')}}));
}
SessionOptions with_room_for_headers(std::uint32_t bytes) {
  SessionOptions options;
  options.limits->max_buffered_headers = bytes;
  return options;
}

TEST(HeaderBudget, HoldsForAllCallsTogether) {
  constexpr std::uint32_t calls = 20;
  for (const std::uint32_t more : {0U, 1U, 2U}) {
    const std::uint32_t limit = calls * padded_request_size + more - 1;
    Keeper peer(Role::server, with_room_for_headers(limit));
    for (std::uint32_t i = 0; i < 2 * calls; ++i) {
      peer.says(padded_request(2 * i + 1));
    }
    const std::uint32_t taken = more == 2 ? calls + 1 : calls;
    EXPECT_EQ(peer.session().stats().streams_opened, taken) << more;
    EXPECT_EQ(peer.session().stats().buffered_headers, taken * padded_request_size);
    EXPECT_EQ(peer.session().stats().requests_refused, 2 * calls - taken);
    EXPECT_THAT(peer.hears_words(), testing::Contains("RST_STREAM 43 REFUSED_STREAM"));
    EXPECT_FALSE(peer.session().is_broken());
  }
}

TEST(HeaderBudget, ACallsShareIsFreeWhenItsOwnerHasReleasedIt) {
  Keeper peer(Role::server, with_room_for_headers(padded_request_size));
  peer.says(padded_request(1) + rst_stream(1, ErrorCode::cancel) + padded_request(3));
  EXPECT_EQ(peer.session().stats().requests_refused, 1U) << "a reset alone frees nothing";

  peer.session().release(peer.stream(1));
  peer.says(padded_request(5));

  EXPECT_EQ(peer.session().stats().streams_opened, 2U);
  EXPECT_EQ(peer.session().stats().buffered_headers, padded_request_size);
  peer.session().release(peer.stream(5));
  EXPECT_EQ(peer.session().stats().buffered_headers, 0U);
}

TEST(HeaderBudget, CountsWhatTheOwnerMakesOfThem) {
  constexpr std::uint32_t made = 3 * padded_request_size;
  Keeper peer(Role::server, with_room_for_headers(2 * made));
  peer.on_event = [&peer](const Event& event) {
    const auto* const headers = std::get_if<HeadersEvent>(&event);
    if (headers == nullptr) return;
    peer.session().keeps_of_headers(*headers->stream, padded_request_size / 2);  // less: it is free
    peer.session().keeps_of_headers(*headers->stream, made);
  };
  for (const StreamId id : {1U, 3U, 5U})
    peer.says(padded_request(id));

  EXPECT_EQ(peer.session().stats().streams_opened, 2U);
  EXPECT_EQ(peer.session().stats().requests_refused, 1U);
  peer.session().release(peer.stream(1));
  EXPECT_EQ(peer.session().stats().buffered_headers, made);
}

TEST(HeaderBudget, TrailersOfACallThatNobodyKeepsDoNotEndIt) {
  Keeper peer(Role::server, with_room_for_headers(padded_request_size));
  peer.says(settings({{SettingId::initial_window_size, 0}}) + padded_request(1));
  Stream& stream = peer.stream(1);
  peer.session().send_headers(stream, test::response_head(), {}, /*end_stream=*/false);
  test::send_text(peer.session(), stream, "answer", /*end_stream=*/true);
  peer.session().release(stream);
  peer.says(padded_request(3));  // which uses the budget up
  peer.hears();

  peer.says(headers(1, block({{"x", "y"}}), test::end_both) + window_update(1, 100));

  EXPECT_THAT(peer.hears_words(), ElementsAre("DATA 1 answer END_STREAM"));
}

TEST(HeaderBudget, AnAnswerBeyondItEndsItsCall) {
  Keeper peer(Role::client, with_room_for_headers(300));
  const auto open = [&] {
    return &peer.session().open_stream(test::request_head(), {}, /*end_stream=*/true, nullptr);
  };
  Stream* const first = open();
  open();
  const std::string large = response_block() + block({{"x", std::string(200, 'v')}});
  peer.says(headers(1, large) + headers(3, large));

  EXPECT_THAT(peer.last_event(), StartsWith("reset 3 ENHANCE_YOUR_CALM local"));
  EXPECT_THAT(peer.last_event(), testing::HasSubstr("max_buffered_headers"));
  peer.session().release(*first);
  open();
  peer.says(headers(5, large));
  EXPECT_THAT(peer.last_event(), StartsWith("headers 5"));
  EXPECT_FALSE(peer.session().is_broken());
}

}  // namespace
}  // namespace nearcall::inline v0::detail::http2
