// SPDX-License-Identifier: Apache-2.0
// Turns: whatever a peer sends, others have theirs soon.
#include "base/clock.hpp"
#include "http2/common.hpp"
#include "http2/scenario.hpp"
#include "http2/session.hpp"
#include "support/frames.hpp"
#include "support/sanitized.hpp"
#include "support/scripted_peer.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>
#include <functional>
#include <ostream>
#include <string>

namespace nearcall::inline v0::detail::http2 {
namespace {

using namespace test::frames;
using test::ScriptedPeer;

/// What a driver reads in a turn at most.
constexpr std::size_t input_size = std::size_t{8} * 64 * 1024;
/// The turns after these are like them.
constexpr int enough_turns = 50;

struct Attack {
  const char* name;
  Role role;
  /// Makes the session ready for it; may give commands.
  std::function<void(ScriptedPeer&)> prepare;
  /// The n-th piece of it.
  std::function<std::string(StreamId)> piece;
};

std::ostream& operator<<(std::ostream& out, const Attack& attack) {
  return out << attack.name;
}

void nothing(ScriptedPeer& /*peer*/) {
}

void thousand_requests(ScriptedPeer& peer) {
  for (StreamId i = 0; i < 1000; ++i)
    peer.says(headers(2 * i + 1, request_block()));
}

void thousand_calls(ScriptedPeer& peer) {
  peer.says(settings({{SettingId::max_concurrent_streams, 2000}}));
  for (StreamId i = 0; i < 1000; ++i)
    test::with_open_request(peer);
}

void thousand_resets(ScriptedPeer& peer) {
  for (StreamId i = 0; i < 1000; ++i) {
    peer.says(headers(2 * i + 1, request_block()));
    peer.session().reset_stream(peer.stream(2 * i + 1), ErrorCode::cancel);
    peer.session().release(peer.stream(2 * i + 1));
  }
}

std::string block_in_frames(StreamId stream, std::string_view block) {
  std::string frames;
  FrameType type = FrameType::headers;
  while (!block.empty()) {
    const std::string_view part = block.substr(0, min_max_frame_size);
    block.remove_prefix(part.size());
    frames += raw(type, block.empty() ? flag::end_headers : 0, stream, part);
    type = FrameType::continuation;
  }
  return frames;
}

/// A name of 4,000 bytes goes into the table; two bytes each take it from there and put it back.
std::string name_copies(StreamId n) {
  std::string block = request_block() + "\x40\x7f" + "\xa1\x1e" + std::string(4000, 'n') + '\0';
  for (int i = 0; i < 60; ++i)
    block += std::string("\x7e\0", 2);
  return block_in_frames(2 * n + 1, block);
}

/// A list as large as it may be, of a few bytes, that is malformed in its last field.
std::string malformed_lists(StreamId n) {
  std::string block;
  if (n == 0) block = "\x40\x01" + std::string("k\x7f\xa1\x1e") + std::string(4000, 'v');
  block += request_block() + "\xbe\xbe\xbe" + std::string("\0\x01K\0", 4);
  return headers(2 * n + 1, block, test::end_both);
}

const Attack attacks[] = {
    {"NameCopies", Role::server, nothing, name_copies},
    {"MalformedLists", Role::server, nothing, malformed_lists},
    {"IndexedFields", Role::server, nothing,
     [](StreamId n) { return block_in_frames(2 * n + 1, std::string(60'000, '\x82')); }},
    {"HuffmanStrings", Role::server, nothing,
     [](StreamId n) {
       return block_in_frames(
           2 * n + 1, std::string("\0\x01k\xff\xe1\xd3\x03", 7) + std::string(60'000, '\0'));
     }},
    {"SettingsThatMoveWindows", Role::server, thousand_requests,
     [](StreamId n) {
       return settings({{SettingId::initial_window_size, 1000 + n % 2}});
     }},
    {"GoawaysThatEndFewer", Role::client, thousand_calls,
     [](StreamId n) { return goaway(max_stream_id - n, ErrorCode::no_error); }},
    {"DataOfGoneStreams", Role::server, thousand_resets, [](StreamId) { return data(1, "x"); }},
    {"ResetsOfGoneStreams", Role::server, thousand_resets,
     [](StreamId) { return rst_stream(1, ErrorCode::cancel); }},
    {"UnknownFrames", Role::server, nothing,
     [](StreamId) { return raw(static_cast<FrameType>(0x10), 0, 0, ""); }},
    {"WindowUpdates", Role::server, thousand_requests,
     [](StreamId) { return window_update(1, 1); }},
};

class SessionTurnTest : public testing::TestWithParam<Attack> {};

std::chrono::nanoseconds thread_time() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

TEST_P(SessionTurnTest, NoTurnOfAnAttackTakesLong) {
  const Attack& attack = GetParam();
  ScriptedPeer peer(attack.role);
  ScriptedPeer::shake_hands(peer, attack.role);
  attack.prepare(peer);
  peer.hears();
  std::string input;
  for (StreamId n = 0; input.size() < input_size; ++n)
    input += attack.piece(n);
  Session& session = peer.session();
  std::chrono::nanoseconds longest{};
  int turns = 0;

  session.receive(as_bytes(input), TimePoint());
  do {
    session.begin_turn();
    const std::chrono::nanoseconds begin = thread_time();
    while (!is_none(session.next_event())) {
    }
    longest = std::max(longest, thread_time() - begin);
    ++turns;
  } while (turns < enough_turns && !session.unread().empty() && !session.is_broken());

#ifdef NDEBUG
  if (!test::is_sanitized) {
    EXPECT_LT(longest, std::chrono::milliseconds(5));
  }
#endif
  RecordProperty("turns", turns);
  RecordProperty("longest_us", static_cast<int>(longest.count() / 1000));
  EXPECT_TRUE(turns > 1 || session.is_broken()) << "all of it in one turn";
}

INSTANTIATE_TEST_SUITE_P(Attacks,
                         SessionTurnTest,
                         testing::ValuesIn(attacks),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(SessionTurn, FramesWaitForTheNextTurnAndNothingIsLost) {
  ScriptedPeer peer(Role::server);
  ScriptedPeer::shake_hands(peer, Role::server);
  const std::string input = headers(1, request_block()) + headers(3, request_block());
  Session& session = peer.session();

  session.begin_turn(1);
  session.receive(as_bytes(input), TimePoint());
  const Event first = session.next_event();

  ASSERT_TRUE(std::holds_alternative<HeadersEvent>(first));
  EXPECT_EQ(stream_of(first)->id(), 1U);
  EXPECT_TRUE(session.is_turn_over());
  EXPECT_TRUE(is_none(session.next_event()));
  EXPECT_FALSE(session.unread().empty());

  session.begin_turn();
  EXPECT_EQ(stream_of(session.next_event())->id(), 3U);
  EXPECT_TRUE(session.unread().empty());
}

}  // namespace
}  // namespace nearcall::inline v0::detail::http2
