// SPDX-License-Identifier: Apache-2.0
// MessageOutbox: messages written, kept back, shared, and the end.
#include "connection/message_outbox.hpp"

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
using Write = MessageOutbox::Write;

class MessageOutboxTest : public MessageTest {};

TEST_F(MessageOutboxTest, AMessageIsWrittenBehindItsPrefix) {
  EXPECT_EQ(write(text_of("reply"), /*end_stream=*/true), Write::taken);
  sessions_->run();

  EXPECT_EQ(answered_, framed(text_of("reply")));
  EXPECT_TRUE(answer_has_ended_);
  EXPECT_EQ(outputs_, 1) << "the driver was told";
}

TEST_F(MessageOutboxTest, WhatWasSerialisedBeforeGoesAsItIs) {
  grpc::KeptMessage kept;
  kept.keep(grpc::OutgoingMessage(text_of("reply")));

  EXPECT_EQ(messages_->out().write(kept, /*may_share=*/true, /*end_stream=*/false), Write::taken);
  sessions_->run();

  EXPECT_EQ(answered_, framed(text_of("reply")));
  EXPECT_FALSE(answer_has_ended_);
}

/// Keeps the test's message, and knows whether the session still refers to it.
class MessageKeeper final : public BytesOwner {
 public:
  bool is_used() const noexcept { return references() > 1; }

 private:
  void on_unreferenced() noexcept override { ADD_FAILURE() << "more was let go of than was held"; }
};

TEST_F(MessageOutboxTest, ALargeMessageThatIsKeptIsSentFromWhereItLies) {
  MessageKeeper keeper;
  const Text large = text_of(std::string(500 * 1000, 'x'));

  EXPECT_EQ(write(large, /*end_stream=*/true, &keeper), Write::taken);
  EXPECT_TRUE(keeper.is_used());
  EXPECT_GE(sessions_->server.stats().buffered_output, 500U * 1000) << "it counts";
  sessions_->run();

  EXPECT_FALSE(keeper.is_used());
  EXPECT_EQ(answered_ == framed(large), true);
  EXPECT_TRUE(answer_has_ended_);
  EXPECT_EQ(outputs_, 1);
}

TEST_F(MessageOutboxTest, AMessageThatIsKeptIsDroppedWithItsStream) {
  MessageKeeper keeper;
  const Text large = text_of(std::string(500 * 1000, 'x'));
  write(large, /*end_stream=*/false, &keeper);

  sessions_->server.reset_stream(messages_->stream(), http2::ErrorCode::cancel);

  EXPECT_FALSE(keeper.is_used());
}

TEST_F(MessageOutboxTest, ASmallMessageIsNotKept) {
  MessageKeeper keeper;
  const Text small = text_of("small");

  write(small, /*end_stream=*/false, &keeper);
  EXPECT_FALSE(keeper.is_used());
  sessions_->run();

  EXPECT_EQ(answered_, framed(small));
}

TEST_F(MessageOutboxTest, BeforeTheStreamIsOpenAWriterWaitsAndAfterTheEndItMayNot) {
  MessageStream unopened(*this, max_size);
  EXPECT_EQ(unopened.out().try_write(text_of("x")), Write::full);

  messages_->out().close();
  EXPECT_EQ(messages_->out().try_write(text_of("x")), Write::over);
  EXPECT_EQ(write(Text(), /*end_stream=*/false), Write::over);
}

TEST_F(MessageOutboxTest, WhoeverWaitsHasItsMessageWrittenWhenThereIsAStream) {
  MessageStream unopened(*this, max_size);
  const Text text = text_of("x");
  CountingWaiter waiter;
  unopened.out().wait(text, waiter);
  EXPECT_EQ(waiter.wakes, 0);

  unopened.attach(sessions_->client, *request_, /*loop=*/nullptr);

  EXPECT_EQ(waiter.wakes, 1);
  EXPECT_TRUE(unopened.out().take_outcome());
  EXPECT_FALSE(unopened.out().is_waited_for());
  sessions_->run();
  EXPECT_EQ(read(), "x");
}

TEST_F(MessageOutboxTest, WhoeverLeftWritesNothing) {
  MessageStream unopened(*this, max_size);
  const Text text = text_of("x");
  CountingWaiter waiter;
  unopened.out().wait(text, waiter);
  unopened.out().leave();

  unopened.attach(sessions_->client, *request_, /*loop=*/nullptr);
  sessions_->run();

  EXPECT_EQ(waiter.wakes, 0);
  EXPECT_EQ(read_outcome(), MessageInbox::Read::pending);
}

TEST_F(MessageOutboxTest, WhoeverLeftHoldsNobodyElseUp) {
  http2::SessionOptions options;
  options.limits->max_buffered_output_stream = 100'000;
  options.limits->max_buffered_output = 300'000;
  options.limits->max_buffered_output_of_new_calls = 300'000;
  connect(options);
  client_reads_ = false;
  http2::Stream* other = nullptr;
  sessions_->on_server = [&](const http2::Event& event) {
    if (std::holds_alternative<http2::HeadersEvent>(event)) other = http2::stream_of(event);
  };
  sessions_->open();
  sessions_->run();
  ASSERT_NE(other, nullptr);
  const Text large = text_of(std::string(120'000, 'x'));
  while (messages_->out().try_write(large) == Write::taken)
    sessions_->run();
  const Text larger = text_of(std::string(500'000, 'x'));
  ASSERT_EQ(messages_->out().try_write(larger), Write::full);
  CountingWaiter waiter;
  messages_->out().wait(larger, waiter);
  ASSERT_FALSE(sessions_->server.may_make_message(*other));
  const int outputs = outputs_;

  messages_->out().leave();

  EXPECT_TRUE(sessions_->server.may_make_message(*other));
  EXPECT_EQ(outputs_, outputs + 1) << "the driver tells whoever waited for that";
}

TEST_F(MessageOutboxTest, FinishedBeforeThereIsAStreamEndsEachStreamThatItGets) {
  MessageStream unopened(*this, max_size);
  unopened.out().finish();
  EXPECT_EQ(unopened.out().try_write(text_of("x")), Write::over);

  unopened.attach(sessions_->client, *request_, /*loop=*/nullptr);
  sessions_->run();
  EXPECT_TRUE(messages_->in().has_ended());

  connect(http2::SessionOptions());
  unopened.detach();
  unopened.attach(sessions_->client, *request_, /*loop=*/nullptr);
  sessions_->run();
  EXPECT_TRUE(messages_->in().has_ended());
}

}  // namespace
}  // namespace nearcall::inline v0::detail
