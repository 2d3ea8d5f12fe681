// SPDX-License-Identifier: Apache-2.0
// Functions that read and write streams.
#include "server/blocking_server.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <stop_token>
#include <string>
#include <thread>

namespace nearcall::test {
namespace {

class PooledStreamTest : public BlockingServerTest {};

TEST_F(PooledStreamTest, RepliesArriveInOrder) {
  start();
  functions_.on_list = [](ServerContext&, const Text& request, BlockingWriter<Text>& replies) {
    for (int i = 0; i < 100; ++i) {
      if (!replies.write(text_of(request.value() + std::to_string(i)))) return Status::aborted("!");
    }
    return Status::not_found("no more");
  };

  auto list = client_.server_streaming<Text>(ScriptedFunctions::list, text_of("n"), CallOptions());

  for (int i = 0; i < 100; ++i) {
    const std::optional<Text> reply = list.read();
    ASSERT_TRUE(reply) << i;
    EXPECT_EQ(reply->value(), "n" + std::to_string(i));
  }
  EXPECT_FALSE(list.read());
  EXPECT_EQ(list.finish(), Status::not_found("no more"));
}

TEST_F(PooledStreamTest, RequestsArriveInOrder) {
  start();
  functions_.on_collect = [](ServerContext& call, BlockingReader<Text>& requests) -> Result<Text> {
    std::string all;
    while (const std::optional<Text> request = requests.read())
      all += request->value();
    EXPECT_FALSE(call.is_cancelled());
    return text_of(all);
  };
  auto collect = client_.client_streaming<Text, Text>(ScriptedFunctions::collect, CallOptions());
  std::string all;
  for (int i = 0; i < 100; ++i) {
    all += std::to_string(i);
    ASSERT_TRUE(collect.write(text_of(std::to_string(i))));
  }

  const Result<Text> reply = collect.finish();

  ASSERT_TRUE(reply) << reply.status().to_string();
  EXPECT_EQ(reply->value(), all);
}

TEST_F(PooledStreamTest, AReadEndsWhenTheServerStopsIfItIsAskedTo) {
  start();
  functions_.on_collect = [this](ServerContext& call, BlockingReader<Text>& requests) {
    Text request;
    arrived_.add();
    EXPECT_FALSE(requests.read(request, call.server_stopping()));
    EXPECT_FALSE(call.is_cancelled());
    EXPECT_FALSE(requests.read(request, call.server_stopping())) << "nor later";
    return Result<Text>(Status::unavailable("the server stops"));
  };
  auto collect = client_.client_streaming<Text, Text>(ScriptedFunctions::collect, CallOptions());
  ASSERT_TRUE(arrived_.wait_for(1));

  server_->stop();
  server_->wait();

  EXPECT_EQ(collect.finish().status(), Status::unavailable("the server stops"));
}

TEST_F(PooledStreamTest, WhatARecentlyEndedReadLeftTheNextOneHas) {
  constexpr int count = 300;
  start();
  functions_.on_chat = [&](ServerContext&, BlockingReader<Text>& requests,
                           BlockingWriter<Text>& replies) {
    int ended = 0;
    for (int read = 0; read < count;) {
      std::stop_source stop;
      Text request;
      std::jthread other([&stop] { stop.request_stop(); });
      if (!requests.read(request, stop.get_token())) {
        ++ended;
        continue;
      }
      EXPECT_EQ(request.value(), std::to_string(read));
      ++read;
      if (!replies.write(request)) return Status::aborted("the client has gone");
    }
    return Status::not_found(std::to_string(ended));
  };
  auto chat = client_.bidi_streaming<Text, Text>(ScriptedFunctions::chat, CallOptions());

  for (int i = 0; i < count; ++i) {
    ASSERT_TRUE(chat.write(text_of(std::to_string(i))));
    ASSERT_EQ(chat.read().value_or(Text()).value(), std::to_string(i));
  }

  EXPECT_FALSE(chat.read());
  EXPECT_EQ(chat.finish().code(), StatusCode::not_found);
}

TEST_F(PooledStreamTest, AReadWithATokenEndsWithTheCall) {
  start();
  functions_.on_collect = [this](ServerContext& call, BlockingReader<Text>& requests) {
    Text request;
    arrived_.add();
    EXPECT_FALSE(requests.read(request, call.server_stopping()));
    EXPECT_TRUE(call.is_cancelled());
    returned_.add();
    return Result<Text>(Status::aborted("nobody hears this"));
  };
  auto collect = client_.client_streaming<Text, Text>(ScriptedFunctions::collect, CallOptions());
  ASSERT_TRUE(arrived_.wait_for(1));

  collect.cancel();

  EXPECT_TRUE(returned_.wait_for(1));
}

Status echo_each(ServerContext& /*call*/,
                 BlockingReader<Text>& requests,
                 BlockingWriter<Text>& replies) {
  Text message;
  while (requests.read(message)) {
    if (!replies.write(message)) return Status::aborted("the client has gone");
  }
  return Status();
}

TEST_F(PooledStreamTest, ATalkGoesToAndFro) {
  start();
  functions_.on_chat = &echo_each;
  auto chat = client_.bidi_streaming<Text, Text>(ScriptedFunctions::chat, CallOptions());

  for (const char* word : {"one", "two", "three"}) {
    ASSERT_TRUE(chat.write(text_of(word)));
    const std::optional<Text> reply = chat.read();
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->value(), word);
  }
  EXPECT_TRUE(chat.writes_done());
  EXPECT_FALSE(chat.read());
  EXPECT_TRUE(chat.finish().ok());
}

TEST_F(PooledStreamTest, OneThreadMayReadWhileAnotherOneWrites) {
  constexpr int count = 300;
  start();
  functions_.on_chat = [](ServerContext&, BlockingReader<Text>& requests,
                          BlockingWriter<Text>& replies) {
    std::thread writer([&replies] {
      for (int i = 0; i < count; ++i)
        EXPECT_TRUE(replies.write(text_of("r")));
    });
    int read = 0;
    while (requests.read())
      ++read;
    writer.join();
    return read == count ? Status() : Status::internal(std::to_string(read));
  };
  auto chat = client_.bidi_streaming<Text, Text>(ScriptedFunctions::chat, CallOptions());
  std::thread writer([&chat] {
    for (int i = 0; i < count; ++i)
      EXPECT_TRUE(chat.write(text_of("q")));
    EXPECT_TRUE(chat.writes_done());
  });
  int replies = 0;
  while (chat.read())
    ++replies;
  writer.join();

  EXPECT_EQ(replies, count);
  EXPECT_TRUE(chat.finish().ok());
}

TEST_F(PooledStreamTest, ARequestThatIsNoMessageEndsTheCall) {
  start();
  functions_.on_collect = [this](ServerContext& call, BlockingReader<Text>& requests) {
    EXPECT_FALSE(requests.read());
    EXPECT_TRUE(call.is_cancelled());
    returned_.add();
    return Result<Text>(Text());
  };
  SessionPeer client(path());

  const auto answer =
      client.call(SessionPeer::request_to("/test.Functions/Collect"), framed("\x0a\x05x"));

  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->fields.at("grpc-status"), "13");
  EXPECT_TRUE(returned_.wait_for(1));
}

}  // namespace
}  // namespace nearcall::test
