// SPDX-License-Identifier: Apache-2.0
// LooseStream: coroutines read what is put in, and what they write is handed out.
#include "support/messages.hpp"

#include <nearcall/event_loop.hpp>
#include <nearcall/spawn.hpp>
#include <nearcall/stream_awaiters.hpp>

#include <gmock/gmock.h>

#include <string>
#include <vector>

namespace nearcall::inline v0::detail {
namespace {

using test::Text;
using test::text_of;
using testing::ElementsAre;

class LooseStreamTest : public testing::Test {
 protected:
  /// Answers each message with itself, and says when there are no more.
  Task<void> echo() {
    Text text;
    for (;;) {
      ReadAwaiter next(stream_.stream(), text);
      const bool has_message = co_await next;
      if (!has_message) break;
      WriteAwaiter answer(stream_.stream(), text);
      is_answered_ = co_await answer;
    }
    has_ended_ = true;
  }
  void arrive(const std::string& value) { stream_.arrive(text_of(value).SerializeAsString()); }

  EventLoop loop_;
  EventLoop::Binding binding_{loop_};
  std::vector<std::string> written_;
  LooseStream stream_{loop_, [this](const google::protobuf::MessageLite& message) {
                        written_.push_back(static_cast<const Text&>(message).value());
                      }};
  bool is_answered_ = false;
  bool has_ended_ = false;
};

TEST_F(LooseStreamTest, WhatCameBeforeIsReadInOrderUntilTheEnd) {
  arrive("a");
  arrive("");
  arrive("c");
  stream_.finish();

  spawn(loop_, echo());
  loop_.poll();

  EXPECT_THAT(written_, ElementsAre("a", "", "c"));
  EXPECT_TRUE(is_answered_);
  EXPECT_TRUE(has_ended_);
}

TEST_F(LooseStreamTest, AReaderWaitsForWhatComesLater) {
  spawn(loop_, echo());
  loop_.poll();
  EXPECT_THAT(written_, ElementsAre());

  arrive("a");
  loop_.poll();
  EXPECT_THAT(written_, ElementsAre("a"));
  EXPECT_FALSE(has_ended_);

  stream_.finish();
  loop_.poll();
  EXPECT_TRUE(has_ended_);
}

TEST_F(LooseStreamTest, OfAClosedOneNothingIsReadAndNothingTaken) {
  arrive("a");
  stream_.close();

  spawn(loop_, echo());
  loop_.poll();
  EXPECT_TRUE(has_ended_);

  const Text text;
  WriteAwaiter late(stream_.stream(), text);
  EXPECT_TRUE(late.await_ready());
  EXPECT_FALSE(late.await_resume());
  EXPECT_THAT(written_, ElementsAre());
}

TEST_F(LooseStreamTest, ClosingItEndsAReadThatWaits) {
  spawn(loop_, echo());
  loop_.poll();

  stream_.close();
  loop_.poll();

  EXPECT_TRUE(has_ended_);
}

TEST_F(LooseStreamTest, ManyMessagesTakeMoreThanOneTurn) {
  constexpr std::size_t many = 20'000;
  for (std::size_t i = 0; i < many; ++i)
    arrive("");
  stream_.finish();
  spawn(loop_, echo());

  loop_.poll();
  EXPECT_LT(written_.size(), many);
  for (int turns = 0; !has_ended_ && turns < 1000; ++turns)
    loop_.poll();

  EXPECT_EQ(written_.size(), many);
}

}  // namespace
}  // namespace nearcall::inline v0::detail
