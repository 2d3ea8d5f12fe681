// SPDX-License-Identifier: Apache-2.0
// SendScheduler: DATA in turns and within the windows, and who may hand over more.
#include "http2/send_scheduler.hpp"

#include "http2/scenario.hpp"
#include "http2/session.hpp"
#include "support/scripted_peer.hpp"
#include "support/session_pair.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nearcall::inline v0::detail::http2 {
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
  EXPECT_EQ(in_words(frames[0]), "DATA 1 one");
  EXPECT_EQ(in_words(frames[1]), "DATA 1 two END_STREAM");
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
  void on_unreferenced() noexcept override {}
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

  const std::vector<test::HeardFrame> heard = peer.hears();

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

TEST(SendScheduler, AFrameEndsWithTheBlockOfOutputThatItLiesIn) {
  Streaming peer;
  constexpr std::size_t pieces = 400;
  std::string sent;
  for (std::size_t i = 0; i < pieces; ++i) {
    const std::string piece(1000, static_cast<char>('a' + i % 26));
    const MutableByteSpan room = peer.session().reserve_data(peer.stream(1), piece.size());
    ASSERT_EQ(room.size(), piece.size());
    std::ranges::copy(as_bytes(piece), room.begin());
    peer.session().commit_data(peer.stream(1), piece.size(), /*end_stream=*/i + 1 == pieces);
    sent += piece;
  }

  std::string heard;
  for (const auto& frame : ScriptedPeer::parse(peer.hears_bytes())) {
    EXPECT_EQ(frame.header.type, FrameType::data);
    heard += frame.payload;
  }
  EXPECT_TRUE(heard == sent);
}

TEST(SendScheduler, AStreamWhoseLastFrameLiesInAFullBlockEndsWithAnEmptyOne) {
  Streaming peer;
  peer.send("first");
  peer.says(frames::headers(3, frames::request_block(), 0x5));
  Stream& other = peer.stream(3);
  peer.session().send_headers(other, test::response_head(), {}, /*end_stream=*/false);
  for (int i = 0; i < 400; ++i) {
    ASSERT_FALSE(peer.session().reserve_data(other, 1000).empty());
    peer.session().commit_data(other, 1000, /*end_stream=*/false);
  }

  peer.session().end_stream(peer.stream(1));

  const auto all = ScriptedPeer::parse(peer.hears_bytes());
  ASSERT_GT(all.size(), 2U);
  EXPECT_EQ(in_words(all.front()), "DATA 1 first");
  EXPECT_EQ(in_words(all.back()), "DATA 1 END_STREAM");
}

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
  EXPECT_TRUE(peer.session().is_writable(peer.stream(1), 1));
  peer.send(std::string((1 << 20) + 65'535, 'x'));
  EXPECT_FALSE(peer.session().is_writable(peer.stream(1), 1));
  peer.take_events();
  EXPECT_THAT(peer.events(), IsEmpty());
  peer.hears();
  EXPECT_FALSE(peer.session().is_writable(peer.stream(1), 1)) << "1 MiB is queued";
  peer.says(frames::window_update(1, 1) + frames::window_update(0, 1));
  peer.hears();
  peer.take_events();
  EXPECT_THAT(peer.events(), ElementsAre("writable 1"));
  EXPECT_TRUE(peer.session().is_writable(peer.stream(1), 1));
}

/// A server's answers on several streams, of which those without window keep the budget used up.
struct Crowded : Answering {
  static SessionOptions options() {
    SessionOptions options;
    options.limits->max_buffered_output = 1000;
    return options;
  }
  explicit Crowded(std::uint32_t window = 0)
      : Answering({{SettingId::initial_window_size, window}}, options()) {
    for (const StreamId id : {3U, 5U, 7U}) {
      says(frames::headers(id, frames::request_block(), 0x5));
      session().send_headers(stream(id), test::response_head(), {}, /*end_stream=*/false);
    }
    settle();
  }

  bool is_writable(StreamId id, std::size_t size = 1) {
    return session().is_writable(stream(id), size);
  }
  void send_on(StreamId id, std::size_t size) {
    test::send_text(session(), stream(id), std::string(size, 'x'), /*end_stream=*/false);
  }
  /// What happens once all that may go went.
  std::vector<std::string> settle() {
    hears();
    take_events();
    return events();
  }
};

TEST(SendScheduler, AStreamQueuesNothingOnceTheOthersUseTheBudgetUp) {
  Crowded peer;
  peer.send_on(1, 999);
  EXPECT_TRUE(peer.is_writable(3, 1'000'000)) << "the last message may be of any size";
  peer.send_on(3, 1);

  EXPECT_FALSE(peer.is_writable(1));
  EXPECT_FALSE(peer.is_writable(3));
  EXPECT_FALSE(peer.is_writable(5));
}

TEST(SendScheduler, WhoWaitsForTheBudgetIsServedInTheOrderOfComing) {
  Crowded peer;
  peer.send_on(1, 1000);
  for (const StreamId id : {7U, 3U, 5U})
    ASSERT_FALSE(peer.is_writable(id));
  peer.settle();

  peer.says(frames::window_update(1, 500));

  EXPECT_THAT(peer.settle(), ElementsAre("writable 7", "writable 3", "writable 5"));
}

TEST(SendScheduler, WhoWaitsIsWokenOnlyAsFarAsTheBudgetGoes) {
  Crowded peer;
  peer.send_on(1, 1000);
  ASSERT_FALSE(peer.is_writable(3));
  ASSERT_FALSE(peer.is_writable(5));
  peer.settle();
  peer.session().reset_stream(peer.stream(1), ErrorCode::cancel);

  const Event first = peer.session().next_event();
  peer.send_on(3, 1000);

  EXPECT_EQ(stream_of(first), &peer.stream(3));
  EXPECT_TRUE(is_none(peer.session().next_event()));
}

TEST(SendScheduler, AMessageThatTheWindowCoversGoesThoughOthersUseTheBudgetUp) {
  Crowded peer(/*window=*/100);
  peer.send_on(1, 2000);
  peer.settle();

  EXPECT_FALSE(peer.is_writable(3, 101));
  EXPECT_TRUE(peer.is_writable(3, 100));
  peer.send_on(3, 100);
  EXPECT_THAT(peer.hears_words(), ElementsAre("DATA 3 " + std::string(100, 'x')));
}

TEST(SendScheduler, BeyondTheBudgetOneMessageGoesAtATime) {
  Crowded peer(/*window=*/60'000);
  peer.says(frames::window_update(0, 1'000'000));
  peer.send_on(1, 70'000);
  peer.settle();
  peer.session().send_data(peer.stream(3), OwnedBytes(50'000), /*end_stream=*/false);

  EXPECT_FALSE(peer.is_writable(5, 50'000)) << "one is queued";
  EXPECT_FALSE(peer.is_writable(7, 50'000));
  EXPECT_THAT(peer.settle(), ElementsAre("writable 5", "writable 7"));
}

TEST(SendScheduler, AWindowThatOpensLetsAMessageOvertakeThoseThatWaitForTheBudget) {
  Crowded peer;
  peer.send_on(1, 1000);
  ASSERT_FALSE(peer.is_writable(3, 10));
  ASSERT_FALSE(peer.is_writable(5, 10));
  peer.settle();

  peer.says(frames::window_update(5, 10));

  EXPECT_THAT(peer.settle(), ElementsAre("writable 5"));
}

TEST(SendScheduler, AMessageOfAnySizeGoesWhenNothingElseIsQueuedWhateverTheBudget) {
  SessionOptions options;
  options.limits->max_buffered_output = 0;
  options.limits->max_buffered_output_stream = 0;
  Answering peer({{SettingId::initial_window_size, 0}}, options);

  EXPECT_TRUE(peer.session().is_writable(peer.stream(1), 1'000'000));
}

TEST(SendScheduler, TellsOnceThatStreamsWaitForThePeer) {
  Crowded peer;
  peer.send_on(1, 1000);
  ASSERT_FALSE(peer.is_writable(3));

  EXPECT_THAT(peer.settle(), ElementsAre(testing::StartsWith("writers_wait")));
  ASSERT_FALSE(peer.is_writable(5));
  EXPECT_THAT(peer.settle(), IsEmpty());
}

// ---- who will make a message --------------------------------------------------------------------

TEST(SendScheduler, NoMessageIsMadeWhileTheBudgetIsUsedUp) {
  Crowded peer;
  peer.send_on(1, 999);
  EXPECT_TRUE(peer.session().may_make_message(peer.stream(3)));
  peer.send_on(1, 1);

  EXPECT_FALSE(peer.session().may_make_message(peer.stream(1)));
  EXPECT_FALSE(peer.session().may_make_message(peer.stream(3)));
}

TEST(SendScheduler, AMessageThatWaitsWithItsOwnerCountsUntilItsStreamGoes) {
  Crowded peer;
  peer.send_on(1, 500);
  peer.send_on(3, 500);
  ASSERT_FALSE(peer.is_writable(5, 600));
  peer.session().reset_stream(peer.stream(1), ErrorCode::cancel);
  EXPECT_FALSE(peer.session().may_make_message(peer.stream(7))) << "500 wait, and 600";

  peer.session().reset_stream(peer.stream(5), ErrorCode::cancel);

  EXPECT_TRUE(peer.session().may_make_message(peer.stream(7)));
}

TEST(SendScheduler, WhoseMessageWaitsMakesNoSecondOneAndIsNotHeldBack) {
  Crowded peer;
  peer.send_on(1, 1000);
  ASSERT_FALSE(peer.is_writable(3));

  EXPECT_TRUE(peer.session().may_make_message(peer.stream(3)));
  peer.settle();
  peer.says(frames::window_update(1, 1));
  EXPECT_THAT(peer.settle(), ElementsAre("writable 3")) << "it still waits";
}

TEST(SendScheduler, AStreamWithAnOpenWindowMayAddToALongerBacklog) {
  SessionOptions options = Crowded::options();
  options.limits->max_buffered_output_of_new_calls = 2'000;
  Answering peer({{SettingId::initial_window_size, 0}}, options);
  peer.says(frames::headers(3, frames::request_block(), 0x5));
  test::send_text(peer.session(), peer.stream(1), std::string(1'999, 'x'), /*end_stream=*/false);
  ASSERT_FALSE(peer.session().may_make_message(peer.stream(3)));

  peer.says(frames::window_update(3, 1));

  EXPECT_TRUE(peer.session().may_make_message(peer.stream(3)));
  test::send_text(peer.session(), peer.stream(1), "x", /*end_stream=*/false);
  EXPECT_FALSE(peer.session().may_make_message(peer.stream(3)));
}

TEST(SendScheduler, WhoWillMakeAMessageComesAfterThoseWhoHaveOneAndInOrder) {
  Crowded peer;
  peer.send_on(1, 1000);
  ASSERT_FALSE(peer.session().may_make_message(peer.stream(7)));
  ASSERT_FALSE(peer.session().may_make_message(peer.stream(3)));
  ASSERT_FALSE(peer.is_writable(5));
  peer.settle();

  peer.says(frames::window_update(1, 500));

  EXPECT_THAT(peer.settle(), ElementsAre("writable 5", "writable 7", "writable 3"));
}

TEST(SendScheduler, TrailersThatWaitBehindDataCountAsQueued) {
  Crowded peer;
  peer.send_on(1, 1);
  peer.session().send_headers(peer.stream(1), HeaderTemplate::none(),
                              std::array{HeaderField{"text", std::string(1000, 'x')}},
                              /*end_stream=*/true);

  EXPECT_FALSE(peer.is_writable(3));
  peer.session().reset_stream(peer.stream(1), ErrorCode::cancel);
  EXPECT_TRUE(peer.is_writable(3));
}

}  // namespace
}  // namespace nearcall::inline v0::detail::http2
