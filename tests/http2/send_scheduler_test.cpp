// SPDX-License-Identifier: Apache-2.0
// SendScheduler: DATA in turns and within the windows, and who may hand over more.
#include "http2/send_scheduler.hpp"

#include "http2/scenario.hpp"
#include "http2/session.hpp"
#include "http2/session_pair.hpp"
#include "support/scripted_peer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nearcall::http2 {
namespace {

using test::Answering;
using test::ScriptedPeer;
using testing::ElementsAre;
using testing::IsEmpty;
namespace frames = test::frames;

// ---- frames -------------------------------------------------------------------------------------

TEST(SendScheduler, ExtendsTheLastUnsentDataFrame) {
  Answering peer;
  peer.send("one");
  peer.send("two");
  peer.session().end_stream(peer.stream(1));
  EXPECT_THAT(peer.hears_words(), ElementsAre("DATA 1 onetwo END_STREAM"));
}

TEST(SendScheduler, DoesNotTouchADataFrameThatHasBegunToBeSent) {
  Answering peer;
  peer.send("one");
  std::array<iovec, 1> pieces;
  ASSERT_EQ(peer.session().output(pieces), 1U);
  std::string sent(static_cast<const char*>(pieces[0].iov_base), 1);
  peer.session().output_sent(1, peer.now());
  peer.send("two", /*end_stream=*/true);
  sent += peer.hears_bytes();
  const auto frames = ScriptedPeer::parse(sent);
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(ScriptedPeer::in_words(frames[0]), "DATA 1 one");
  EXPECT_EQ(ScriptedPeer::in_words(frames[1]), "DATA 1 two END_STREAM");
}

TEST(SendScheduler, ReservedSpaceMayBeUsedInPartOrNotAtAll) {
  Answering peer;
  ASSERT_EQ(peer.session().reserve_data(peer.stream(1), 100).size(), 100U);
  const MutableByteSpan room = peer.session().reserve_data(peer.stream(1), 100);
  std::ranges::copy(as_bytes("abc"), room.begin());
  peer.session().commit_data(peer.stream(1), 3, /*end_stream=*/true);
  EXPECT_THAT(peer.hears_words(), ElementsAre("DATA 1 abc END_STREAM"));
}

TEST(SendScheduler, KeepsWithinBothWindows) {
  Answering peer({{SettingId::initial_window_size, 4}});
  peer.send("abcdefgh", /*end_stream=*/true);
  EXPECT_TRUE(peer.session().reserve_data(peer.stream(1), 1).empty());
  EXPECT_THAT(peer.hears_words(), ElementsAre("DATA 1 abcd"));
  EXPECT_FALSE(peer.session().has_output());
  peer.says(frames::window_update(1, 1));
  EXPECT_THAT(peer.hears_words(), ElementsAre("DATA 1 e"));
  peer.says(frames::settings({{SettingId::initial_window_size, 6}}));
  EXPECT_THAT(peer.hears_words(), ElementsAre("SETTINGS ACK", "DATA 1 fg"));
  peer.says(frames::settings({{SettingId::initial_window_size, 0}}) + frames::window_update(1, 6));
  EXPECT_THAT(peer.hears_words(), ElementsAre("SETTINGS ACK")) << "the window is 0 again";
  peer.says(frames::window_update(1, 1));
  EXPECT_THAT(peer.hears_words(), ElementsAre("DATA 1 h END_STREAM"));
}

/// A message of 100,000 bytes that says who still refers to it.
class CountedMessage final : public BytesOwner {
 public:
  OwnedBytes bytes() { return OwnedBytes(*this, as_bytes(text_)); }

 private:
  void let_go() noexcept override {}
  const std::string text_ = std::string(100'000, 'x');
};

TEST(SendScheduler, FramesOfAStreamThatIsGoneKeepOnlyTheirOwnBytes) {
  Answering peer({{SettingId::initial_window_size, 8192}});
  CountedMessage message;
  peer.session().send_data(peer.stream(1), message.bytes(), /*end_stream=*/true);
  std::array<iovec, 8> pieces;
  ASSERT_GT(peer.session().output(pieces), 1U);
  ASSERT_GT(message.references(), 1U);

  peer.says(frames::rst_stream(1, ErrorCode::cancel));

  EXPECT_EQ(message.references(), 1U);
  EXPECT_THAT(peer.hears_words(), ElementsAre("DATA 1 " + std::string(8192, 'x')));
}

TEST(SendScheduler, ServesStreamsInTurns) {
  ScriptedPeer peer(Role::server);
  ScriptedPeer::shake_hands(peer, Role::server, {{SettingId::initial_window_size, 1'000'000}});
  peer.says(frames::window_update(0, 10'000'000));
  for (const StreamId id : {1U, 3U}) {
    peer.says(frames::headers(id, frames::request_block(), 0x5));
    peer.session().send_headers(peer.stream(id), test::response_head(), {}, /*end_stream=*/false);
    test::send_text(peer.session(), peer.stream(id), std::string(200'000, 'x'), true);
  }
  std::vector<StreamId> order;
  for (const auto& frame : peer.hears()) {
    if (frame.header.type == FrameType::data) order.push_back(frame.header.stream);
  }
  const auto first_of_3 = std::ranges::find(order, 3U);
  EXPECT_LE(first_of_3 - order.begin(), 4) << "64 KiB of stream 1 at most come before stream 3";
}

TEST(SendScheduler, SendsALargeMessageAsOneFrameWithoutACopy) {
  Answering peer(
      {{SettingId::initial_window_size, 2'000'000}, {SettingId::max_frame_size, 2'000'000}});
  peer.says(frames::window_update(0, 2'000'000));
  OwnedBytes bytes(900'000);
  const std::byte* const data = bytes.data();
  peer.session().send_data(peer.stream(1), std::move(bytes), /*end_stream=*/true);
  std::array<iovec, 4> pieces;
  ASSERT_EQ(peer.session().output(pieces), 2U);
  EXPECT_EQ(pieces[0].iov_len, frame_header_size);
  EXPECT_EQ(pieces[1].iov_base, data);
  EXPECT_EQ(pieces[1].iov_len, 900'000U);
}

TEST(SendScheduler, SendsAMessageInPiecesAsIfItLayInOne) {
  Answering peer(
      {{SettingId::initial_window_size, 2'000'000}, {SettingId::max_frame_size, 100'000}});
  peer.says(frames::window_update(0, 2'000'000));
  std::array pieces = {OwnedBytes::copy_of(as_bytes("head")),
                       OwnedBytes::copy_of(as_bytes(std::string(150'000, 'x'))),
                       OwnedBytes::copy_of(as_bytes("tail"))};
  peer.session().send_data(peer.stream(1), pieces, /*end_stream=*/true);

  const std::vector<ScriptedPeer::Heard> heard = peer.hears();

  ASSERT_EQ(heard.size(), 2U) << "no frames but those that the size asks for";
  EXPECT_EQ(heard[0].header.length, 100'000U);
  EXPECT_FALSE(heard[0].header.has(frame_flag::end_stream));
  EXPECT_TRUE(heard[1].header.has(frame_flag::end_stream));
  EXPECT_EQ(heard[0].payload + heard[1].payload == "head" + std::string(150'000, 'x') + "tail",
            true);
}

TEST(SendScheduler, ReservesNoMoreInTheOutputThanItsLimit) {
  Answering peer(
      {{SettingId::initial_window_size, 2'000'000}, {SettingId::max_frame_size, 2'000'000}});
  peer.says(frames::window_update(0, 2'000'000));
  constexpr std::size_t limit = SendScheduler::max_reserved;

  EXPECT_EQ(peer.session().reserve_data(peer.stream(1), limit).size(), limit);
  EXPECT_TRUE(peer.session().reserve_data(peer.stream(1), limit + 1).empty());
}

TEST(SendScheduler, KeepsBytesOfAResetStreamUntilTheirFrameIsSent) {
  Answering peer;
  peer.send(std::string(20'000, 'x'));
  std::array<iovec, 4> pieces;
  ASSERT_GT(peer.session().output(pieces), 1U);
  peer.session().reset_stream(peer.stream(1), ErrorCode::internal_error);
  peer.session().release(peer.stream(1));
  const auto frames = peer.hears();
  EXPECT_EQ(frames.front().payload, std::string(frames.front().payload.size(), 'x'));
  EXPECT_EQ(frames.back().header.type, FrameType::rst_stream);
}

// ---- how much at a time -------------------------------------------------------------------------

/// A server's answer on stream 1 to a peer whose windows are as wide as they get.
struct Streaming : Answering {
  Streaming() : Answering({{SettingId::initial_window_size, max_window_size}}) {
    says(frames::window_update(0, max_window_size - 65'535));
    hears();
  }
  /// What one call of output() shows.
  std::size_t offered() {
    std::array<iovec, 1024> pieces;
    std::size_t sum = 0;
    for (const iovec& piece : std::span(pieces).first(session().output(pieces))) {
      sum += piece.iov_len;
    }
    return sum;
  }
};

TEST(SendScheduler, PutsOutNoMoreThanTheHighWaterMarkAtATime) {
  Streaming peer;
  peer.session().send_data(peer.stream(1), OwnedBytes(10 << 20), /*end_stream=*/false);
  const std::size_t first = peer.offered();
  EXPECT_GE(first, SendScheduler::high_water);
  EXPECT_LT(first, SendScheduler::high_water + 16'384 + 64 * frame_header_size);
  peer.session().output_sent(first - SendScheduler::low_water, peer.now());
  EXPECT_EQ(peer.offered(), SendScheduler::low_water) << "enough is out";
  peer.session().output_sent(1, peer.now());
  EXPECT_GE(peer.offered(), SendScheduler::high_water);
}

TEST(SendScheduler, AShortPieceIsCopiedAndALongOneReferredTo) {
  for (const std::size_t size : {SendScheduler::max_copied, SendScheduler::max_copied + 1}) {
    Answering peer({{SettingId::initial_window_size, 0}});
    peer.session().send_data(peer.stream(1), OwnedBytes(size), /*end_stream=*/false);
    peer.says(frames::window_update(1, 100'000));
    peer.session().output({});
    std::array<iovec, 4> pieces;
    EXPECT_EQ(peer.session().output(pieces), size > SendScheduler::max_copied ? 2U : 1U);
  }
}

TEST(SendScheduler, AStreamWithoutWindowHoldsNobodyUp) {
  Answering peer({{SettingId::initial_window_size, 3}});
  peer.says(frames::headers(3, frames::request_block(), 0x5));
  peer.session().send_headers(peer.stream(3), test::response_head(), {}, /*end_stream=*/false);
  peer.hears();
  peer.send("abcdef");
  test::send_text(peer.session(), peer.stream(3), "xyz", /*end_stream=*/true);
  EXPECT_THAT(peer.hears_words(), ElementsAre("DATA 1 abc", "DATA 3 xyz END_STREAM"));
}

TEST(SendScheduler, BytesOfOneStreamNeverOvertakeEachOther) {
  Answering peer({{SettingId::initial_window_size, 4}});
  peer.send("abcdef");
  peer.says(frames::window_update(1, 100));
  EXPECT_TRUE(peer.session().reserve_data(peer.stream(1), 1).empty());
  peer.send("g", /*end_stream=*/true);
  EXPECT_THAT(peer.hears_words(), ElementsAre("DATA 1 abcdefg END_STREAM"));
}

// ---- writable -----------------------------------------------------------------------------------

TEST(SendScheduler, TellsWhenAStreamIsWritableAgain) {
  Answering peer;
  EXPECT_TRUE(peer.session().is_writable(peer.stream(1)));
  peer.send(std::string((1 << 20) + 65'535, 'x'));
  EXPECT_FALSE(peer.session().is_writable(peer.stream(1)));
  peer.take_events();
  EXPECT_THAT(peer.events(), IsEmpty());
  peer.hears();
  EXPECT_FALSE(peer.session().is_writable(peer.stream(1))) << "1 MiB is queued";
  peer.says(frames::window_update(1, 1) + frames::window_update(0, 1));
  peer.hears();
  peer.take_events();
  EXPECT_THAT(peer.events(), ElementsAre("writable 1"));
  EXPECT_TRUE(peer.session().is_writable(peer.stream(1)));
}

TEST(SendScheduler, AStreamWithNothingQueuedMayQueueOneMessageWhateverTheOthersHold) {
  SessionOptions options;
  options.limits.max_buffered_output = 1000;
  Answering peer({{SettingId::initial_window_size, 0}}, options);
  peer.says(frames::headers(3, frames::request_block(), 0x5));
  peer.session().send_headers(peer.stream(3), test::response_head(), {}, /*end_stream=*/false);
  peer.hears();
  peer.events();
  peer.send(std::string(2000, 'x'));
  EXPECT_FALSE(peer.session().is_writable(peer.stream(1)));
  EXPECT_TRUE(peer.session().is_writable(peer.stream(3)));
  test::send_text(peer.session(), peer.stream(3), "x", false);
  EXPECT_FALSE(peer.session().is_writable(peer.stream(3)));

  peer.session().reset_stream(peer.stream(1), ErrorCode::cancel);
  peer.hears();
  peer.take_events();

  EXPECT_THAT(peer.events(), ElementsAre("writable 3"));
}

}  // namespace
}  // namespace nearcall::http2
