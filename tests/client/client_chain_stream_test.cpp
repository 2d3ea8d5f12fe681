// SPDX-License-Identifier: Apache-2.0
// Interceptors around streams of one way, beside other threads, options and pauses of a call.
#include "client/client_chain_fixture.hpp"
#include "server/blocking_server.hpp"

#include <nearcall/server_interceptor.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using Functions = ScriptedFunctions;

MessageHook appending_to(std::string text) {
  return [text = std::move(text)](google::protobuf::MessageLite& message) {
    text_in(message).mutable_value()->append(text);
    return Status();
  };
}

class MarkingServer final : public ServerInterceptor {
  Task<Status> intercept(IncomingCall& call) override {
    call.on_request(appending_to(">s"));
    call.on_reply(appending_to("<s"));
    Status status = co_await call.proceed();
    co_return status;
  }
};

Task<Status> mark(OutgoingCall& call, Notes& /*notes*/, std::string /*name*/) {
  call.on_request(appending_to(">c"));
  call.on_reply(appending_to("<c"));
  Status status = co_await call.proceed();
  co_return status;
}

using Seen = std::pair<std::vector<std::string>, Status>;

/// Functions of each kind, with interceptors at both ends.
class ClientChainStreamTest : public BlockingServerTest,
                              public testing::WithParamInterface<CallForm> {
 protected:
  void begin(Around::Body body) {
    start(ServerOptions().interceptor(std::make_shared<MarkingServer>()));
    options_.interceptor(std::make_shared<Around>(body, notes_));
  }
  ClientStub stub() const {
    return ClientStub(Channel("unix:" + path(), options_), Functions::methods);
  }

  Notes notes_;
  ChannelOptions options_;
};

INSTANTIATE_TEST_SUITE_P(,
                         ClientChainStreamTest,
                         testing::Values(CallForm::blocking, CallForm::awaited),
                         testing::PrintToStringParamName());

Task<Seen> await_list(ClientStub stub, const Text& request) {
  std::vector<std::string> replies;
  auto call = stub.server_streaming_async<Text>(Functions::list, request, patient());
  Text reply;
  while (co_await call.read(reply))
    replies.push_back(reply.value());
  Status status = co_await call.finish();
  co_return Seen(std::move(replies), std::move(status));
}

Seen list(const ClientStub& stub, const Text& request) {
  std::vector<std::string> replies;
  auto call = stub.server_streaming<Text>(Functions::list, request, patient());
  while (const std::optional<Text> reply = call.read())
    replies.push_back(reply->value());
  return {replies, call.finish()};
}

TEST_P(ClientChainStreamTest, OfAServerStreamTheyChangeACopyOfTheRequestAndEachReply) {
  functions_.on_list = [](ServerContext&, const Text& request, BlockingWriter<Text>& replies) {
    for (const char* const number : {"1 ", "2 "})
      EXPECT_TRUE(replies.write(text_of(number + request.value())));
    return Status();
  };
  begin(mark);
  const Text request = text_of("x");

  const auto [replies, status] = GetParam() == CallForm::blocking
                                     ? list(stub(), request)
                                     : sync_wait(await_list(stub(), request));

  EXPECT_TRUE(status.ok()) << status.to_string();
  EXPECT_THAT(replies, ElementsAre("1 x>c>s<s<c", "2 x>c>s<s<c"));
  EXPECT_EQ(request.value(), "x");
}

Task<Result<Text>> await_collect(ClientStub stub) {
  auto call = stub.client_streaming_async<Text, Text>(Functions::collect, patient());
  for (const char* const text : {"a", "b"}) {
    const Text message = text_of(text);
    co_await call.write(message);
  }
  Result<Text> reply = co_await call.finish();
  co_return reply;
}

Result<Text> collect(const ClientStub& stub) {
  auto call = stub.client_streaming<Text, Text>(Functions::collect, patient());
  for (const char* const text : {"a", "b"})
    call.write(text_of(text));
  return call.finish();
}

TEST_P(ClientChainStreamTest, OfAClientStreamTheyChangeEachRequestAndTheReply) {
  functions_.on_collect = [](ServerContext&, BlockingReader<Text>& requests) -> Result<Text> {
    std::string all;
    while (const std::optional<Text> request = requests.read())
      all += request->value() + " ";
    return text_of(all);
  };
  begin(mark);

  const Result<Text> reply =
      GetParam() == CallForm::blocking ? collect(stub()) : sync_wait(await_collect(stub()));

  ASSERT_TRUE(reply.ok()) << reply.status().to_string();
  EXPECT_EQ(reply->value(), "a>c>s b>c>s <s<c");
}

Task<Result<Text>> await_unary_with(ClientStub stub, CallOptions options) {
  const Text request = text_of("request");
  auto call = stub.unary_async<Text>(Functions::unary, request, options);
  co_return co_await call;
}

TEST_P(ClientChainStreamTest, OtherOptionsOfACallHold) {
  functions_.on_unary = [](ServerContext&, const Text& request) { return request; };
  begin(mark);
  const auto call = [this](const CallOptions& options) {
    return GetParam() == CallForm::blocking
               ? stub().unary<Text>(Functions::unary, text_of("request"), options).status()
               : sync_wait(await_unary_with(stub(), options)).status();
  };

  EXPECT_TRUE(call(patient().max_receive_message_size(100)).ok());
  EXPECT_EQ(call(patient().max_receive_message_size(10)).code(), StatusCode::resource_exhausted);
  EXPECT_EQ(call(patient().max_send_message_size(5)).code(), StatusCode::resource_exhausted);
}

// ---- what hooks do beside the call --------------------------------------------------------------

Task<Status> cancel_in_hook(OutgoingCall& call, Notes& notes, std::string /*name*/) {
  call.on_request([&notes](google::protobuf::MessageLite&) {
    notes.stop.request_stop();
    return Status();
  });
  Status status = co_await call.proceed();
  co_return status;
}

Task<Status> await_write(ClientStub stub, CallOptions options) {
  auto call = stub.bidi_streaming_async<Text, Text>(Functions::chat, options);
  const Text message = text_of("a");
  const bool is_written = co_await call.write(message);
  EXPECT_FALSE(is_written);
  co_return co_await call.finish();
}

TEST_P(ClientChainStreamTest, AHookOfAWriterMayCancelItsCall) {
  functions_.on_chat = [](ServerContext& call, BlockingReader<Text>&, BlockingWriter<Text>&) {
    wait_for(call.cancellation());
    return Status();
  };
  begin(cancel_in_hook);
  const CallOptions options = patient().cancellation(notes_.stop.get_token());
  if (GetParam() == CallForm::awaited) {
    EXPECT_EQ(sync_wait(await_write(stub(), options)), Status::cancelled("the call was cancelled"));
    return;
  }
  auto call = stub().bidi_streaming<Text, Text>(Functions::chat, options);

  EXPECT_FALSE(call.write(text_of("a")));
  EXPECT_EQ(call.finish(), Status::cancelled("the call was cancelled"));
}

class ClientChainThreadsTest : public ClientChainStreamTest {};

INSTANTIATE_TEST_SUITE_P(,
                         ClientChainThreadsTest,
                         testing::Values(CallForm::blocking),
                         testing::PrintToStringParamName());

Task<Status> count_slowly(OutgoingCall& call, Notes& notes, std::string /*name*/) {
  int count = 0;
  call.on_request([&](google::protobuf::MessageLite&) {
    notes.arrived.add();
    notes.released.wait_for(1);
    ++count;
    return Status();
  });
  const Status status = co_await call.proceed();
  notes.seen.push_back(std::to_string(count));
  co_return status;
}

TEST_P(ClientChainThreadsTest, TheEndWaitsForAHookOnAnotherThread) {
  functions_.on_chat = [](ServerContext&, BlockingReader<Text>&, BlockingWriter<Text>&) {
    return Status::aborted("early");
  };
  begin(count_slowly);
  auto call = stub().bidi_streaming<Text, Text>(Functions::chat, patient());
  auto written = std::async(std::launch::async, [&] { return call.write(text_of("a")); });
  ASSERT_TRUE(notes_.arrived.wait_for(1));

  auto finished = std::async(std::launch::async, [&] { return call.finish(); });

  EXPECT_EQ(finished.wait_for(50ms), std::future_status::timeout);
  notes_.released.add();
  EXPECT_EQ(finished.get(), Status::aborted("early"));
  EXPECT_FALSE(written.get());
  EXPECT_THAT(notes_.seen, ElementsAre("1"));
}

// ---- pauses -------------------------------------------------------------------------------------

class ClientChainPauseTest : public LogCheckedTest {};

Task<Status> refuse_and_linger(OutgoingCall& call, Notes& notes, std::string /*name*/) {
  call.on_request([](google::protobuf::MessageLite&) { return Status::aborted("refused"); });
  call.on_attempt([&](std::size_t number) { notes.seen.push_back(std::to_string(number)); });
  Status status = co_await call.proceed();
  co_await sleep_for(200ms);  // longer than the pause
  co_return status;
}

Task<Status> write_in_pause(const ClientStub& stub) {
  auto call = stub.bidi_streaming_async<Text, Text>(chat_method, patient());
  while (call.attempts() < 2)
    co_await sleep_for(1ms);
  const Text message = text_of("a");
  const bool is_written = co_await call.write(message);
  EXPECT_FALSE(is_written);
  co_return co_await call.finish();
}

TEST_F(ClientChainPauseTest, APauseOfACallThatIsOverIsFollowedByNoAttempt) {
  ScriptedServer server({[](SessionPeer& peer) {
    http2::Stream* const stream = peer.next_headers();
    ASSERT_NE(stream, nullptr);
    peer.headers(*stream,
                 {{":status", "200"}, {"content-type", "application/grpc"}, {"grpc-status", "14"}},
                 /*end_stream=*/true);
  }});
  Notes notes;
  {
    const Channel channel(
        "mine", server.options()
                    .service_config(
                        R"({"methodConfig": [{"name": [{}], "retryPolicy": {"maxAttempts": 3,
                 "initialBackoff": "0.1s", "maxBackoff": "0.1s", "backoffMultiplier": 1,
                 "retryableStatusCodes": ["UNAVAILABLE"]}}]})")
                    .interceptor(std::make_shared<Around>(refuse_and_linger, notes)));
    const ClientStub stub(channel, test_methods);

    EXPECT_EQ(sync_wait(write_in_pause(stub)), Status::aborted("refused"));
  }
  server.join();
  EXPECT_THAT(notes.seen, ElementsAre("1"));
}

}  // namespace
}  // namespace nearcall::test
