// SPDX-License-Identifier: Apache-2.0
// Interceptors of a server: what they see and change, for coroutines and functions, and what
// becomes of bad ones.
#include "server/server_chain.hpp"

#include "server/blocking_server.hpp"

#include <nearcall/server_interceptor.hpp>
#include <nearcall/when.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

/// What interceptors of a test share, on the server's one loop.
struct ServerNotes {
  void add(std::string note) {
    const std::lock_guard lock(mutex);
    seen.push_back(std::move(note));
  }
  std::vector<std::string> all() {
    const std::lock_guard lock(mutex);
    return seen;
  }

  std::mutex mutex;
  std::vector<std::string> seen;
  Occasions waiting;
  Occasions cancelled;
  Occasions gone;
  AsyncEvent go_on;
};

/// Does what the test says.
class ServerAround final : public ServerInterceptor {
 public:
  using Body = Task<Status> (*)(IncomingCall& call, ServerNotes& notes, std::string name);
  ServerAround(Body body, ServerNotes& notes, std::string name)
      : body_(body), notes_(&notes), name_(std::move(name)) {}

 private:
  Task<Status> intercept(IncomingCall& call) override { return body_(call, *notes_, name_); }

  Body body_;
  ServerNotes* notes_;
  std::string name_;
};

/// Both kinds of services, behind interceptors.
class ServerChainTest : public BlockingServerTest {
 public:
  ServerChainTest& add(ServerAround::Body body, std::string name = {}) {
    options_.interceptor(std::make_shared<ServerAround>(body, notes_, std::move(name)));
    return *this;
  }
  void serve() { start(options_); }

 protected:
  Result<Text> echo(const std::string& text,
                    const CallOptions& options = CallOptions().timeout(20s),
                    WrapperService::MethodIndex method = WrapperService::echo) {
    return wrapper_.unary<Text>(method, text_of(text), options, &info_);
  }
  /// What came back of `texts`, and how it ended.
  template <class Methods>
  std::pair<std::vector<std::string>, Status> chat(const Methods& methods,
                                                   std::size_t method,
                                                   const std::vector<std::string>& texts) {
    std::vector<std::string> replies;
    auto call = ClientStub(channel_, methods)
                    .bidi_streaming<Text, Text>(method, CallOptions().timeout(20s));
    for (const std::string& text : texts)
      call.write(text_of(text));
    call.writes_done();
    while (const std::optional<Text> reply = call.read())
      replies.push_back(reply->value());
    return {replies, call.finish()};
  }
  auto chat_with_coroutine(const std::vector<std::string>& texts) {
    return chat(WrapperService::methods, WrapperService::chat, texts);
  }

  ServerNotes notes_;
  ServerOptions options_;
  CallInfo info_;
  ClientStub wrapper_{channel_, WrapperService::methods};
};

Task<Status> add_empty_hooks(IncomingCall& call, ServerNotes& /*notes*/, std::string /*name*/) {
  call.on_request({});
  call.on_reply({});
  Status status = co_await call.proceed();
  co_return status;
}

TEST_F(ServerChainTest, EmptyHooksAndInterceptorsAreNone) {
  options_.interceptor(nullptr);
  add(add_empty_hooks).serve();

  EXPECT_EQ(echo("hello").value().value(), "hello");
  EXPECT_EQ(chat_with_coroutine({"1"}).second, Status());
}

// ---- what they see and change -------------------------------------------------------------------

Task<Status> note_in_and_out(IncomingCall& call, ServerNotes& notes, std::string name) {
  notes.add(name + " in " + std::string(call.method()));
  Status status = co_await call.proceed();
  notes.add(name + " out: " + status.to_string());
  co_return status;
}

TEST_F(ServerChainTest, TheFirstOneIsOutermost) {
  add(note_in_and_out, "a").add(note_in_and_out, "b").serve();

  EXPECT_EQ(echo("hello")->value(), "hello");
  EXPECT_THAT(notes_.all(), ElementsAre("a in /test.Wrapper/Echo", "b in /test.Wrapper/Echo",
                                        "b out: OK", "a out: OK"));
}

TEST_F(ServerChainTest, FunctionsHaveThemToo) {
  add(note_in_and_out, "a").serve();
  functions_.on_unary = [](ServerContext&, const Text&) -> Result<Text> {
    return Status::not_found("no such text");
  };

  EXPECT_EQ(call("hello").status(), Status::not_found("no such text"));
  EXPECT_THAT(notes_.all(),
              ElementsAre("a in /test.Functions/Unary", "a out: NOT_FOUND: no such text"));
}

Task<Status> change_call(IncomingCall& call, ServerNotes& notes, std::string /*name*/) {
  notes.add(std::string(call.metadata().get("key").value_or("none")));
  call.metadata().clear();
  static_cast<void>(call.metadata().add("user", "seven"));
  call.set_deadline(std::chrono::steady_clock::now() + 1h);
  call.context().add_header("header", "1");
  const Status status = co_await call.proceed();
  call.context().add_trailer("trailer", "2");
  co_return status;
}

TEST_F(ServerChainTest, MetadataAndDeadlineCanBeChanged) {
  add(change_call).serve();
  coroutines_.on_echo = [](ServerContext& call, const Text&) -> Result<Text> {
    EXPECT_GT(call.deadline(), std::chrono::steady_clock::now() + 30min);
    EXPECT_FALSE(call.metadata().get("key"));
    return text_of(std::string(call.metadata().get("user").value_or("none")));
  };

  const Result<Text> reply = echo("hello", CallOptions().timeout(20s).metadata("key", "value"));

  ASSERT_TRUE(reply.ok()) << reply.status().to_string();
  EXPECT_EQ(reply->value(), "seven");
  EXPECT_EQ(info_.headers().get("header"), "1");
  EXPECT_EQ(info_.trailers().get("trailer"), "2");
  EXPECT_THAT(notes_.all(), ElementsAre("value"));
}

Task<Status> cut_deadline(IncomingCall& call, ServerNotes& /*notes*/, std::string /*name*/) {
  call.set_deadline(std::chrono::steady_clock::now() + 10ms);
  Status status = co_await call.proceed();
  co_return status;
}

TEST_F(ServerChainTest, ADeadlineOfTheirsEndsTheCall) {
  add(cut_deadline).serve();

  EXPECT_EQ(echo("x", CallOptions().timeout(20s), WrapperService::hold).status().code(),
            StatusCode::deadline_exceeded);
}

Task<Status> rewrite_messages(IncomingCall& call, ServerNotes& notes, std::string name) {
  int requests = 0;
  int replies = 0;
  call.on_request([&](google::protobuf::MessageLite& request) {
    ++requests;
    static_cast<Text&>(request).mutable_value()->append(">" + name);
    return Status();
  });
  call.on_reply([&](google::protobuf::MessageLite& reply) {
    ++replies;
    static_cast<Text&>(reply).mutable_value()->append("<" + name);
    return Status();
  });
  Status status = co_await call.proceed();
  notes.add(std::to_string(requests) + "/" + std::to_string(replies));
  co_return status;
}

TEST_F(ServerChainTest, MessagesAreSeenOnTheWayInAndInTheOppositeOrderOnTheWayOut) {
  add(rewrite_messages, "a").add(rewrite_messages, "b").serve();

  EXPECT_EQ(echo("x")->value(), "x>a>b<b<a");
  EXPECT_EQ(call("x")->value(), "x>a>b<b<a");
}

TEST_F(ServerChainTest, EachMessageOfAStreamIsSeen) {
  add(rewrite_messages, "a").serve();
  functions_.on_chat = [](ServerContext&, BlockingReader<Text>& requests,
                          BlockingWriter<Text>& replies) {
    while (const std::optional<Text> request = requests.read()) {
      if (!replies.write(*request)) break;
    }
    return Status();
  };

  const auto of_coroutine = chat_with_coroutine({"1", "2", "3"});
  const auto of_function =
      chat(ScriptedFunctions::methods, ScriptedFunctions::chat, {"1", "2", "3"});

  EXPECT_TRUE(of_coroutine.second.ok()) << of_coroutine.second.to_string();
  EXPECT_THAT(of_coroutine.first, ElementsAre("1>a<a", "2>a<a", "3>a<a"));
  EXPECT_EQ(of_function, of_coroutine);
  EXPECT_THAT(notes_.all(), ElementsAre("3/3", "3/3"));
}

TEST_F(ServerChainTest, AStreamThatItsClientReadsSlowlyPassesWhole) {
  add(rewrite_messages, "a").serve();
  constexpr int count = 200;
  const std::string large(50'000, 'x');
  auto call = ClientStub(channel_, WrapperService::methods)
                  .bidi_streaming<Text, Text>(WrapperService::chat, CallOptions().timeout(20s));
  std::jthread writer([&] {
    for (int i = 0; i < count; ++i)
      EXPECT_TRUE(call.write(text_of(large)));
    call.writes_done();
  });

  int replies = 0;
  while (const std::optional<Text> reply = call.read()) {
    EXPECT_EQ(reply->value().size(), large.size() + 4);
    ++replies;
  }

  EXPECT_EQ(replies, count);
  EXPECT_TRUE(call.finish().ok());
}

Task<Status> change_end(IncomingCall& call, ServerNotes& /*notes*/, std::string /*name*/) {
  const Status status = co_await call.proceed();
  co_return Status::aborted("instead of " + status.to_string());
}

TEST_F(ServerChainTest, TheStatusCanBeChanged) {
  add(change_end).serve();

  EXPECT_EQ(echo("hello").status(), Status::aborted("instead of OK"));
  EXPECT_EQ(call("hello").status(), Status::aborted("instead of OK"));
  EXPECT_EQ(chat_with_coroutine({"1"}).second, Status::aborted("instead of OK"));
}

Task<Status> add_header_late(IncomingCall& call, ServerNotes& /*notes*/, std::string name) {
  Status status = co_await call.proceed();
  if (name == "waits") co_await sleep_for(1ms);
  call.context().add_header("late", "1");
  co_return status;
}

TEST_F(ServerChainTest, AReplyIsHeldBackUntilTheyReturnOrWait) {
  add(note_in_and_out, "a").add(add_header_late).serve();

  EXPECT_EQ(echo("hello")->value(), "hello");
  EXPECT_EQ(info_.headers().get("late"), "1");
  EXPECT_EQ(call("hello")->value(), "hello");
}

TEST_F(ServerChainTest, OnceTheyWaitItsReplyHasGone) {
  add(add_header_late, "waits").serve();

  EXPECT_THAT(std::string(echo("hello").status().message()), HasSubstr("were sent already"));
  EXPECT_TRUE(log_capture().take("were sent already"));
}

// ---- own answers --------------------------------------------------------------------------------

Task<Status> refuse_call(IncomingCall& /*call*/, ServerNotes& /*notes*/, std::string /*name*/) {
  co_return Status::unauthenticated("no token");
}

TEST_F(ServerChainTest, AStatusWithoutProceedIsTheAnswer) {
  add(note_in_and_out, "a").add(refuse_call).add(note_in_and_out, "never").serve();

  EXPECT_EQ(echo("hello").status(), Status::unauthenticated("no token"));
  EXPECT_EQ(chat_with_coroutine({"1"}).second, Status::unauthenticated("no token"));
  EXPECT_EQ(coroutines_.started.count(), 0);
  EXPECT_EQ(notes_.all().size(), 4U);
}

Task<Status> answer_call(IncomingCall& call, ServerNotes& /*notes*/, std::string /*name*/) {
  const Text reply = text_of("from the cache");
  call.reply(reply);
  co_return Status();
}

TEST_F(ServerChainTest, AReplyOfItsOwnIsTheAnswer) {
  add(rewrite_messages, "a").add(answer_call).serve();

  EXPECT_EQ(echo("hello")->value(), "from the cache<a");
  const auto [replies, status] = chat_with_coroutine({});
  EXPECT_TRUE(status.ok()) << status.to_string();
  EXPECT_THAT(replies, ElementsAre("from the cache<a"));
  EXPECT_EQ(coroutines_.started.count(), 0);
}

Task<Status> stand_in(IncomingCall& call, ServerNotes& /*notes*/, std::string /*name*/) {
  Status status = co_await call.proceed();
  if (status.ok()) co_return status;
  const Text reply = text_of("stale");
  call.reply(reply);
  co_return Status();
}

TEST_F(ServerChainTest, AReplyOfItsOwnCanStandInForAFailure) {
  add(stand_in).serve();
  coroutines_.on_echo = [](ServerContext&, const Text&) -> Result<Text> {
    return Status::unavailable("not now");
  };

  const Result<Text> reply = echo("hello");

  ASSERT_TRUE(reply.ok()) << reply.status().to_string();
  EXPECT_EQ(reply->value(), "stale");
}

Task<Status> refuse_bad(IncomingCall& call, ServerNotes& /*notes*/, std::string /*name*/) {
  const auto hook = [](google::protobuf::MessageLite& message) {
    return static_cast<Text&>(message).value() == "bad" ? Status::invalid_argument("bad text")
                                                        : Status();
  };
  call.on_request(hook);
  Status status = co_await call.proceed();
  co_return status;
}

TEST_F(ServerChainTest, ARequestThatIsRefusedEndsTheCall) {
  add(refuse_bad).serve();
  functions_.on_collect = [](ServerContext&, BlockingReader<Text>& requests) -> Result<Text> {
    while (requests.read()) {
    }
    return text_of("nobody hears this");
  };

  EXPECT_EQ(echo("bad").status(), Status::invalid_argument("bad text"));
  EXPECT_EQ(coroutines_.started.count(), 0);
  EXPECT_EQ(chat_with_coroutine({"good", "bad"}).second, Status::invalid_argument("bad text"));
  auto collect =
      client_.client_streaming<Text, Text>(ScriptedFunctions::collect, CallOptions().timeout(20s));
  collect.write(text_of("bad"));
  EXPECT_EQ(collect.finish().status(), Status::invalid_argument("bad text"));
}

Task<Status> refuse_replies_too(IncomingCall& call, ServerNotes& /*notes*/, std::string /*name*/) {
  call.on_reply([](google::protobuf::MessageLite&) { return Status::data_loss("not for you"); });
  Status status = co_await call.proceed();
  co_return status;
}

TEST_F(ServerChainTest, AReplyThatIsRefusedIsNotSent) {
  add(refuse_replies_too).serve();

  EXPECT_EQ(echo("hello").status(), Status::data_loss("not for you"));
  const auto [replies, status] = chat_with_coroutine({"1"});
  EXPECT_EQ(status, Status::data_loss("not for you"));
  EXPECT_THAT(replies, ElementsAre());
}

// ---- bad ones -----------------------------------------------------------------------------------

Task<Status> throw_first(IncomingCall& /*call*/, ServerNotes& /*notes*/, std::string /*name*/) {
  throw std::runtime_error("the secret reason");
  co_return Status();
}

Task<Status> throw_last(IncomingCall& call, ServerNotes& /*notes*/, std::string /*name*/) {
  static_cast<void>(co_await call.proceed());
  throw std::runtime_error("the secret reason");
}

Task<Status> throw_plainly(IncomingCall& /*call*/, ServerNotes& /*notes*/, std::string /*name*/) {
  throw std::runtime_error("the secret reason");
}

Task<Status> throw_in_a_hook(IncomingCall& call, ServerNotes& /*notes*/, std::string /*name*/) {
  call.on_request([](google::protobuf::MessageLite&) -> Status {
    throw std::runtime_error("the secret reason");
  });
  Status status = co_await call.proceed();
  co_return status;
}

TEST_F(ServerChainTest, OneThatThrowsEndsTheCall) {
  for (const ServerAround::Body body : {throw_first, throw_last, throw_plainly, throw_in_a_hook}) {
    options_ = ServerOptions();
    add(body).serve();

    EXPECT_EQ(echo("hello").status(), Status::unknown("an interceptor of the server failed"));
    EXPECT_TRUE(log_capture().take("the secret reason"));
    EXPECT_EQ(chat_with_coroutine({"1"}).second,
              Status::unknown("an interceptor of the server failed"));
    EXPECT_TRUE(log_capture().take("the secret reason"));
    server_.reset();
  }
}

Task<Status> go_twice(IncomingCall& call, ServerNotes& /*notes*/, std::string /*name*/) {
  static_cast<void>(co_await call.proceed());
  Status status = co_await call.proceed();
  co_return status;
}

Task<Status> answer_twice(IncomingCall& call, ServerNotes& /*notes*/, std::string /*name*/) {
  const Text reply = text_of("mine");
  call.reply(reply);
  call.reply(reply);
  co_return Status();
}

Task<Status> answer_beside_handler(IncomingCall& call, ServerNotes&, std::string /*name*/) {
  static_cast<void>(co_await call.proceed());
  const Text reply = text_of("mine");
  call.reply(reply);
  co_return Status();
}

Task<Status> go_after_answer(IncomingCall& call, ServerNotes& /*notes*/, std::string /*name*/) {
  const Text reply = text_of("mine");
  call.reply(reply);
  Status status = co_await call.proceed();
  co_return status;
}

Task<Status> answer_nothing(IncomingCall& /*call*/, ServerNotes& /*notes*/, std::string) {
  co_return Status();
}

TEST_F(ServerChainTest, OneThatAnswersTwiceOrWithoutAReplyIsInternalAndLogged) {
  const std::pair<ServerAround::Body, std::string> cases[] = {
      {go_twice, "called proceed() twice"},
      {answer_twice, "answered a call twice"},
      {answer_beside_handler, "answered a call twice"},
      {go_after_answer, "called proceed() after reply()"},
      {answer_nothing, "ended a call with OK and without a reply"}};
  for (const auto& [body, mistake] : cases) {
    options_ = ServerOptions();
    add(body).serve();

    const Status status = echo("hello").status();

    EXPECT_EQ(status.code(), StatusCode::internal) << mistake;
    EXPECT_THAT(std::string(status.message()), HasSubstr(mistake));
    EXPECT_TRUE(log_capture().take(mistake));
    server_.reset();
  }
}

struct ServerGuard {
  ServerNotes* notes;
  ~ServerGuard() { notes->gone.add(); }
};

Task<Status> never_go_on(IncomingCall& call, ServerNotes& notes, std::string name) {
  const ServerGuard guard{&notes};
  const std::stop_token cancelled = call.context().cancellation();
  if (name == "after") static_cast<void>(co_await call.proceed());
  notes.waiting.add();
  const std::stop_callback told(cancelled, [&] { notes.cancelled.add(); });
  co_await notes.go_on.wait();
  co_return Status::internal("not reached");
}

class ServerChainWaitTest : public ServerChainTest,
                            public testing::WithParamInterface<std::string> {};

INSTANTIATE_TEST_SUITE_P(,
                         ServerChainWaitTest,
                         testing::Values(std::string("before"), std::string("after")));

TEST_P(ServerChainWaitTest, TheDeadlineEndsACallOfOneThatNeverGoesOn) {
  add(never_go_on, GetParam()).serve();

  EXPECT_EQ(echo("hello", CallOptions().timeout(100ms)).status().code(),
            StatusCode::deadline_exceeded);
  EXPECT_TRUE(notes_.waiting.wait_for(1));
  EXPECT_TRUE(notes_.cancelled.wait_for(1));
  server_.reset();
  EXPECT_EQ(notes_.gone.count(), 1);
}

TEST_P(ServerChainWaitTest, TheClientEndsACallOfOneThatNeverGoesOn) {
  add(never_go_on, GetParam()).serve();
  std::stop_source stop;
  std::jthread client([&] {
    EXPECT_TRUE(notes_.waiting.wait_for(1));
    stop.request_stop();
  });

  EXPECT_EQ(echo("hello", CallOptions().cancellation(stop.get_token())).status().code(),
            StatusCode::cancelled);
  EXPECT_TRUE(notes_.cancelled.wait_for(1));
  server_.reset();
  EXPECT_EQ(notes_.gone.count(), 1);
}

TEST_F(ServerChainTest, OneInProceedIsToldOfACallWhoseHandlerTheDeadlineEnds) {
  add(note_in_and_out, "a").serve();
  auto call = wrapper_.server_streaming<Text>(WrapperService::stuck, text_of("x"),
                                              CallOptions().timeout(100ms));

  EXPECT_EQ(call.finish().code(), StatusCode::deadline_exceeded);
  server_.reset();
}

Task<Status> proceed_as_task(IncomingCall& call) {
  Status status = co_await call.proceed();
  co_return status;
}

Task<void> wait_until_started(Occasions& waiting) {
  while (waiting.count() == 0)
    co_await sleep_for(1ms);
}

Task<Status> leave_early(IncomingCall& call, ServerNotes& notes, std::string /*name*/) {
  Task<Status> rest = proceed_as_task(call);
  Task<void> enough = wait_until_started(notes.waiting);
  static_cast<void>(co_await when_any(std::move(rest), std::move(enough)));
  co_return Status::aborted("enough");
}

TEST_F(ServerChainTest, OneThatLeavesProceedEndsTheCallAndItsHandlerIsCancelled) {
  add(leave_early).serve();
  std::jthread starter([&] {
    EXPECT_TRUE(coroutines_.started.wait_for(1));
    notes_.waiting.add();
  });

  EXPECT_EQ(echo("x", CallOptions().timeout(20s), WrapperService::hold).status(),
            Status::aborted("enough"));
  EXPECT_TRUE(coroutines_.cancelled.wait_for(1));
}

// ---- waiting ------------------------------------------------------------------------------------

Task<Status> sleep_around(IncomingCall& call, ServerNotes& /*notes*/, std::string /*name*/) {
  co_await sleep_for(1ms);
  Status status = co_await call.proceed();
  co_await sleep_for(1ms);
  co_return status;
}

Task<Status> think_elsewhere(IncomingCall& call, ServerNotes& /*notes*/, std::string name) {
  EventLoop& loop = *EventLoop::current();
  static ThreadPool pool(1);
  co_await resume_on(pool);
  co_await resume_on(loop);
  Status status = co_await call.proceed();
  co_await resume_on(pool);
  if (name == "back") co_await resume_on(loop);
  co_return status;
}

TEST_F(ServerChainTest, TheyMayWaitBeforeAndAfter) {
  add(think_elsewhere).add(sleep_around).add(think_elsewhere, "back").add(sleep_around).serve();

  EXPECT_EQ(echo("hello")->value(), "hello");
  EXPECT_EQ(call("hello")->value(), "hello");
  const auto [replies, status] = chat_with_coroutine({"1", "2"});
  EXPECT_TRUE(status.ok()) << status.to_string();
  EXPECT_THAT(replies, ElementsAre("1", "2"));
}

TEST_F(ServerChainTest, AServerStopsInGoodOrderWithThem) {
  add(sleep_around).serve();
  std::jthread stopper([&] {
    EXPECT_TRUE(coroutines_.started.wait_for(1));
    server_->stop();
  });

  EXPECT_TRUE(echo("stop", CallOptions().timeout(20s), WrapperService::hold).ok());
  server_->wait();
}

}  // namespace
}  // namespace nearcall::test
