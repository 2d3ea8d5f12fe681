// SPDX-License-Identifier: Apache-2.0
// Pump: what it reads and writes, and each way in which it ends.
#include "connection/pump.hpp"

#include "connection/pump_fixture.hpp"
#include "support/failing_transport.hpp"

#include <algorithm>
#include <memory>
#include <string>

namespace nearcall::inline v0::detail {
namespace {

TEST_F(PumpTest, SaysWhenThereIsNothingToRead) {
  make();

  EXPECT_EQ(read(), Progress::none);
  EXPECT_FALSE(pump_->has_ended());
  EXPECT_EQ(pump_->end_reason(), EndReason::none);
}

TEST_F(PumpTest, TurnsBytesIntoEventsAndOutputIntoBytes) {
  make();
  open();
  send_output();

  read_all();
  ASSERT_NE(stream_, nullptr);
  pump_->session().send_headers(*stream_, test::response_head(), {},
                                /*end_stream=*/true);
  EXPECT_TRUE(pump_->has_output());
  EXPECT_EQ(pump_->flush(now()), Progress::some);
  EXPECT_FALSE(pump_->has_output());
  receive();

  EXPECT_EQ(count_of<http2::HeadersEvent>(client_saw_), 1);
}

TEST_F(PumpTest, BytesThatTheDriverReadItselfAreTheSame) {
  make();
  open();
  const std::string bytes = test::take_output(client_);

  EXPECT_EQ(pump_->feed(IoResult::bytes(bytes.size()), as_bytes(bytes), now()), Progress::some);
  EXPECT_EQ(pump_->feed(IoResult::would_block(), {}, now()), Progress::none);

  EXPECT_NE(stream_, nullptr);
}

// ---- turns --------------------------------------------------------------------------------------

constexpr std::uint32_t streams_per_turn = ConnectionLimits().max_new_streams_per_turn;

class PumpTurnTest : public PumpTest, public testing::WithParamInterface<std::uint32_t> {
 protected:
  /// A pump whose peer knows how many streams it may open, and opens so many.
  void make_with_requests(std::uint32_t count) {
    make();
    exchange();
    for (std::uint32_t i = 0; i < count; ++i)
      open();
    send_output();
  }
  std::uint32_t new_streams() const {
    return static_cast<std::uint32_t>(count_of<http2::HeadersEvent>(saw_));
  }
  /// One turn of one read, after which the driver's buffer holds something else.
  Progress take_turn() {
    pump_->begin_turn();
    const Progress progress = read();
    std::ranges::fill(read_scratch(), std::byte{0xff});
    return progress;
  }
};

TEST_P(PumpTurnTest, TakesNoMoreNewStreamsThanTheLimitInATurn) {
  make_with_requests(GetParam());

  EXPECT_EQ(take_turn(), Progress::some);

  EXPECT_EQ(new_streams(), std::min(GetParam(), streams_per_turn));
  EXPECT_EQ(pump_->is_turn_over(), GetParam() >= streams_per_turn);
  EXPECT_EQ(pump_->has_unread(), GetParam() > streams_per_turn);
}

TEST_P(PumpTurnTest, TakesTheRestInTheTurnsAfter) {
  make_with_requests(GetParam());

  std::uint32_t turns = 0;
  while (take_turn() == Progress::some)
    ++turns;

  EXPECT_EQ(new_streams(), GetParam());
  EXPECT_EQ(turns, (GetParam() + streams_per_turn - 1) / streams_per_turn);
  EXPECT_FALSE(pump_->has_unread());
}

INSTANTIATE_TEST_SUITE_P(
    Streams,
    PumpTurnTest,
    testing::Values(streams_per_turn - 1, streams_per_turn, streams_per_turn + 1, 1000));

TEST_F(PumpTurnTest, ReadsNothingOnceItsTurnIsOver) {
  make_with_requests(streams_per_turn + 1);
  ASSERT_EQ(take_turn(), Progress::some);

  EXPECT_EQ(read(), Progress::some);
  EXPECT_EQ(pump_->flush(now()), Progress::some);

  EXPECT_EQ(new_streams(), streams_per_turn);
}

TEST_F(PumpTurnTest, EndsWhenThePeersFramesHaveTakenTheirTime) {
  make_with_requests(0);
  const std::string unknown_frame("\0\0\0\x10\0\0\0\0\0", 9);
  std::string frames;
  while (frames.size() < read_scratch().size())
    frames += unknown_frame;

  pump_->begin_turn();
  pump_->feed(IoResult::bytes(frames.size()), as_bytes(frames), now());
  frames.clear();
  EXPECT_TRUE(pump_->is_turn_over());
  EXPECT_TRUE(pump_->has_unread());
  while (take_turn() == Progress::some) {
  }

  EXPECT_FALSE(pump_->has_unread());
  EXPECT_FALSE(pump_->has_ended());
}

TEST_F(PumpTurnTest, TheEndOfTheConnectionComesAfterWhatWasSentBefore) {
  make_with_requests(streams_per_turn + 1);
  peer_.reset();

  EXPECT_EQ(take_turn(), Progress::some);
  EXPECT_EQ(take_turn(), Progress::some);
  EXPECT_EQ(new_streams(), streams_per_turn + 1);
  EXPECT_EQ(take_turn(), Progress::ended);

  EXPECT_EQ(reason_, EndReason::peer_closed);
}

TEST_F(PumpTurnTest, AViolationBehindTheLimitEndsItWhenItIsReached) {
  make_with_requests(streams_per_turn + 1);
  ASSERT_TRUE(test::write_all(*peer_, std::string("\0\0\4\x8\0\0\0\0\0\0\0\0\0", 13)));

  EXPECT_EQ(take_turn(), Progress::some) << "WINDOW_UPDATE by 0 is still unread";
  EXPECT_EQ(take_turn(), Progress::ended);

  EXPECT_EQ(reason_, EndReason::protocol_violation);
}

TEST_F(PumpTest, EndsWhenThePeerCloses) {
  make();
  peer_.reset();

  EXPECT_EQ(read(), Progress::ended);

  EXPECT_EQ(reason_, EndReason::peer_closed);
  EXPECT_EQ(read(), Progress::ended) << "and stays ended";
  EXPECT_EQ(pump_->flush(now()), Progress::ended);
  EXPECT_EQ(ends_, 1);
}

TEST_F(PumpTest, EndsWhenReadingFails) {
  make(std::make_unique<test::FailingTransport>(std::move(inner_), 0,
                                                std::make_error_code(std::errc::io_error)));
  EXPECT_EQ(read(), Progress::ended);

  EXPECT_EQ(reason_, EndReason::read_failed);
  EXPECT_EQ(what_, std::make_error_code(std::errc::io_error).message());
}

TEST_F(PumpTest, SaysOfAFailureWithoutAnErrorThatNobodyKnowsWhy) {
  make(std::move(inner_));

  EXPECT_EQ(pump_->feed(IoResult::failed(std::error_code()), {}, now()), Progress::ended);

  EXPECT_EQ(reason_, EndReason::read_failed);
  EXPECT_EQ(what_, "it failed, and did not say why");
}

/// Says that each read and each write moved nothing, or one byte more than it could.
class BoastingTransport final : public ForwardingTransport {
 public:
  BoastingTransport(std::unique_ptr<Transport> inner, bool is_more)
      : ForwardingTransport(std::move(inner)), is_more_(is_more) {}

  IoResult try_read(std::span<std::byte> into) override {
    return IoResult::bytes(is_more_ ? into.size() + 1 : 0);
  }
  IoResult try_write(std::span<const iovec> from) override {
    std::size_t given = 0;
    for (const iovec& piece : from)
      given += piece.iov_len;
    return IoResult::bytes(is_more_ ? given + 1 : 0);
  }

 private:
  const bool is_more_;
};

class PumpMisuseDeathTest : public PumpTest, public testing::WithParamInterface<bool> {
 protected:
  PumpMisuseDeathTest() {
    make(std::make_unique<BoastingTransport>(std::move(inner_), /*is_more=*/GetParam()));
  }
};

INSTANTIATE_TEST_SUITE_P(ByteTooMany, PumpMisuseDeathTest, testing::Bool());

TEST_P(PumpMisuseDeathTest, AReadThatMovedNothingOrTooMuchIsNamed) {
  EXPECT_DEATH(read(), "precondition failed: Transport::try_read\\(\\): it says that it read no");
}

TEST_P(PumpMisuseDeathTest, AWriteThatMovedNothingOrTooMuchIsNamed) {
  const std::string hello = test::take_output(client_);
  pump_->feed(IoResult::bytes(hello.size()), as_bytes(hello), now());
  ASSERT_TRUE(pump_->has_output());

  EXPECT_DEATH(pump_->flush(now(), /*most=*/10),
               "precondition failed: Transport::try_write\\(\\): it says that it wrote no");
}

TEST_F(PumpTest, EndsAtEachStepWhereTheTransportCanBreak) {
  open();
  const std::string request = test::take_output(client_);
  for (std::size_t good = 0; good < 4; ++good) {
    Result<InprocPipe> pipe = make_inproc_pipe();
    ASSERT_TRUE(pipe);
    auto broken = std::make_unique<test::FailingTransport>(std::move(pipe->first), good);
    const test::FailingTransport& transport = *broken;
    ends_ = 0;
    make(std::move(broken));
    ASSERT_TRUE(test::write_all(*pipe->second, request));

    while (!pump_->has_ended() && !transport.has_broken()) {
      if (read() != Progress::some && pump_->flush(now()) == Progress::some) break;
    }

    EXPECT_EQ(pump_->has_ended(), transport.has_broken()) << good;
    EXPECT_EQ(ends_, transport.has_broken() ? 1 : 0) << good;
  }
}

TEST_F(PumpTest, ReadsTheGoawayOfAPeerThatNoLongerTakesBytes) {
  make();
  open();
  client_.send_goaway(http2::ErrorCode::enhance_your_calm, "not today");
  send_output();
  EXPECT_EQ(read(), Progress::some);
  pump_->session().send_ping(7);
  client_.send_ping(1);
  ASSERT_TRUE(test::write_all(*peer_, test::take_output(client_)));
  peer_.reset();

  EXPECT_EQ(pump_->flush(now()), Progress::ended);

  EXPECT_EQ(count_of<http2::GoawayEvent>(saw_), 1);
  EXPECT_EQ(ends_, 1);
}

TEST_F(PumpTest, ReadsTheGoawayOfAPeerThatWentThoughItsTurnIsOver) {
  make();
  send_output();
  read_all();
  client_.send_goaway(http2::ErrorCode::no_error, "restarting");
  send_output();
  peer_.reset();
  pump_->session().send_ping(7);
  pump_->session().end_turn();

  EXPECT_EQ(pump_->flush(now()), Progress::ended);

  EXPECT_EQ(count_of<http2::GoawayEvent>(saw_), 1);
  EXPECT_EQ(reason_, EndReason::peer_closed);
}

TEST_F(PumpTest, APeerThatBreaksTheRulesIsToldBeforeTheEnd) {
  make();
  const std::string settings("\0\0\0\4\0\0\0\0\0", 9);
  const std::string data_on_stream_0("\0\0\1\0\0\0\0\0\0x", 10);
  ASSERT_TRUE(
      test::write_all(*peer_, std::string(http2::client_preface) + settings + data_on_stream_0));

  read_all();

  EXPECT_EQ(reason_, EndReason::protocol_violation);
  EXPECT_FALSE(what_.empty());
  receive();
  EXPECT_EQ(goaway_, http2::ErrorCode::protocol_error);
}

TEST_F(PumpTest, APeerThatSpeaksSomethingElseGetsNoByte) {
  make();
  ASSERT_TRUE(test::write_all(*peer_, "GET / HTTP/1.1\r\n\r\n"));

  read_all();

  EXPECT_EQ(reason_, EndReason::protocol_violation);
  EXPECT_NE(what_.find("HTTP/1.1"), std::string::npos);
  EXPECT_EQ(test::read_once(*peer_), "");
}

TEST_F(PumpTest, EndsByItselfWhenBothSidesAreDone) {
  make();
  http2::Stream& request = open();
  send_output();
  read_all();
  pump_->session().send_goaway(http2::ErrorCode::no_error, "done");
  EXPECT_EQ(pump_->flush(now()), Progress::some);
  EXPECT_FALSE(pump_->has_ended()) << "a stream is open";

  client_.reset_stream(request, http2::ErrorCode::cancel);
  send_output();
  read_all();
  pump_->session().release(*stream_);

  EXPECT_EQ(pump_->flush(now()), Progress::ended);
  EXPECT_EQ(reason_, EndReason::drained);
}

TEST_F(PumpTest, APipeThatIsFullIsWaitedForAndNotTheEnd) {
  make();
  open();
  send_output();
  read_all();
  ASSERT_NE(stream_, nullptr);
  pump_->session().send_headers(*stream_, test::response_head(), {},
                                /*end_stream=*/false);
  pump_->session().send_data(*stream_, OwnedBytes::copy_of(as_bytes(std::string(500'000, 'x'))),
                             /*end_stream=*/true);

  EXPECT_EQ(pump_->flush(now()), Progress::none);
  EXPECT_TRUE(pump_->is_write_blocked());
  for (int round = 0; round < 1000 && pump_->has_output(); ++round) {
    receive();
    exchange();
  }

  EXPECT_FALSE(pump_->has_output());
  EXPECT_FALSE(pump_->is_write_blocked());
  EXPECT_FALSE(pump_->has_ended());
}

TEST_F(PumpTest, NoMoreIsWrittenAtOnceThanItMay) {
  make();
  open();
  exchange();
  ASSERT_NE(stream_, nullptr);
  pump_->session().send_headers(*stream_, test::response_head(), {},
                                /*end_stream=*/false);
  pump_->session().send_data(*stream_, OwnedBytes::copy_of(as_bytes(std::string(5'000, 'x'))),
                             /*end_stream=*/false);

  EXPECT_EQ(pump_->flush(now(), 1'000), Progress::some);

  EXPECT_EQ(test::read_once(*peer_).size(), 1'000U);
  EXPECT_FALSE(pump_->is_write_blocked());
  EXPECT_EQ(pump_->flush(now()), Progress::some);
  EXPECT_FALSE(pump_->has_output());
}

TEST_F(PumpTest, AWriterIsToldOfRoomThoughThePipeIsFull) {
  takes_messages_ = true;
  make();
  open();
  send_output();
  read_all();
  ASSERT_NE(stream_, nullptr);
  pump_->session().send_headers(*stream_, test::response_head(), {},
                                /*end_stream=*/false);
  const test::Text large = test::text_of(std::string(100'000, 'x'));
  while (taken_.messages.out().try_write(large) == MessageOutbox::Write::taken) {
  }
  CountingWaiter writer;
  taken_.messages.out().wait(large, writer);

  EXPECT_EQ(pump_->flush(now()), Progress::none);

  EXPECT_EQ(taken_.writables, 1);
  EXPECT_EQ(writer.wakes, 1);
  EXPECT_TRUE(taken_.messages.out().take_outcome());
}

TEST_F(PumpTest, TheFirstReasonToEndCounts) {
  make();

  pump_->close(EndReason::cancelled, "first");
  pump_->close(EndReason::read_failed, "second");

  EXPECT_EQ(ends_, 1);
  EXPECT_EQ(reason_, EndReason::cancelled);
  EXPECT_EQ(what_, "first");
  EXPECT_EQ(test::read_kind(*peer_), IoResult::Kind::end_of_stream);
}

TEST_F(PumpTest, WhatGoesUnreadWithTheConnectionCountsAsWork) {
  make();
  http2::Stream& request = open();
  exchange();
  const std::string unread(50'000, 'x');
  client_.send_data(request, OwnedBytes::copy_of(as_bytes(unread)), /*end_stream=*/false);
  exchange();
  ASSERT_EQ(pump_->session().buffered_input(), unread.size());
  static_cast<void>(pump_->take_work());

  pump_->close(EndReason::cancelled, "enough");

  constexpr std::size_t of_stream = 512;
  EXPECT_EQ(pump_->take_work(), of_stream + unread.size() / 64);
}

TEST_F(PumpTest, ASilentPeerRunsOutOfTime) {
  make();
  EXPECT_NE(pump_->next_deadline(), no_deadline);

  pump_->on_time(pump_->next_deadline());

  EXPECT_EQ(reason_, EndReason::protocol_violation);
}

TEST_F(PumpTest, TheRestOfALargeMessageIsReadStraightIntoIt) {
  takes_messages_ = true;
  make();
  http2::Stream& request = open();
  const std::string large(200'000, 'x');
  exchange();
  client_.send_data(request, OwnedBytes::copy_of(as_bytes(test::framed(test::text_of(large)))),
                    /*end_stream=*/true);
  const std::string bytes = test::take_output(client_);
  std::string_view rest = bytes;
  bool was_direct = false;
  taken_.messages.in().expect_one();
  while (!rest.empty()) {
    const std::size_t count = std::min<std::size_t>(rest.size(), 10'000);
    ASSERT_TRUE(test::write_all(*peer_, rest.substr(0, count)));
    rest.remove_prefix(count);
    was_direct |= pump_->reads_into_message();
    read_all();
  }

  test::Text text;
  EXPECT_EQ(taken_.messages.in().try_read(text), MessageInbox::Read::message);
  EXPECT_EQ(text.value(), large);
  EXPECT_TRUE(was_direct);
  EXPECT_FALSE(pump_->has_ended());
}

// What a frame does when its last bytes are read straight into a message.
class PumpDirectReadTest : public PumpTest {
 protected:
  PumpDirectReadTest() {
    takes_messages_ = true;
    taken_.messages.in().expect_one();
    make();
  }
  void open_with(http2::HeaderField field) {
    client_.open_stream(test::request_head(), std::span(&field, 1), /*end_stream=*/false, nullptr);
    send_output();
    read_all();
  }
  void say(std::string_view bytes) {
    ASSERT_TRUE(test::write_all(*peer_, bytes));
    read_all();
  }
  static std::string prefix(std::uint32_t length) {
    return std::string(1, '\0') + test::frames::be32(length);
  }
};

TEST_F(PumpDirectReadTest, ThatEndsShortOfTheContentLengthIsAReset) {
  open_with({"content-length", "1000"});
  const std::string frame =
      test::frames::data(1, prefix(100) + std::string(50, 'x'), http2::frame_flag::end_stream);

  say(std::string_view(frame).substr(0, 20));
  ASSERT_TRUE(pump_->reads_into_message());
  say(std::string_view(frame).substr(20));

  EXPECT_EQ(taken_.resets, 1);
  EXPECT_FALSE(taken_.messages.in().has_ended());
  EXPECT_FALSE(pump_->has_ended());
}

TEST_F(PumpDirectReadTest, ThatExceedsABudgetEndsTheConnection) {
  open_with({"x", "y"});
  const std::uint32_t most = ConnectionLimits().max_overhead_frames;
  const std::string tiny = test::frames::data(1, "1234567890");
  say(test::frames::data(1, prefix(10 * (most + 2))));

  for (std::uint32_t i = 1; i < most; ++i)  // the prefix was the first
    say(tiny);
  EXPECT_FALSE(pump_->has_ended());
  say(std::string_view(tiny).substr(0, 12));
  ASSERT_TRUE(pump_->reads_into_message());
  say(std::string_view(tiny).substr(12));

  EXPECT_EQ(reason_, EndReason::protocol_violation);
  EXPECT_NE(what_.find("max_overhead_frames"), std::string::npos) << what_;
}

}  // namespace
}  // namespace nearcall::inline v0::detail
