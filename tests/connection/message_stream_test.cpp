// SPDX-License-Identifier: Apache-2.0
// MessageStream: coroutines that read and write, and wait.
#include "connection/message_stream.hpp"

#include "connection/message_fixture.hpp"

#include <nearcall/spawn.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

namespace nearcall::inline v0::detail {
namespace {

using test::framed;
using test::Text;
using test::text_of;
using Write = MessageOutbox::Write;

class MessageStreamTest : public MessageTest {};

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

TEST_F(MessageStreamTest, AReaderOfManyMessagesLetsOthersHaveTheirTurns) {
  constexpr std::size_t many = 50'000;
  std::string burst;
  for (std::size_t i = 0; i < many; ++i)
    burst += framed(text_of(""));
  send(burst, /*end_stream=*/true);
  std::vector<std::string> texts;
  bool is_done = false;
  spawn(loop_, read_all(*messages_, texts, is_done));

  std::size_t most = 0;
  for (int turns = 0; !is_done && turns < 1000; ++turns) {
    const std::size_t before = texts.size();
    loop_.poll();
    most = std::max(most, texts.size() - before);
  }

  EXPECT_EQ(texts.size(), many);
  EXPECT_LE(most, 5000U) << "messages in one turn of the loop";
}

Task<void> write_many(MessageStream& messages, int many, int& written) {
  const Text text;
  while (written < many) {
    WriteAwaiter write(messages, text);
    const bool is_taken = co_await write;
    if (!is_taken) break;
    ++written;
  }
}

TEST_F(MessageStreamTest, AWriterOfManyMessagesLetsOthersHaveTheirTurns) {
  constexpr int many = 50'000;
  int written = 0;
  spawn(loop_, write_many(*messages_, many, written));

  int most = 0;
  for (int turns = 0; written < many && turns < 1000; ++turns) {
    const int before = written;
    loop_.poll();
    most = std::max(most, written - before);
  }

  EXPECT_EQ(written, many);
  EXPECT_LE(most, 5000) << "messages in one turn of the loop";
}

TEST_F(MessageStreamTest, AWriterThatWaitsForItsTurnIsToldOfTheEnd) {
  int written = 0;
  spawn(loop_, write_many(*messages_, /*many=*/50'000, written));
  loop_.poll();
  const int before = written;

  messages_->out().close();
  loop_.poll();
  loop_.poll();

  EXPECT_GT(before, 0);
  EXPECT_EQ(written, before);
}

TEST_F(MessageStreamTest, AReaderThatWaitsEndsWhenTheCallDoes) {
  for (const bool is_dropped : {false, true}) {
    connect(http2::SessionOptions());
    std::vector<std::string> texts;
    bool is_done = false;
    spawn(loop_, read_all(*messages_, texts, is_done));
    loop_.poll();
    ASSERT_FALSE(is_done);

    is_dropped ? messages_->in().drop() : messages_->in().finish();
    loop_.poll();

    EXPECT_TRUE(is_done) << is_dropped;
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

TEST_F(MessageStreamTest, APeerThatDoesNotReadStopsTheWriterUntilItReads) {
  client_reads_ = false;
  const Text large = text_of(std::string(100 * 1000, 'x'));
  std::size_t taken = 0;
  while (taken < 1000 && messages_->out().try_write(large) == Write::taken) {
    ++taken;
    sessions_->run();
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
  sessions_->run();
  loop_.poll();

  EXPECT_TRUE(was_taken);
  EXPECT_EQ(answered_.size(), (taken + 1) * framed(large).size());
}

TEST_F(MessageStreamTest, AWriterThatWaitsLearnsThatTheCallIsOver) {
  MessageStream unopened(*this, max_size);
  unopened.set_loop(Access::core(loop_));
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

  unopened.out().close();
  loop_.poll();

  EXPECT_EQ(was_taken, false);
}

TEST_F(MessageStreamTest, AWriterThatWaitsLearnsThatItsMessageEndsTheCall) {
  MessageStream unopened(*this, max_size);
  unopened.set_loop(Access::core(loop_));
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

  unopened.attach(sessions_->client, *request_, &Access::core(loop_));
  loop_.poll();
  unopened.detach();

  EXPECT_EQ(was_taken, false);
}

TEST_F(MessageStreamTest, ReadingOnAnotherThreadSaysWhatToDo) {
  EventLoop another;
  const EventLoop::Binding elsewhere(another);
  Text text;

  EXPECT_DEATH(ReadAwaiter(*messages_, text).await_ready(), "does not run the call's loop");
}

}  // namespace
}  // namespace nearcall::inline v0::detail
