// SPDX-License-Identifier: Apache-2.0
// Handlers that throw, that do not listen, that are elsewhere when their call or server goes.
#include "server/huge_reply.hpp"
#include "server/manual_server.hpp"
#include "server/wrapper_service.hpp"
#include "support/session_peer.hpp"

#include <nearcall/thread_pool.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <semaphore>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace nearcall::test {

namespace http2 = detail::http2;
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

/// Handlers that do what the test says.
class ScriptedService final : public Service {
 public:
  using Unary = std::function<Task<Result<Text>>(ServerContext&, Text)>;
  using Collect = std::function<Task<Result<Text>>(ServerContext&, ServerReader<Text>&)>;
  using Chat =
      std::function<Task<Status>(ServerContext&, ServerReader<Text>&, ServerWriter<Text>&)>;
  enum MethodIndex : std::size_t { unary, collect, chat, huge, huge_stream };
  static constexpr std::array<Method, 5> methods = {{
      {"/test.Scripted/Unary", MethodKind::unary},
      {"/test.Scripted/Collect", MethodKind::client_streaming},
      {"/test.Scripted/Chat", MethodKind::bidi_streaming},
      {"/test.Scripted/Huge", MethodKind::unary},
      {"/test.Scripted/HugeStream", MethodKind::server_streaming},
  }};

  ScriptedService()
      : Service(
            "test.Scripted",
            {detail::unary_handler<ScriptedService, Text, Text, &ScriptedService::DoUnary>(
                 methods[unary]),
             detail::
                 client_streaming_handler<ScriptedService, Text, Text, &ScriptedService::DoCollect>(
                     methods[collect]),
             detail::bidi_streaming_handler<ScriptedService, Text, Text, &ScriptedService::DoChat>(
                 methods[chat]),
             detail::unary_handler<ScriptedService, Text, HugeReply, &ScriptedService::Huge>(
                 methods[huge]),
             detail::server_streaming_handler<ScriptedService,
                                              Text,
                                              HugeReply,
                                              &ScriptedService::HugeStream>(
                 methods[huge_stream])}) {}

  Unary on_unary;
  Collect on_collect;
  Chat on_chat;
  Occasions stream_was_over;

 private:
  Task<Result<Text>> DoUnary(ServerContext& call, Text request) {
    return on_unary(call, std::move(request));
  }
  Task<Result<Text>> DoCollect(ServerContext& call, ServerReader<Text>& requests) {
    return on_collect(call, requests);
  }
  Task<Status> DoChat(ServerContext& call,
                      ServerReader<Text>& requests,
                      ServerWriter<Text>& replies) {
    return on_chat(call, requests, replies);
  }
  Task<Result<HugeReply>> Huge(ServerContext& /*call*/, Text /*request*/) { co_return HugeReply(); }
  Task<Status> HugeStream(ServerContext& /*call*/,
                          Text /*request*/,
                          ServerWriter<HugeReply>& replies) {
    const HugeReply reply;
    if (!co_await replies.write(reply)) stream_was_over.add();
    co_return Status();
  }
};

class HandlerTest : public LogCheckedTest {
 protected:
  ~HandlerTest() override { go_on_.release(100); }

  void start(const ServerOptions& options = ServerOptions()) {
    server_ = std::make_unique<Server>(options);
    server_->add_service(service_);
    server_->listen("unix:" + path());
    ASSERT_TRUE(server_->start());
  }
  std::string path() const { return folder_.file("s"); }
  Result<Text> call(std::string request = "x") {
    return client_.unary<Text>(ScriptedService::unary, text_of(std::move(request)), CallOptions());
  }
  std::future<Result<Text>> call_elsewhere() {
    return std::async(std::launch::async, [this] { return call(); });
  }
  bool is_serving() {
    service_.on_unary = [](ServerContext&, Text request) -> Task<Result<Text>> {
      co_return request;
    };
    return call("still there").ok();
  }
  /// A handler that goes to the pool, and on when the test lets it.
  ScriptedService::Unary on_the_pool() {
    return [this](ServerContext&, Text request) -> Task<Result<Text>> {
      return work_on_the_pool(*this, std::move(request));
    };
  }
  static Task<Result<Text>> work_on_the_pool(HandlerTest& test, Text request) {
    co_await resume_on(test.pool_);
    test.arrived_.add();
    test.go_on_.acquire();
    test.has_worked_ = true;
    co_return request;
  }

  TempDir folder_;
  std::counting_semaphore<200> go_on_{0};
  Occasions arrived_;
  std::atomic<bool> has_worked_{false};
  ThreadPool pool_{2};
  ScriptedService service_;
  std::unique_ptr<Server> server_;
  Channel channel_{"unix:" + path()};
  ClientStub client_{channel_, ScriptedService::methods};
};

// ---- throwing -------------------------------------------------------------------------------

Task<Result<Text>> throw_at_once(ServerContext& /*call*/, Text request) {
  if (request.value() == "x") throw std::runtime_error("at once");
  co_return request;
}
Task<Result<Text>> throw_later(ServerContext& /*call*/, Text request) {
  co_await sleep_for(1ns);
  if (request.value() == "x") throw std::runtime_error("later");
  co_return request;
}
Task<Result<Text>> throw_without_a_coroutine(ServerContext& /*call*/, const Text& /*request*/) {
  throw std::runtime_error("no coroutine");
}
Task<Result<Text>> throw_a_number(ServerContext& /*call*/, Text request) {
  if (request.value() == "x") throw 42;
  co_return request;
}

TEST_F(HandlerTest, AnExceptionIsUnknownWhereverItIsThrown) {
  start();
  const std::pair<ScriptedService::Unary, const char*> cases[] = {
      {&throw_at_once, "Unary: the handler threw: at once"},
      {&throw_later, "Unary: the handler threw: later"},
      {&throw_without_a_coroutine, "Unary: the handler threw: no coroutine"},
      {&throw_a_number, "Unary: the handler threw something that is no std::exception"}};
  for (const auto& [handler, line] : cases) {
    service_.on_unary = handler;

    const Result<Text> reply = call();

    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().code(), StatusCode::unknown) << line;
    EXPECT_TRUE(log_capture().take(line)) << line;
  }
  EXPECT_TRUE(is_serving());
}

Task<Status> throw_after_one(ServerContext& /*call*/,
                             ServerReader<Text>& requests,
                             ServerWriter<Text>& replies) {
  Text request;
  co_await requests.read(request);
  co_await replies.write(request);
  throw std::runtime_error("in the stream");
}

TEST_F(HandlerTest, AnExceptionInAStreamEndsItAfterTheRepliesThatWereWritten) {
  start();
  service_.on_chat = &throw_after_one;
  auto chat = client_.bidi_streaming<Text, Text>(ScriptedService::chat, CallOptions());
  ASSERT_TRUE(chat.write(text_of("one")));

  Text reply;
  EXPECT_TRUE(chat.read(reply));
  EXPECT_FALSE(chat.read(reply));
  EXPECT_EQ(chat.finish().code(), StatusCode::unknown);
  EXPECT_TRUE(log_capture().take("the handler threw: in the stream"));
}

TEST_F(HandlerTest, OkWhereAReplyIsDueIsInternalAndTheLogNamesTheMethod) {
  start();
  service_.on_unary = [](ServerContext&, Text) -> Task<Result<Text>> { co_return Status(); };
  service_.on_collect = [](ServerContext&, ServerReader<Text>&) -> Task<Result<Text>> {
    co_return Status();
  };
  const std::string what = "the status OK was given where a value or an error was due";

  const Status unary = call().status();
  const Status collected =
      client_.client_streaming<Text, Text>(ScriptedService::collect, CallOptions())
          .finish()
          .status();

  EXPECT_EQ(unary, Status(StatusCode::internal, what));
  EXPECT_EQ(collected, Status(StatusCode::internal, what));
  for (const char* method : {"/test.Scripted/Unary: ", "/test.Scripted/Collect: "}) {
    EXPECT_TRUE(log_capture().take(method + what)) << method;
    EXPECT_TRUE(log_capture().take(what)) << "where the Result was made";
  }
}

TEST_F(HandlerTest, OneThatWritesOnAnotherThreadIsToldWhatToDo) {
  start();
  service_.on_chat = [](ServerContext&, ServerReader<Text>&,
                        ServerWriter<Text>& replies) -> Task<Status> {
    std::thread([&replies] {
      const Text text;
      EXPECT_DEATH(static_cast<void>(replies.write(text).await_ready()), "resume_on\\(loop\\)");
    }).join();
    co_return Status();
  };
  SessionPeer client(path());

  const auto answer = client.call(SessionPeer::request_to("/test.Scripted/Chat"), framed(Text()));

  EXPECT_TRUE(answer);
}

// ---- not listening --------------------------------------------------------------------------

TEST_F(HandlerTest, OneThatGoesOnAfterItsCancellationHarmsNobody) {
  start();
  Occasions has_ended;
  service_.on_chat = [&has_ended](ServerContext& call, ServerReader<Text>& requests,
                                  ServerWriter<Text>& replies) -> Task<Status> {
    const auto body = [](ServerContext& context, ServerReader<Text>& in, ServerWriter<Text>& out,
                         Occasions& ended) -> Task<Status> {
      const CallEnding why = co_await context.until_ending();
      EXPECT_EQ(why, CallEnding::cancelled);
      Text text;
      const bool has_read = co_await in.read(text);
      EXPECT_FALSE(has_read);
      const bool has_written = co_await out.write(text);
      EXPECT_FALSE(has_written);
      context.send_headers();
      context.add_trailer("late", "trailer");
      co_await sleep_for(1ms);
      const bool has_written_late = co_await out.write(text);
      EXPECT_FALSE(has_written_late);
      ended.add();
      co_return Status(StatusCode::internal, "nobody hears this");
    };
    return body(call, requests, replies, has_ended);
  };
  {
    SessionPeer client(path());
    client.open(SessionPeer::request_to("/test.Scripted/Chat"));
    ASSERT_TRUE(is_serving()) << "its call was begun before this one";
  }

  EXPECT_TRUE(has_ended.wait_for(1));
  EXPECT_TRUE(is_serving());
}

// ---- elsewhere ------------------------------------------------------------------------------

TEST_F(HandlerTest, OneThatEndsOnAnotherThreadIsAnswered) {
  start();
  service_.on_unary = on_the_pool();
  go_on_.release(20);

  for (int i = 0; i < 20; ++i) {
    const Result<Text> reply = call("from the pool");
    ASSERT_TRUE(reply) << reply.status().to_string();
    EXPECT_EQ(reply->value(), "from the pool");
  }
}

TEST_F(HandlerTest, OneThatIsElsewhereOutlivesItsConnection) {
  start();
  service_.on_unary = on_the_pool();
  {
    SessionPeer client(path());
    http2::Stream& stream = client.open(SessionPeer::request_to("/test.Scripted/Unary"));
    client.send(stream, framed(text_of("x")), /*end_stream=*/true);
    ASSERT_TRUE(arrived_.wait_for(1));
  }
  ASSERT_TRUE(is_serving());

  go_on_.release();
  server_->stop();
  server_->wait();

  EXPECT_TRUE(has_worked_);
}

TEST_F(HandlerTest, TheServersDestructorWaitsForOneThatIsElsewhere) {
  start();
  service_.on_unary = on_the_pool();
  auto running = call_elsewhere();
  ASSERT_TRUE(arrived_.wait_for(1));
  StatusCode code = StatusCode::ok;
  std::thread later([&] {
    code = running.get().status().code();  // its connection is gone: the destructor is under way
    go_on_.release();
  });

  server_.reset();

  EXPECT_TRUE(has_worked_);
  later.join();
  EXPECT_EQ(code, StatusCode::unavailable);
}

TEST_F(HandlerTest, AForcedDrainWaitsForOneThatIsElsewhere) {
  log_capture().allow("handlers that did not return after they were cancelled");
  start(ServerOptions().drain_timeout(1ms));
  service_.on_unary = on_the_pool();
  auto running = call_elsewhere();
  ASSERT_TRUE(arrived_.wait_for(1));
  server_->stop();
  EXPECT_EQ(running.get().status().code(), StatusCode::unavailable) << "the client need not wait";
  go_on_.release();

  server_->wait();

  EXPECT_TRUE(has_worked_);
}

TEST_F(HandlerTest, OneThatWaitsForAThreadIsDestroyedThere) {
  ASSERT_TRUE(pool_.try_post([this] { go_on_.acquire(); }));
  ASSERT_TRUE(pool_.try_post([this] { go_on_.acquire(); }));
  start();
  Occasions has_started;
  service_.on_unary = [&](ServerContext&, Text request) -> Task<Result<Text>> {
    has_started.add();
    return work_on_the_pool(*this, std::move(request));
  };
  auto running = call_elsewhere();
  ASSERT_TRUE(has_started.wait_for(1));

  server_.reset();

  EXPECT_FALSE(has_worked_);
  EXPECT_EQ(running.get().status().code(), StatusCode::unavailable);
}

// ---- the answer, to the byte ------------------------------------------------------------------

/// A server whose handlers are scripted, on the test's thread.
class HandlerAnswerTest : public ManualServerTest {
 protected:
  HandlerAnswerTest() {
    server_.emplace(loop_);
    server_->add_service(scripted_);
    server_->listen(target());
    EXPECT_TRUE(server_->start());
    settle();
    peer_.emplace(path(), FramePeer::passive);
  }
  void hello(std::initializer_list<http2::Setting> settings = {}) {
    peer_->say_hello(settings);
    settle();
  }
  /// All header fields that came, of headers and trailers.
  auto fields() {
    peer_->listen();
    return peer_->stream(1).fields;
  }

  ScriptedService scripted_;
  std::optional<FramePeer> peer_;
};

TEST_F(HandlerAnswerTest, OneThatLeavesRequestsUnreadSendsTrailersAndThenNoError) {
  scripted_.on_chat = [](ServerContext&, ServerReader<Text>&, ServerWriter<Text>&) -> Task<Status> {
    co_return Status(StatusCode::aborted, "enough");
  };
  hello();

  peer_->ask(1, "/test.Scripted/Chat");
  peer_->say(frames::data(1, framed(text_of("unread"))));
  settle();

  const std::vector<HeardFrame> frames = peer_->heard_on(1);
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(frames[0].header.type, http2::FrameType::headers);
  EXPECT_TRUE(frames[0].header.has(frames::flag::end_stream));
  EXPECT_EQ(frames[1].header.type, http2::FrameType::rst_stream);
  EXPECT_EQ(frames[1].payload, frames::be32(0));
  EXPECT_EQ(fields().at("grpc-status"), "10");
}

TEST_F(HandlerAnswerTest, AReplyOverTwoGibibytesIsResourceExhausted) {
  hello();

  peer_->ask_whole(1, "/test.Scripted/Huge");
  settle();

  EXPECT_EQ(fields().at("grpc-status"), "8");
  EXPECT_NE(fields().at("grpc-message").find("3221225472"), std::string::npos);
}

TEST_F(HandlerAnswerTest, AReplyOverTwoGibibytesEndsItsStream) {
  hello();

  peer_->ask_whole(1, "/test.Scripted/HugeStream");
  settle();

  EXPECT_EQ(fields().at("grpc-status"), "8");
  EXPECT_TRUE(scripted_.stream_was_over.wait_for(1));
}

class LargeMetadataTest : public HandlerAnswerTest {
 protected:
  /// What a list with `grpc-status: 0` and a trailer named "key" of `size` bytes counts.
  static constexpr std::uint32_t counted(std::uint32_t size) {
    return (11 + 1 + 32) + (3 + size + 32);
  }
};

TEST_F(LargeMetadataTest, TrailersUpToThePeersLimitGoAndOneByteMoreDoesNotButTheCallStaysOk) {
  constexpr std::uint32_t size = 300;
  for (const bool fits : {true, false}) {
    peer_.emplace(path(), FramePeer::passive);
    scripted_.on_unary = [](ServerContext& call, Text request) -> Task<Result<Text>> {
      call.add_trailer("key", std::string(size, 'v'));
      co_return request;
    };
    hello({{http2::SettingId::max_header_list_size, counted(size) - (fits ? 0 : 1)}});

    peer_->ask_whole(1, "/test.Scripted/Unary");
    settle();

    EXPECT_EQ(fields().at("grpc-status"), "0");
    EXPECT_EQ(fields().contains("key"), fits);
    EXPECT_EQ(log_capture().take("trailers were left out"), !fits);
  }
}

TEST_F(LargeMetadataTest, HeadersBeyondThePeersLimitEndTheCall) {
  Occasions was_over;
  scripted_.on_chat = [&](ServerContext& call, ServerReader<Text>&,
                          ServerWriter<Text>& replies) -> Task<Status> {
    const auto body = [](ServerContext& context, ServerWriter<Text>& out,
                         Occasions& over) -> Task<Status> {
      context.add_header("key", std::string(300, 'v'));
      const Text reply;
      if (!co_await out.write(reply)) over.add();
      co_return Status();
    };
    return body(call, replies, was_over);
  };
  hello({{http2::SettingId::max_header_list_size, 300}});

  peer_->ask(1, "/test.Scripted/Chat");
  settle();

  EXPECT_EQ(fields().at("grpc-status"), "8");
  EXPECT_FALSE(fields().contains("key"));
  EXPECT_TRUE(was_over.wait_for(1));
  EXPECT_TRUE(log_capture().take("a part of the message was left out")) << "it is longer than 300";
}

TEST_F(LargeMetadataTest, AMessageBeyondThePeersLimitIsCutAndTheCodeStays) {
  scripted_.on_unary = [](ServerContext&, Text) -> Task<Result<Text>> {
    co_return Failure{Status(StatusCode::not_found, std::string(500, 'm'))};
  };
  hello({{http2::SettingId::max_header_list_size, 400}});

  peer_->ask_whole(1, "/test.Scripted/Unary");
  settle();

  EXPECT_EQ(fields().at("grpc-status"), "5");
  EXPECT_TRUE(fields().at("grpc-message").ends_with("(cut: the trailers may count 400 bytes)"));
  EXPECT_TRUE(log_capture().take("a part of the message was left out"));
}

}  // namespace
}  // namespace nearcall::test
