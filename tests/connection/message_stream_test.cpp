// SPDX-License-Identifier: Apache-2.0
// MessageStream: messages however their bytes are cut, kept until somebody reads, and written.
#include "connection/message_stream.hpp"

#include "connection/session_pair.hpp"

#include <nearcall/event_loop.hpp>
#include <nearcall/spawn.hpp>
#include <nearcall/task.hpp>

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

namespace nearcall::inline v0::detail {
namespace {

using test::framed;
using test::Text;
using test::text_of;
using Read = MessageStream::Read;
using Write = MessageStream::Write;

constexpr std::size_t max_size = 1000 * 1000;

/// The server's end of one stream; the test plays the client.
class MessageStreamTest : public testing::Test, public MessageStreamOwner {
 protected:
  MessageStreamTest() { connect(http2::SessionOptions()); }

  void connect(const http2::SessionOptions& options) {
    sessions_.emplace(options);
    messages_.emplace(*this, max_size);
    sessions_->on_server_event = [this](const http2::Event& event) { take(event); };
    sessions_->on_client_event = [this](const http2::Event& event) {
      const auto* const data = std::get_if<http2::DataEvent>(&event);
      if (data == nullptr) return;
      answered_ += as_text(data->bytes);
      answer_has_ended_ |= data->end_stream;
      if (client_reads_) sessions_->client.consumed(*data->stream, data->bytes.size());
    };
    request_ = &sessions_->open();
    sessions_->exchange();
    ASSERT_TRUE(messages_->is_attached());
  }
  void take(const http2::Event& event) {
    if (const auto* const headers = std::get_if<http2::HeadersEvent>(&event)) {
      sessions_->server.send_headers(*headers->stream, test::no_stable_fields(),
                                     test::response_fields(), /*end_stream=*/false);
      messages_->attach(sessions_->server, *headers->stream, &loop_.core());
    } else if (const auto* const data = std::get_if<http2::DataEvent>(&event)) {
      messages_->on_data(data->bytes, data->end_stream);
    } else if (std::holds_alternative<http2::WritableEvent>(event)) {
      messages_->on_writable();
    }
  }
  void send(std::string_view bytes, bool end_stream = false) {
    sessions_->send(*request_, bytes, end_stream);
  }
  /// The next message, if it is there.
  std::optional<std::string> read() {
    Text text;
    if (messages_->try_read(text) != Read::message) return std::nullopt;
    return text.value();
  }
  Read read_outcome() {
    Text text;
    return messages_->try_read(text);
  }

  /// Whether there is room or not.
  Write write(const Text& message, bool end_stream, BytesOwner* keeper = nullptr) {
    return messages_->write(grpc::OutgoingMessage(message), keeper, end_stream);
  }

  void on_input() override { ++inputs_; }
  void on_bad_input(Status why) override { bad_input_ = std::move(why); }
  void before_message() override {
    if (ended_by_message_ != nullptr) ended_by_message_->end_output();
  }
  void on_output() override { ++outputs_; }
  void on_ready() override { ++readies_; }

  EventLoop loop_{SpinPolicy::off()};
  std::optional<test::SessionPair> sessions_;
  std::optional<MessageStream> messages_;
  http2::Stream* request_ = nullptr;
  bool client_reads_ = true;
  std::string answered_;
  bool answer_has_ended_ = false;
  int inputs_ = 0;
  int outputs_ = 0;
  int readies_ = 0;
  /// What cannot go out before a message ends this one's output.
  MessageStream* ended_by_message_ = nullptr;
  Status bad_input_;
};

// ---- in ---------------------------------------------------------------------------------------

TEST_F(MessageStreamTest, NothingIsThereBeforeAMessageIsWhole) {
  EXPECT_EQ(read_outcome(), Read::pending);
  send(framed(text_of("hello")).substr(0, 9));
  EXPECT_EQ(read_outcome(), Read::pending);

  send(framed(text_of("hello")).substr(9));

  EXPECT_EQ(read(), "hello");
  EXPECT_EQ(read_outcome(), Read::pending);
}

TEST_F(MessageStreamTest, ReadingWhatWasKeptAsksForTheOutputThatGivesWindowBack) {
  const std::string large = framed(text_of(std::string(100'000, 'x')));
  for (int i = 0; i < 8; ++i)
    send(large);
  sessions_->exchange();
  outputs_ = 0;

  while (read()) {
  }

  EXPECT_GT(outputs_, 0);
}

TEST_F(MessageStreamTest, TinyFramesThatEachCompleteAMessageAreFreeThoughNobodyReads) {
  for (int i = 0; i < 20'000; ++i)
    send(framed(Text()));

  EXPECT_EQ(sessions_->server.stats().overhead_frames, 0U);
  EXPECT_FALSE(sessions_->server.is_broken());
}

TEST_F(MessageStreamTest, TinyFramesThatCompleteNothingAreCountedThoughNobodyReads) {
  const std::string message = framed(text_of("four"));
  for (int i = 0; i < 10; ++i) {
    send(message.substr(0, 6));
    send(message.substr(6));
  }

  EXPECT_EQ(sessions_->server.stats().overhead_frames, 10U);
}

TEST_F(MessageStreamTest, ALengthThatLiesCompletesNothingThoughNobodyReads) {
  send(framed(text_of("kept")));
  send(std::string("\0\xff\xff\xff\xff", 5));

  EXPECT_EQ(sessions_->server.stats().overhead_frames, 1U);
  messages_->discard_input();
  send("more");
  EXPECT_EQ(read_outcome(), Read::ended);
  EXPECT_FALSE(sessions_->server.is_broken());
}

TEST_F(MessageStreamTest, EveryWayToCutTwoMessagesGivesTheSameTwo) {
  const std::string both = framed(text_of("first")) + framed(text_of("second"));
  for (std::size_t cut = 0; cut <= both.size(); ++cut) {
    connect(http2::SessionOptions());

    send(both.substr(0, cut));
    send(both.substr(cut), /*end_stream=*/true);

    EXPECT_EQ(read(), "first") << cut;
    EXPECT_EQ(read(), "second") << cut;
    EXPECT_EQ(read_outcome(), Read::ended) << cut;
    EXPECT_TRUE(bad_input_.ok()) << cut << bad_input_.to_string();
  }
}

TEST_F(MessageStreamTest, BytesOneByOneAreTheSameMessages) {
  for (const char byte : framed(text_of("first")) + framed(Text()) + framed(text_of("third")))
    send(std::string_view(&byte, 1));

  EXPECT_EQ(read(), "first");
  EXPECT_EQ(read(), "");
  EXPECT_EQ(read(), "third");
}

TEST_F(MessageStreamTest, UnreadMessagesAreKeptAndKnown) {
  EXPECT_FALSE(messages_->has_unread());
  send(framed(text_of("a")));
  send(framed(text_of("b")), /*end_stream=*/true);

  EXPECT_TRUE(messages_->has_ended());
  EXPECT_TRUE(messages_->has_unread());
  EXPECT_EQ(read(), "a");
  EXPECT_TRUE(messages_->has_unread());
  EXPECT_EQ(read(), "b");
  EXPECT_FALSE(messages_->has_unread());
}

TEST_F(MessageStreamTest, AStreamThatEndsInsideAMessageIsBadInput) {
  send(framed(text_of("cut off")).substr(0, 8), /*end_stream=*/true);

  EXPECT_EQ(read_outcome(), Read::ended);

  EXPECT_EQ(bad_input_.code(), StatusCode::internal);
}

TEST_F(MessageStreamTest, AMessageOverTheLimitIsBadInputBeforeItHasCome) {
  send({"\0\x7f\xff\xff\xff", 5});

  EXPECT_EQ(read_outcome(), Read::ended);

  EXPECT_EQ(bad_input_.code(), StatusCode::resource_exhausted);
}

TEST_F(MessageStreamTest, BytesThatAreNoMessageOfTheTypeAreBadInput) {
  send({"\0\0\0\0\2\x0a\x7f", 7});

  EXPECT_EQ(read_outcome(), Read::ended);

  EXPECT_EQ(bad_input_.code(), StatusCode::internal);
  EXPECT_NE(bad_input_.message().find("google.protobuf.StringValue"), std::string::npos);
  EXPECT_EQ(read_outcome(), Read::ended) << "and nothing is read any more";
}

TEST_F(MessageStreamTest, TheOneMessageOfAUnaryCallIsParkedAndASecondOneNoticed) {
  messages_->expect_one();
  send(framed(text_of("one")));
  send({}, /*end_stream=*/true);
  EXPECT_EQ(read(), "one");
  EXPECT_FALSE(messages_->has_unread());
}

TEST_F(MessageStreamTest, ASecondMessageOfAUnaryCallIsNoticedInTheSameFrame) {
  messages_->expect_one();
  send(framed(text_of("one")) + framed(text_of("two")), /*end_stream=*/true);

  EXPECT_EQ(read(), "one");
  EXPECT_TRUE(messages_->has_unread());
}

TEST_F(MessageStreamTest, ASecondMessageOfAUnaryCallIsNoticedWithTheEndBehindIt) {
  messages_->expect_one();
  send(framed(text_of("one")) + framed(text_of("two")));
  send({}, /*end_stream=*/true);

  EXPECT_EQ(read(), "one");
  EXPECT_TRUE(messages_->has_unread());
}

TEST_F(MessageStreamTest, ASecondMessageOfAUnaryCallIsNoticedInALaterFrame) {
  messages_->expect_one();
  send(framed(text_of("one")));
  send(framed(text_of("two")), /*end_stream=*/true);

  EXPECT_EQ(read(), "one");
  EXPECT_TRUE(messages_->has_unread());
}

TEST_F(MessageStreamTest, WhatComesAfterADiscardIsDroppedAndItsWindowGivenBack) {
  http2::SessionOptions small;
  small.initial_window_size = 65'535;
  connect(small);
  messages_->discard_input();

  send(std::string(1000 * 1000, 'x'), /*end_stream=*/true);

  EXPECT_EQ(read_outcome(), Read::ended);
  EXPECT_EQ(inputs_, 0);
  EXPECT_FALSE(messages_->has_unread());
  EXPECT_EQ(sessions_->client.stats().buffered_output, 0U);
  EXPECT_TRUE(bad_input_.ok());
}

TEST_F(MessageStreamTest, WhatADiscardDropsGivesItsWindowAndItsMemoryBack) {
  http2::SessionOptions small;
  small.initial_window_size = 65'535;
  const std::string message = framed(text_of(std::string(60'000, 'x')));
  for (const std::size_t size : {message.size(), std::size_t{50'000}, std::size_t{3}}) {
    connect(small);
    send(message.substr(0, size));
    read_outcome();
    send(message.substr(size));
    send(message.substr(0, 4'000));

    messages_->discard_input();
    sessions_->exchange();
    send(std::string(1000 * 1000, 'x'), /*end_stream=*/true);

    EXPECT_EQ(sessions_->client.stats().buffered_output, 0U) << size;
    EXPECT_EQ(sessions_->server.stats().buffered_input, 0U) << size;
    EXPECT_EQ(messages_->capacity(), 0U) << size;
  }
}

TEST_F(MessageStreamTest, AMessageThatFailsToParseGivesTheWindowOfWhatIsBehindItBack) {
  http2::SessionOptions small;
  small.initial_window_size = 65'535;
  connect(small);
  Text unwanted;
  messages_->set_blocking_reader(&unwanted);
  const std::string no_message = std::string("\0\0\0\0\3\x0a\xff\xff", 8);
  send(no_message + framed(text_of(std::string(60'000, 'x'))));
  ASSERT_EQ(bad_input_.code(), StatusCode::internal);

  send(std::string(1000 * 1000, 'x'), /*end_stream=*/true);

  EXPECT_EQ(sessions_->client.stats().buffered_output, 0U);
  EXPECT_EQ(sessions_->server.stats().buffered_input, 0U);
}

TEST_F(MessageStreamTest, TheOneMessageOfAUnaryCallIsHeldOnce) {
  messages_->expect_one();
  const std::string large(600'000, 'x');
  const std::string message = framed(text_of(large));
  send(message.substr(0, 300'000));

  send(message.substr(300'000), /*end_stream=*/true);

  EXPECT_LT(messages_->capacity(), 2 * message.size());
  EXPECT_EQ(read(), large);
}

TEST_F(MessageStreamTest, AReaderThatIsSlowStopsItsStreamAndThenGetsItAll) {
  http2::SessionOptions small;
  small.initial_window_size = 65'535;
  connect(small);
  const std::string kilobyte = framed(text_of(std::string(1000, 'x')));
  std::string all;
  for (int i = 0; i < 500; ++i)
    all += kilobyte;
  send(all, /*end_stream=*/true);
  EXPECT_FALSE(messages_->has_ended()) << "the window holds the rest back";

  int messages = 0;
  while (read()) {
    ++messages;
    sessions_->exchange();
  }

  EXPECT_EQ(messages, 500);
  EXPECT_EQ(read_outcome(), Read::ended);
}

TEST_F(MessageStreamTest, AReaderThatIsAlwaysBehindCostsNoMoreThanWhatItHasNotRead) {
  constexpr int behind = 50;
  const std::string kilobyte = framed(text_of(std::string(1000, 'x')));
  for (int i = 0; i < behind; ++i)
    send(kilobyte);

  for (int i = 0; i < 10'000; ++i) {
    send(kilobyte);
    ASSERT_TRUE(read());
  }

  EXPECT_LT(messages_->capacity(), 10 * behind * kilobyte.size());
  for (int i = 0; i < behind; ++i)
    EXPECT_TRUE(read());
  EXPECT_FALSE(read());
}

TEST_F(MessageStreamTest, AMessageLargerThanTheWindowComesThrough) {
  http2::SessionOptions small;
  small.initial_window_size = 65'535;
  connect(small);
  const std::string large(900 * 1000, 'x');

  send(framed(text_of(large)), /*end_stream=*/true);
  for (int round = 0; round < 100 && read_outcome() == Read::pending; ++round)
    sessions_->exchange();

  EXPECT_TRUE(messages_->has_ended());
  EXPECT_TRUE(bad_input_.ok()) << bad_input_.to_string();
}

// ---- readers that wait ------------------------------------------------------------------------

Task<void> read_all(MessageStream& messages, std::vector<std::string>& into, bool& is_done) {
  Text text;
  for (;;) {
    ReadAwaiter next(messages, text);
    const bool has_message = co_await next;
    if (!has_message) break;
    into.push_back(text.value());
  }
  is_done = true;
}

TEST_F(MessageStreamTest, AReaderThatWaitsGoesOnWithEachMessageAndTheEnd) {
  std::vector<std::string> texts;
  bool is_done = false;
  spawn(loop_, read_all(*messages_, texts, is_done));
  loop_.poll();

  send(framed(text_of("a")) + framed(text_of("b")) + framed(text_of("c")).substr(0, 6));
  loop_.poll();
  EXPECT_EQ(texts, (std::vector<std::string>{"a", "b"}));
  send(framed(text_of("c")).substr(6), /*end_stream=*/true);
  loop_.poll();

  EXPECT_EQ(texts, (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_TRUE(is_done);
}

TEST_F(MessageStreamTest, AReaderThatWaitsEndsWhenTheCallDoes) {
  for (const bool is_discarded : {false, true}) {
    connect(http2::SessionOptions());
    std::vector<std::string> texts;
    bool is_done = false;
    spawn(loop_, read_all(*messages_, texts, is_done));
    loop_.poll();
    ASSERT_FALSE(is_done);

    is_discarded ? messages_->discard_input() : messages_->end_input();
    loop_.poll();

    EXPECT_TRUE(is_done) << is_discarded;
  }
}

TEST_F(MessageStreamTest, AReaderThatIsDestroyedWhileItWaitsIsForgotten) {
  {
    Text text;
    Text* const into = &text;
    ReadAwaiter waiting(*messages_, *into);
    ASSERT_FALSE(waiting.await_ready());
    waiting.await_suspend(std::noop_coroutine());
  }

  send(framed(text_of("for the next one")));
  loop_.poll();

  EXPECT_EQ(read(), "for the next one");
}

TEST_F(MessageStreamTest, ABlockingReaderGetsItsMessageOnArrival) {
  Text text;
  messages_->set_blocking_reader(&text);
  send(framed(text_of("here")).substr(0, 3));
  EXPECT_TRUE(messages_->has_blocking_reader());
  EXPECT_EQ(readies_, 0);

  send(framed(text_of("here")).substr(3));

  EXPECT_FALSE(messages_->has_blocking_reader());
  EXPECT_EQ(readies_, 1);
  EXPECT_TRUE(messages_->take_blocking_read());
  EXPECT_EQ(text.value(), "here");
  EXPECT_FALSE(messages_->take_blocking_read());
}

// ---- out --------------------------------------------------------------------------------------

TEST_F(MessageStreamTest, AMessageIsWrittenBehindItsPrefix) {
  EXPECT_EQ(write(text_of("reply"), /*end_stream=*/true), Write::taken);
  sessions_->exchange();

  EXPECT_EQ(answered_, framed(text_of("reply")));
  EXPECT_TRUE(answer_has_ended_);
  EXPECT_EQ(outputs_, 1) << "the driver was told";
}

TEST_F(MessageStreamTest, WhatWasSerialisedBeforeGoesAsItIs) {
  grpc::KeptMessage kept;
  kept.keep(grpc::OutgoingMessage(text_of("reply")));

  EXPECT_EQ(messages_->write(kept, /*may_share=*/true, /*end_stream=*/false), Write::taken);
  sessions_->exchange();

  EXPECT_EQ(answered_, framed(text_of("reply")));
  EXPECT_FALSE(answer_has_ended_);
}

/// Keeps the test's message, and knows whether the session still refers to it.
class MessageKeeper final : public BytesOwner {
 public:
  bool is_used() const noexcept { return references() > 1; }

 private:
  void let_go() noexcept override { ADD_FAILURE() << "more was let go of than was held"; }
};

TEST_F(MessageStreamTest, ALargeMessageThatIsKeptIsSentFromWhereItLies) {
  MessageKeeper keeper;
  const Text large = text_of(std::string(500 * 1000, 'x'));

  EXPECT_EQ(write(large, /*end_stream=*/true, &keeper), Write::taken);
  EXPECT_TRUE(keeper.is_used());
  EXPECT_GE(sessions_->server.stats().buffered_output, 500U * 1000) << "it counts";
  sessions_->exchange();

  EXPECT_FALSE(keeper.is_used());
  EXPECT_EQ(answered_ == framed(large), true);
  EXPECT_TRUE(answer_has_ended_);
  EXPECT_EQ(outputs_, 1);
}

TEST_F(MessageStreamTest, AMessageThatIsKeptIsLetGoOfWithItsStream) {
  MessageKeeper keeper;
  const Text large = text_of(std::string(500 * 1000, 'x'));
  write(large, /*end_stream=*/false, &keeper);

  sessions_->server.reset_stream(messages_->stream(), http2::ErrorCode::cancel);

  EXPECT_FALSE(keeper.is_used());
}

TEST_F(MessageStreamTest, ASmallMessageIsNotKept) {
  MessageKeeper keeper;
  const Text small = text_of("small");

  write(small, /*end_stream=*/false, &keeper);
  EXPECT_FALSE(keeper.is_used());
  sessions_->exchange();

  EXPECT_EQ(answered_, framed(small));
}

TEST_F(MessageStreamTest, BeforeTheStreamIsOpenAWriterWaitsAndAfterTheEndItMayNot) {
  MessageStream unopened(*this, max_size);
  EXPECT_EQ(unopened.try_write(text_of("x")), Write::full);
  EXPECT_FALSE(unopened.is_writable());

  messages_->end_output();
  EXPECT_EQ(messages_->try_write(text_of("x")), Write::over);
  EXPECT_EQ(write(Text(), /*end_stream=*/false), Write::over);
  EXPECT_FALSE(messages_->is_writable());
}

TEST_F(MessageStreamTest, APeerThatDoesNotReadStopsTheWriterUntilItReads) {
  client_reads_ = false;
  const Text large = text_of(std::string(100 * 1000, 'x'));
  std::size_t taken = 0;
  while (taken < 1000 && messages_->try_write(large) == Write::taken) {
    ++taken;
    sessions_->exchange();
  }
  ASSERT_LT(taken, 1000U) << "nothing holds the writer back";
  bool was_taken = false;
  spawn(loop_, [](MessageStream& messages, const Text& text, bool& into) -> Task<void> {
    WriteAwaiter write(messages, text);
    into = co_await write;
  }(*messages_, large, was_taken));
  loop_.poll();
  EXPECT_FALSE(was_taken);

  client_reads_ = true;
  sessions_->client.consumed(*request_, answered_.size());
  sessions_->exchange();
  loop_.poll();

  EXPECT_TRUE(was_taken);
  EXPECT_EQ(answered_.size(), (taken + 1) * framed(large).size());
}

TEST_F(MessageStreamTest, AWriterThatWaitsLearnsThatTheCallIsOver) {
  MessageStream unopened(*this, max_size);
  unopened.set_loop(loop_.core());
  const Text text = text_of("x");
  std::optional<bool> was_taken;
  spawn(loop_,
        [](MessageStream& messages, const Text& message, std::optional<bool>& into) -> Task<void> {
          WriteAwaiter write(messages, message);
          const bool taken = co_await write;
          into = taken;
        }(unopened, text, was_taken));
  loop_.poll();
  ASSERT_FALSE(was_taken);

  unopened.end_output();
  loop_.poll();

  EXPECT_EQ(was_taken, false);
}

TEST_F(MessageStreamTest, AWriterThatWaitsLearnsThatItsMessageEndsTheCall) {
  MessageStream unopened(*this, max_size);
  unopened.set_loop(loop_.core());
  const Text text = text_of("x");
  std::optional<bool> was_taken;
  spawn(loop_,
        [](MessageStream& messages, const Text& message, std::optional<bool>& into) -> Task<void> {
          WriteAwaiter write(messages, message);
          const bool taken = co_await write;
          into = taken;
        }(unopened, text, was_taken));
  loop_.poll();
  ended_by_message_ = &unopened;

  unopened.attach(sessions_->client, *request_, &loop_.core());
  loop_.poll();
  unopened.detach();

  EXPECT_EQ(was_taken, false);
}

}  // namespace
}  // namespace nearcall::inline v0::detail
