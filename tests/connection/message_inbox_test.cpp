// SPDX-License-Identifier: Apache-2.0
// MessageInbox: messages however their bytes are cut, kept until somebody reads.
#include "connection/message_inbox.hpp"

#include "connection/message_fixture.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

namespace nearcall::inline v0::detail {
namespace {

using test::framed;
using test::Text;
using test::text_of;
using Read = MessageInbox::Read;

class MessageInboxTest : public MessageTest {};

TEST_F(MessageInboxTest, NothingIsThereBeforeAMessageIsWhole) {
  EXPECT_EQ(read_outcome(), Read::pending);
  send(framed(text_of("hello")).substr(0, 9));
  EXPECT_EQ(read_outcome(), Read::pending);

  send(framed(text_of("hello")).substr(9));

  EXPECT_EQ(read(), "hello");
  EXPECT_EQ(read_outcome(), Read::pending);
}

TEST_F(MessageInboxTest, ReadingWhatWasKeptAsksForTheOutputThatGivesWindowBack) {
  const std::string large = framed(text_of(std::string(100'000, 'x')));
  for (int i = 0; i < 8; ++i)
    send(large);
  sessions_->run();
  outputs_ = 0;

  while (read()) {
  }

  EXPECT_GT(outputs_, 0);
}

TEST_F(MessageInboxTest, SaysWhatItsReaderHoldsOnceItIsAskedTo) {
  send(framed(text_of("one")) + framed(text_of("two")));
  read();
  EXPECT_EQ(held_, std::nullopt);

  messages_->in().count_held();
  read();
  EXPECT_GT(held_, 0U);
  messages_->in().release_held();

  EXPECT_EQ(held_, 0U);
}

TEST_F(MessageInboxTest, TellsOfEachMessageThatIsReadWhileItIsObserved) {
  send(framed(text_of("unheard")));
  read();
  messages_->in().observe(true);
  messages_->in().count_held();
  send(framed(text_of("abc")) + framed(Text()));
  EXPECT_EQ(take_observed(), "") << "nobody has read them";

  read();
  EXPECT_EQ(take_observed(), "5/5");
  read();
  EXPECT_EQ(take_observed(), "0/0");
  EXPECT_GT(held_, 0U) << "what is held is counted beside that";

  messages_->in().observe(false);
  const std::optional<std::size_t> before = held_;
  send(framed(text_of(std::string(1000, 'x'))));
  read();
  EXPECT_EQ(take_observed(), "");
  EXPECT_GT(held_, before);
}

TEST_F(MessageInboxTest, TellsOfWholeMessagesThatNobodyHasReadWhenItIsAskedTo) {
  const std::string cut = framed(text_of("cut off")).substr(0, 7);
  messages_->in().expect_one();  // which parks the first one
  send(framed(text_of("abc")) + framed(text_of("abcd")) + cut);
  messages_->in().note_unread();
  EXPECT_EQ(take_observed(), "") << "nobody observes";

  messages_->in().observe(true);
  messages_->in().note_unread();
  EXPECT_EQ(take_observed(), "5/5 6/6");

  messages_->in().drop();
  messages_->in().note_unread();
  EXPECT_EQ(take_observed(), "");
}

TEST_F(MessageInboxTest, WhatALargeMessageHeldIsFreeOnceTheNextIsWaitedForWithoutIt) {
  messages_->in().count_held();
  Text text;
  send(framed(text_of(std::string(50'000, 'x'))));
  messages_->in().try_read(text);

  messages_->in().wait(text, nullptr);
  EXPECT_GE(held_, 50'000U) << "it still has it";
  messages_->in().leave();
  text.Clear();
  messages_->in().wait(text, nullptr);

  EXPECT_EQ(held_, 0U);
  EXPECT_GE(Access::core(loop_).budget().spent(), 50'000U / 2) << "which took a while";
}

TEST_F(MessageInboxTest, TinyFramesThatEachCompleteAMessageAreFreeThoughNobodyReads) {
  for (int i = 0; i < 20'000; ++i)
    send(framed(Text()));

  EXPECT_EQ(sessions_->server.stats().overhead_frames, 0U);
  EXPECT_FALSE(sessions_->server.is_broken());
}

TEST_F(MessageInboxTest, TinyFramesThatCompleteNothingAreCountedThoughNobodyReads) {
  const std::string message = framed(text_of("four"));
  for (int i = 0; i < 10; ++i) {
    send(message.substr(0, 6));
    send(message.substr(6));
  }

  EXPECT_EQ(sessions_->server.stats().overhead_frames, 10U);
}

TEST_F(MessageInboxTest, ALengthThatLiesCompletesNothingThoughNobodyReads) {
  send(framed(text_of("kept")));
  send(std::string("\0\xff\xff\xff\xff", 5));

  EXPECT_EQ(sessions_->server.stats().overhead_frames, 1U);
  messages_->in().drop();
  send("more");
  EXPECT_EQ(read_outcome(), Read::ended);
  EXPECT_FALSE(sessions_->server.is_broken());
}

TEST_F(MessageInboxTest, EveryWayToCutTwoMessagesGivesTheSameTwo) {
  const std::string both = framed(text_of("first")) + framed(text_of("second"));
  for (std::size_t cut = 0; cut <= both.size(); ++cut) {
    connect(http2::SessionOptions());

    send(both.substr(0, cut));
    send(both.substr(cut), /*end_stream=*/true);

    EXPECT_EQ(read(), "first") << cut;
    EXPECT_EQ(read(), "second") << cut;
    EXPECT_EQ(read_outcome(), Read::ended) << cut;
    EXPECT_TRUE(bad_message_.ok()) << cut << bad_message_.to_string();
  }
}

TEST_F(MessageInboxTest, BytesOneByOneAreTheSameMessages) {
  for (const char byte : framed(text_of("first")) + framed(Text()) + framed(text_of("third")))
    send(std::string_view(&byte, 1));

  EXPECT_EQ(read(), "first");
  EXPECT_EQ(read(), "");
  EXPECT_EQ(read(), "third");
}

TEST_F(MessageInboxTest, UnreadMessagesAreKeptAndKnown) {
  EXPECT_FALSE(messages_->in().has_unread());
  send(framed(text_of("a")));
  send(framed(text_of("b")), /*end_stream=*/true);

  EXPECT_TRUE(messages_->in().has_ended());
  EXPECT_TRUE(messages_->in().has_unread());
  EXPECT_EQ(read(), "a");
  EXPECT_TRUE(messages_->in().has_unread());
  EXPECT_EQ(read(), "b");
  EXPECT_FALSE(messages_->in().has_unread());
}

TEST_F(MessageInboxTest, AStreamThatEndsInsideAMessageIsBadInput) {
  send(framed(text_of("cut off")).substr(0, 8), /*end_stream=*/true);

  EXPECT_EQ(read_outcome(), Read::ended);

  EXPECT_EQ(bad_message_.code(), StatusCode::internal);
}

TEST_F(MessageInboxTest, AMessageOverTheLimitIsBadInputBeforeItHasCome) {
  send({"\0\x7f\xff\xff\xff", 5});

  EXPECT_EQ(read_outcome(), Read::ended);

  EXPECT_EQ(bad_message_.code(), StatusCode::resource_exhausted);
}

TEST_F(MessageInboxTest, BytesThatAreNoMessageOfTheTypeAreBadInput) {
  send({"\0\0\0\0\2\x0a\x7f", 7});

  EXPECT_EQ(read_outcome(), Read::ended);

  EXPECT_EQ(bad_message_.code(), StatusCode::internal);
  EXPECT_NE(bad_message_.message().find("google.protobuf.StringValue"), std::string::npos);
  EXPECT_EQ(read_outcome(), Read::ended) << "and nothing is read any more";
}

TEST_F(MessageInboxTest, TheOneMessageOfAUnaryCallIsParkedAndASecondOneNoticed) {
  messages_->in().expect_one();
  send(framed(text_of("one")));
  send({}, /*end_stream=*/true);
  EXPECT_EQ(read(), "one");
  EXPECT_FALSE(messages_->in().has_unread());
}

TEST_F(MessageInboxTest, ASecondMessageOfAUnaryCallIsNoticedInTheSameFrame) {
  messages_->in().expect_one();
  send(framed(text_of("one")) + framed(text_of("two")), /*end_stream=*/true);

  EXPECT_EQ(read(), "one");
  EXPECT_TRUE(messages_->in().has_unread());
}

TEST_F(MessageInboxTest, ASecondMessageOfAUnaryCallIsNoticedWithTheEndBehindIt) {
  messages_->in().expect_one();
  send(framed(text_of("one")) + framed(text_of("two")));
  send({}, /*end_stream=*/true);

  EXPECT_EQ(read(), "one");
  EXPECT_TRUE(messages_->in().has_unread());
}

TEST_F(MessageInboxTest, ASecondMessageOfAUnaryCallIsNoticedInALaterFrame) {
  messages_->in().expect_one();
  send(framed(text_of("one")));
  send(framed(text_of("two")), /*end_stream=*/true);

  EXPECT_EQ(read(), "one");
  EXPECT_TRUE(messages_->in().has_unread());
}

TEST_F(MessageInboxTest, WhatComesAfterADiscardIsDroppedAndItsWindowGivenBack) {
  http2::SessionOptions small;
  small.initial_window_size = 65'535;
  connect(small);
  messages_->in().drop();

  send(std::string(1000 * 1000, 'x'), /*end_stream=*/true);

  EXPECT_EQ(read_outcome(), Read::ended);
  EXPECT_FALSE(messages_->in().has_unread());
  EXPECT_EQ(sessions_->client.stats().buffered_output, 0U);
  EXPECT_TRUE(bad_message_.ok());
}

TEST_F(MessageInboxTest, WhatADiscardDropsGivesItsWindowAndItsMemoryBack) {
  http2::SessionOptions small;
  small.initial_window_size = 65'535;
  const std::string message = framed(text_of(std::string(60'000, 'x')));
  for (const std::size_t size : {message.size(), std::size_t{50'000}, std::size_t{3}}) {
    connect(small);
    send(message.substr(0, size));
    read_outcome();
    send(message.substr(size));
    send(message.substr(0, 4'000));

    messages_->in().drop();
    sessions_->run();
    send(std::string(1000 * 1000, 'x'), /*end_stream=*/true);

    EXPECT_EQ(sessions_->client.stats().buffered_output, 0U) << size;
    EXPECT_EQ(sessions_->server.stats().buffered_input, 0U) << size;
    EXPECT_EQ(messages_->in().capacity(), 0U) << size;
  }
}

TEST_F(MessageInboxTest, AMessageThatFailsToParseGivesTheWindowOfWhatIsBehindItBack) {
  http2::SessionOptions small;
  small.initial_window_size = 65'535;
  connect(small);
  Text unwanted;
  messages_->in().wait(unwanted, /*waiter=*/nullptr);
  const std::string no_message = std::string("\0\0\0\0\3\x0a\xff\xff", 8);
  send(no_message + framed(text_of(std::string(60'000, 'x'))));
  ASSERT_EQ(bad_message_.code(), StatusCode::internal);

  send(std::string(1000 * 1000, 'x'), /*end_stream=*/true);

  EXPECT_EQ(sessions_->client.stats().buffered_output, 0U);
  EXPECT_EQ(sessions_->server.stats().buffered_input, 0U);
}

TEST_F(MessageInboxTest, TheOneMessageOfAUnaryCallIsHeldOnce) {
  messages_->in().expect_one();
  const std::string large(600'000, 'x');
  const std::string message = framed(text_of(large));
  send(message.substr(0, 300'000));

  send(message.substr(300'000), /*end_stream=*/true);

  EXPECT_LT(messages_->in().capacity(), 2 * message.size());
  EXPECT_EQ(read(), large);
}

TEST_F(MessageInboxTest, AReaderThatIsSlowStopsItsStreamAndThenGetsItAll) {
  http2::SessionOptions small;
  small.initial_window_size = 65'535;
  connect(small);
  const std::string kilobyte = framed(text_of(std::string(1000, 'x')));
  std::string all;
  for (int i = 0; i < 500; ++i)
    all += kilobyte;
  send(all, /*end_stream=*/true);
  EXPECT_FALSE(messages_->in().has_ended()) << "the window holds the rest back";

  int messages = 0;
  while (read()) {
    ++messages;
    sessions_->run();
  }

  EXPECT_EQ(messages, 500);
  EXPECT_EQ(read_outcome(), Read::ended);
}

TEST_F(MessageInboxTest, AReaderThatIsAlwaysBehindCostsNoMoreThanWhatItHasNotRead) {
  constexpr int behind = 50;
  const std::string kilobyte = framed(text_of(std::string(1000, 'x')));
  for (int i = 0; i < behind; ++i)
    send(kilobyte);

  for (int i = 0; i < 10'000; ++i) {
    send(kilobyte);
    ASSERT_TRUE(read());
  }

  EXPECT_LT(messages_->in().capacity(), 10 * behind * kilobyte.size());
  for (int i = 0; i < behind; ++i)
    EXPECT_TRUE(read());
  EXPECT_FALSE(read());
}

TEST_F(MessageInboxTest, MemoryOfABurstGoesWhileItIsRead) {
  constexpr std::size_t most_idle = 1024;
  const std::string message = framed(text_of("0123456789"));
  std::string burst;
  for (int i = 0; i < 50'000; ++i)
    burst += message;
  send(burst);

  for (std::size_t left = burst.size(); left > 0;) {
    ASSERT_EQ(read(), "0123456789");
    left -= message.size();
    if (left >= burst.size() / 8) continue;
    ASSERT_LE(messages_->in().capacity(), most_idle + 4 * left);
  }
  EXPECT_LE(messages_->in().capacity(), most_idle);
}

TEST_F(MessageInboxTest, MemoryOfAMessageInPiecesGoesWhenItWasRead) {
  const std::string message = framed(text_of(std::string(60'000, 'x')));
  send(message.substr(0, 20'000));
  EXPECT_EQ(read_outcome(), Read::pending);
  send(message.substr(20'000));

  EXPECT_TRUE(read());

  EXPECT_LE(messages_->in().capacity(), 1024U) << "the stream may stay open for long";
}

TEST_F(MessageInboxTest, AMessageLargerThanTheWindowComesThrough) {
  http2::SessionOptions small;
  small.initial_window_size = 65'535;
  connect(small);
  const std::string large(900 * 1000, 'x');

  send(framed(text_of(large)), /*end_stream=*/true);
  for (int round = 0; round < 100 && read_outcome() == Read::pending; ++round)
    sessions_->run();

  EXPECT_TRUE(messages_->in().has_ended());
  EXPECT_TRUE(bad_message_.ok()) << bad_message_.to_string();
}

TEST_F(MessageInboxTest, WhoeverWaitsGetsItsMessageOnArrivalAndIsTold) {
  Text text;
  CountingWaiter waiter;
  messages_->in().wait(text, &waiter);
  send(framed(text_of("here")).substr(0, 3));
  EXPECT_TRUE(messages_->in().is_waited_for());
  EXPECT_EQ(waiter.wakes, 0);

  send(framed(text_of("here")).substr(3));

  EXPECT_FALSE(messages_->in().is_waited_for());
  EXPECT_EQ(waiter.wakes, 1);
  EXPECT_TRUE(messages_->in().take_outcome());
  EXPECT_EQ(text.value(), "here");
  EXPECT_FALSE(messages_->in().take_outcome());
}

TEST_F(MessageInboxTest, WhoeverWaitsIsToldOnceOfAMessageThatIsNone) {
  Text text;
  CountingWaiter waiter;
  messages_->in().wait(text, &waiter);

  send(std::string("\0\0\0\0\1\xff", 6));

  EXPECT_EQ(waiter.wakes, 1);
  EXPECT_FALSE(messages_->in().take_outcome());
  EXPECT_EQ(bad_message_.code(), StatusCode::internal);
}

TEST_F(MessageInboxTest, WhoeverLeftIsToldNothing) {
  Text text;
  CountingWaiter waiter;
  messages_->in().wait(text, &waiter);
  messages_->in().leave();

  send(framed(text_of("for the next one")));

  EXPECT_EQ(waiter.wakes, 0);
  EXPECT_EQ(read(), "for the next one");
}

}  // namespace
}  // namespace nearcall::inline v0::detail
