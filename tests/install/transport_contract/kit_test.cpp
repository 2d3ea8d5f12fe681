// SPDX-License-Identifier: Apache-2.0
// What nearcall::testing has for services, and a mock of all that a client can do.
#include "talk.nearcall.hpp"

#include <nearcall/testing/manual_clock.hpp>
#include <nearcall/testing/test_call.hpp>
#include <nearcall/testing/test_server.hpp>

#include <gmock/gmock.h>

#include <chrono>
#include <optional>
#include <string>

namespace {

using namespace nearcall;
using talk::Word;
using ::testing::Return;

Word word(const std::string& text) {
  Word made;
  made.set_text(text);
  return made;
}

class TalkService final : public talk::Talker::BlockingService {
 public:
  Result<Word> Say(ServerContext& /*call*/, const Word& request) override { return request; }
  Status Repeat(ServerContext& /*call*/,
                const Word& request,
                BlockingWriter<Word>& replies) override {
    const bool is_taken = replies.write(request) && replies.write(request);
    return is_taken ? Status() : Status::cancelled("nobody reads");
  }
  Result<Word> Join(ServerContext& /*call*/, BlockingReader<Word>& requests) override {
    std::string all;
    while (const std::optional<Word> request = requests.read())
      all += request->text();
    return word(all);
  }
  Status Chat(ServerContext& /*call*/,
              BlockingReader<Word>& requests,
              BlockingWriter<Word>& replies) override {
    while (const std::optional<Word> request = requests.read())
      if (!replies.write(*request)) break;
    return Status();
  }
};

class MockTalker : public talk::Talker::ClientInterface {
 public:
  MOCK_METHOD(Result<Word>, Say, (const Word&, const CallOptions&, CallInfo*), (const, override));
  MOCK_METHOD(AsyncUnaryCall<Word>, SayAsync, (const Word&, const CallOptions&), (const, override));
  MOCK_METHOD(ServerStreamingCall<Word>,
              Repeat,
              (const Word&, const CallOptions&),
              (const, override));
  MOCK_METHOD(AsyncServerStreamingCall<Word>,
              RepeatAsync,
              (const Word&, const CallOptions&),
              (const, override));
  MOCK_METHOD((ClientStreamingCall<Word, Word>), Join, (const CallOptions&), (const, override));
  MOCK_METHOD((AsyncClientStreamingCall<Word, Word>),
              JoinAsync,
              (const CallOptions&),
              (const, override));
  MOCK_METHOD((BidiStreamingCall<Word, Word>), Chat, (const CallOptions&), (const, override));
  MOCK_METHOD((AsyncBidiStreamingCall<Word, Word>),
              ChatAsync,
              (const CallOptions&),
              (const, override));

  /// Whatever is asked is asked of `other`, once.
  void expect_all(const talk::Talker::ClientInterface& other) {
    EXPECT_CALL(*this, Say).WillOnce(Return(word("mocked")));
    EXPECT_CALL(*this, SayAsync).WillOnce([&other](const Word&, const CallOptions& options) {
      return other.SayAsync(word("mocked"), options);
    });
    EXPECT_CALL(*this, Repeat).WillOnce([&other](const Word& request, const CallOptions& options) {
      return other.Repeat(request, options);
    });
    EXPECT_CALL(*this, RepeatAsync)
        .WillOnce([&other](const Word& request, const CallOptions& options) {
          return other.RepeatAsync(request, options);
        });
    EXPECT_CALL(*this, Join).WillOnce([&other](const auto& options) {
      return other.Join(options);
    });
    EXPECT_CALL(*this, JoinAsync).WillOnce([&other](const auto& options) {
      return other.JoinAsync(options);
    });
    EXPECT_CALL(*this, Chat).WillOnce([&other](const auto& options) {
      return other.Chat(options);
    });
    EXPECT_CALL(*this, ChatAsync).WillOnce([&other](const auto& options) {
      return other.ChatAsync(options);
    });
  }
};

/// Code that calls each method.
std::string talk_blocking(const talk::Talker::ClientInterface& talker) {
  std::string heard = talker.Say(word("said"))->text();
  auto repeated = talker.Repeat(word("again"));
  while (const std::optional<Word> reply = repeated.read())
    heard += " " + reply->text();
  auto joined = talker.Join();
  joined.write(word("a"));
  joined.write(word("b"));
  heard += " " + joined.finish()->text();
  auto chat = talker.Chat();
  chat.write(word("hello"));
  heard += " " + chat.read()->text();
  return chat.finish().ok() ? heard : "failed";
}

Task<std::string> talk_awaited(const talk::Talker::ClientInterface& talker) {
  const Result<Word> said = co_await talker.SayAsync(word("said"));
  std::string heard = said->text();
  auto repeated = talker.RepeatAsync(word("again"));
  while (const std::optional<Word> reply = co_await repeated.read())
    heard += " " + reply->text();
  auto joined = talker.JoinAsync();
  co_await joined.write(word("a"));
  co_await joined.write(word("b"));
  const Result<Word> all = co_await joined.finish();
  heard += " " + all->text();
  auto chat = talker.ChatAsync();
  co_await chat.write(word("hello"));
  const std::optional<Word> reply = co_await chat.read();
  heard += " " + reply->text();
  const Status status = co_await chat.finish();
  co_return status.ok() ? heard : "failed";
}

class Talk : public ::testing::Test {
 protected:
  TalkService service_;
  nearcall::testing::TestServer server_{service_};
  const talk::Talker::Client client_{server_.channel()};
};

TEST_F(Talk, AClientIsOneToCodeThatTakesTheInterface) {
  EXPECT_EQ(talk_blocking(client_), "said again again ab hello");
  EXPECT_EQ(sync_wait(talk_awaited(client_)), "said again again ab hello");
}

TEST_F(Talk, AMockIsToo) {
  MockTalker mock;
  mock.expect_all(client_);

  EXPECT_EQ(talk_blocking(mock), "mocked again again ab hello");
  EXPECT_EQ(sync_wait(talk_awaited(mock)), "mocked again again ab hello");
}

TEST_F(Talk, WhatAMockDoesNotHaveEndsTheProgram) {
  const class : public talk::Talker::ClientInterface {
  } nothing;

  EXPECT_DEATH(static_cast<void>(nothing.Say(word("said"))),
               "Talker::ClientInterface::Say: nobody");
}

TEST(TalkAlone, AHandlerIsCalledWithoutAServer) {
  TalkService service;
  nearcall::testing::TestCall call;
  nearcall::testing::TestRequests<Word> requests(call, {word("a"), word("b")});

  EXPECT_EQ(service.Join(call, requests)->text(), "ab");
}

Task<void> sleep_for_an_hour() {
  co_await sleep_for(std::chrono::hours(1));
}

TEST(TalkAlone, TimePassesWhenTheTestSaysSo) {
  EventLoop loop;
  nearcall::testing::ManualClock clock(loop);
  const EventLoop::Binding binding(loop);
  const JoinHandle<void> sleeper = spawn(sleep_for_an_hour());
  clock.settle();
  EXPECT_FALSE(sleeper.has_ended());

  clock.advance(std::chrono::hours(1));
  clock.settle();
  EXPECT_TRUE(sleeper.has_ended());
}

}  // namespace
