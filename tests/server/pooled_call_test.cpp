// SPDX-License-Identifier: Apache-2.0
// Functions as handlers: on the pool's threads, with streams, cancelled, at the server's end.
#include "server/blocking_server.hpp"
#include "support/rounds.hpp"

#include <nearcall/event_loop.hpp>

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <iterator>
#include <memory>
#include <optional>
#include <semaphore>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;

class PooledCallTest : public BlockingServerTest {
 protected:
  /// A call of Unary that has reached the server when this returns.
  static http2::Stream& begin_call(SessionPeer& client) {
    http2::Stream& stream = client.open(SessionPeer::request_to("/test.Functions/Unary"));
    client.send(stream, framed(text_of("x")), /*end_stream=*/true);
    EXPECT_TRUE(client.ping());
    return stream;
  }
};

// ---- what a function sees and says --------------------------------------------------------------

TEST_F(PooledCallTest, AFunctionSeesItsCall) {
  start();
  functions_.on_unary = [](ServerContext& call, const Text& request) -> Result<Text> {
    EXPECT_EQ(call.method(), "/test.Functions/Unary");
    EXPECT_EQ(call.peer().uid(), ::getuid());
    EXPECT_EQ(call.metadata().get("key"), "value");
    EXPECT_LT(call.deadline(), std::chrono::steady_clock::now() + 1min);
    EXPECT_FALSE(call.is_cancelled());
    EXPECT_FALSE(call.server_stopping().stop_requested());
    return text_of("re: " + request.value());
  };

  const Result<Text> reply = call("x", CallOptions().timeout(50s).metadata("key", "value"));

  ASSERT_TRUE(reply) << reply.status().to_string();
  EXPECT_EQ(reply->value(), "re: x");
}

TEST_F(PooledCallTest, WhatAFunctionSaysBesideItsReplyArrives) {
  start();
  functions_.on_unary = [](ServerContext& call, const Text& request) -> Result<Text> {
    call.add_header("header", "1").add_trailer("trailer", "2").send_headers();
    return request;
  };
  CallInfo info;

  const Result<Text> reply =
      client_.unary<Text>(ScriptedFunctions::unary, text_of("x"), CallOptions(), &info);

  EXPECT_TRUE(reply);
  EXPECT_EQ(info.headers().get("header"), "1");
  EXPECT_EQ(info.trailers().get("trailer"), "2");
}

TEST_F(PooledCallTest, AHeaderAfterTheHeadersIsAMistakeAsACoroutines) {
  start();
  functions_.on_unary = [](ServerContext& call, const Text& request) -> Result<Text> {
    call.send_headers().add_header("late", "1");
    return request;
  };

  EXPECT_EQ(call("x").status().code(), StatusCode::internal);
  EXPECT_TRUE(log_capture().take("the headers were sent already"));
}

TEST_F(PooledCallTest, AnExceptionIsUnknown) {
  start();
  functions_.on_unary = [](ServerContext&, const Text&) -> Result<Text> {
    throw std::runtime_error("no database");
  };

  EXPECT_EQ(call("x").status().code(), StatusCode::unknown);
  EXPECT_TRUE(log_capture().take("Unary: the handler threw: no database"));
  EXPECT_TRUE(is_serving());
}

TEST_F(PooledCallTest, OkWhereAReplyIsDueIsInternal) {
  start();
  functions_.on_unary = [](ServerContext&, const Text&) -> Result<Text> { return Status(); };

  EXPECT_EQ(call("x").status().code(), StatusCode::internal);
  EXPECT_TRUE(log_capture().take("Unary: the status OK was given"));
  EXPECT_TRUE(log_capture().take("the status OK was given")) << "where the Result was made";
}

TEST_F(PooledCallTest, AReplyOverTwoGibibytesIsResourceExhausted) {
  start();
  SessionPeer client(path());

  const auto answer =
      client.call(SessionPeer::request_to("/test.Functions/Huge"), framed(text_of("x")));

  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->field("grpc-status"), "8");
  EXPECT_NE(answer->field("grpc-message").find("3221225472"), std::string::npos);
  EXPECT_TRUE(is_serving());
}

TEST_F(PooledCallTest, AReplyOverTwoGibibytesEndsItsStream) {
  start();
  functions_.on_huge_list = [this](ServerContext& call, BlockingWriter<HugeReply>& replies) {
    EXPECT_FALSE(replies.write(HugeReply()));
    EXPECT_TRUE(call.is_cancelled());
    returned_.add();
    return Status();
  };
  SessionPeer client(path());

  const auto answer =
      client.call(SessionPeer::request_to("/test.Functions/HugeList"), framed(text_of("x")));

  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->field("grpc-status"), "8");
  EXPECT_TRUE(returned_.wait_for(1));
  EXPECT_TRUE(is_serving());
}

TEST_F(PooledCallTest, UntilEndingIsForCoroutines) {
  start();
  functions_.on_unary = [](ServerContext& call, const Text& request) -> Result<Text> {
    EXPECT_DEATH(static_cast<void>(call.until_ending()), "waits with the token of cancellation");
    return request;
  };

  EXPECT_TRUE(call("x"));
}

// ---- the pool -----------------------------------------------------------------------------------

TEST_F(PooledCallTest, ABlockedFunctionKeepsNobodyElse) {
  start();
  functions_.on_unary = until_let();
  auto blocked = call_elsewhere("x");
  ASSERT_TRUE(arrived_.wait_for(1));

  EXPECT_TRUE(is_serving());

  go_on_.release();
  EXPECT_TRUE(blocked.get());
}

TEST_F(PooledCallTest, AFullPoolRefusesAtOnceAndNamesItsBudget) {
  ThreadPool pool(1, 1);
  start(ServerOptions().handler_pool(pool));
  functions_.on_unary = until_let();
  auto runs = call_elsewhere("runs");
  ASSERT_TRUE(arrived_.wait_for(1));
  SessionPeer other(path());
  http2::Stream& waiting = begin_call(other);

  const Result<Text> refused = call("refused");

  EXPECT_EQ(refused.status().code(), StatusCode::resource_exhausted);
  EXPECT_NE(refused.status().message().find("max_queued"), std::string::npos);
  EXPECT_TRUE(
      log_capture().take("all 1 threads of the server's pool are at work, and 1 others wait"));
  go_on_.release(2);
  EXPECT_TRUE(runs.get());
  EXPECT_EQ(other.answer_to(waiting)->fields.at("grpc-status"), "0");
  server_.reset();  // before its pool
}

TEST_F(PooledCallTest, ACallThatIsCancelledInTheQueueLeavesItAndNeverRuns) {
  ThreadPool pool(1, 1);
  start(ServerOptions().handler_pool(pool));
  functions_.on_unary = until_let();
  auto runs = call_elsewhere("runs");
  ASSERT_TRUE(arrived_.wait_for(1));
  SessionPeer other(path());
  http2::Stream& cancelled = begin_call(other);

  other.reset(cancelled);

  http2::Stream& waiting = begin_call(other);
  go_on_.release(2);
  EXPECT_EQ(other.answer_to(waiting)->fields.at("grpc-status"), "0") << "its place was free";
  EXPECT_TRUE(runs.get());
  EXPECT_EQ(arrived_.count(), 2);
  server_.reset();
}

/// Once that does not change: a thread that was joined may be there for a moment more.
int count_threads() {
  int count = 0;
  for (int same = 0; same < 20;) {
    const std::filesystem::directory_iterator tasks("/proc/self/task");
    const auto now = static_cast<int>(std::distance(begin(tasks), end(tasks)));
    same = now == count ? same + 1 : 0;
    count = now;
    std::this_thread::yield();
  }
  return count;
}

TEST_F(PooledCallTest, ThreadsBeginWithTheFirstCallOfAFunction) {
  start();
  ASSERT_TRUE(is_serving());
  const int before = count_threads();

  ASSERT_TRUE(is_serving());
  const int after_coroutine = count_threads();
  ASSERT_TRUE(call("x"));

  EXPECT_EQ(after_coroutine, before);
  EXPECT_EQ(count_threads(), before + 1);
}

// ---- cancelled ----------------------------------------------------------------------------------

TEST_F(PooledCallTest, AFunctionIsToldThatItsClientHasGone) {
  start();
  functions_.on_unary = until_cancelled();
  {
    SessionPeer client(path());
    http2::Stream& stream = client.open(SessionPeer::request_to("/test.Functions/Unary"));
    client.send(stream, framed(text_of("x")), /*end_stream=*/true);
    ASSERT_TRUE(arrived_.wait_for(1));
  }

  EXPECT_TRUE(returned_.wait_for(1));
  EXPECT_TRUE(is_serving());
}

TEST_F(PooledCallTest, AReadThatWaitsEndsWithTheCall) {
  start();
  functions_.on_collect = [this](ServerContext& call, BlockingReader<Text>& requests) {
    arrived_.add();
    EXPECT_FALSE(requests.read());
    EXPECT_TRUE(call.is_cancelled());
    EXPECT_FALSE(requests.read()) << "nor later";
    call.add_trailer("nobody", "sees it");
    returned_.add();
    return Result<Text>(Status::aborted("nobody hears this"));
  };
  auto collect = client_.client_streaming<Text, Text>(ScriptedFunctions::collect, CallOptions());
  ASSERT_TRUE(arrived_.wait_for(1));

  collect.cancel();

  EXPECT_TRUE(returned_.wait_for(1));
}

TEST_F(PooledCallTest, WhoSeesThatTheCallIsOverSeesItsTokenStopped) {
  ConnectionLimits limits;
  limits.min_ping_interval = std::chrono::nanoseconds::zero();
  start(ServerOptions().limits(limits));
  std::atomic<int> late = 0;
  functions_.on_unary = [&](ServerContext& call, const Text& request) -> Result<Text> {
    const std::stop_token token = call.cancellation();
    arrived_.add();
    while (!call.is_cancelled()) {
    }
    if (!token.stop_requested()) ++late;
    returned_.add();
    return request;
  };
  functions_.on_collect = [&](ServerContext& call, BlockingReader<Text>& requests) -> Result<Text> {
    const std::stop_token token = call.cancellation();
    arrived_.add();
    while (requests.read(*std::make_unique<Text>())) {
    }
    if (!call.is_cancelled() || !token.stop_requested()) ++late;
    returned_.add();
    return Text();
  };
  SessionPeer client(path());
  for (int round = 1; round <= rounds(100, 10'000); ++round) {
    http2::Stream& spins = begin_call(client);
    http2::Stream& reads = client.open(SessionPeer::request_to("/test.Functions/Collect"));
    client.flush();
    ASSERT_TRUE(arrived_.wait_for(2 * round));
    client.reset(spins);
    client.reset(reads);
    ASSERT_TRUE(returned_.wait_for(2 * round));
  }

  EXPECT_EQ(late, 0);
}

TEST_F(PooledCallTest, ACallbackOfTheCancellationMayLockWhatAReadIsDoneUnder) {
  start();
  functions_.on_collect = [this](ServerContext& call, BlockingReader<Text>& requests) {
    std::mutex mutex;
    const std::stop_callback note_end(call.cancellation(), [&] {
      const std::lock_guard lock(mutex);
      returned_.add();
    });
    std::unique_lock lock(mutex);
    arrived_.add();
    EXPECT_FALSE(requests.read());
    lock.unlock();
    EXPECT_TRUE(returned_.wait_for(1));
    return Result<Text>(Status::aborted("nobody hears this"));
  };
  auto collect = client_.client_streaming<Text, Text>(ScriptedFunctions::collect, CallOptions());
  ASSERT_TRUE(arrived_.wait_for(1));

  collect.cancel();

  EXPECT_TRUE(returned_.wait_for(1));
  EXPECT_TRUE(is_serving());
}

TEST_F(PooledCallTest, ACallbackOfTheCancellationWritesInVain) {
  start();
  functions_.on_list = [this](ServerContext& call, const Text&, BlockingWriter<Text>& replies) {
    const std::stop_callback last_word(call.cancellation(), [&] {
      EXPECT_FALSE(replies.write(Text())) << "it is on the loop, which must not wait for itself";
      call.add_trailer("why", "cancelled");
      returned_.add();
    });
    arrived_.add();
    EXPECT_TRUE(returned_.wait_for(1));
    return Status();
  };
  auto list = client_.server_streaming<Text>(ScriptedFunctions::list, text_of("x"), CallOptions());
  ASSERT_TRUE(arrived_.wait_for(1));

  list.cancel();

  EXPECT_TRUE(returned_.wait_for(1));
  EXPECT_TRUE(is_serving());
}

TEST_F(PooledCallTest, AWriteWaitsForASlowClientAndEndsWithTheCall) {
  constexpr int many = 10'000;
  start();
  std::atomic<int> written = 0;
  functions_.on_list = [&](ServerContext& call, const Text&, BlockingWriter<Text>& replies) {
    const Text reply = text_of(std::string(16'000, 'x'));
    while (written < many && replies.write(reply))
      ++written;
    EXPECT_TRUE(call.is_cancelled());
    returned_.add();
    return Status();
  };
  auto list = client_.server_streaming<Text>(ScriptedFunctions::list, text_of("x"), CallOptions());
  Text reply;
  ASSERT_TRUE(list.read(reply));

  list.cancel();

  EXPECT_TRUE(returned_.wait_for(1));
  EXPECT_LT(written, many);
}

// ---- the server's end ---------------------------------------------------------------------------

TEST_F(PooledCallTest, ADrainWaitsForAFunctionAndItsAnswerArrives) {
  start();
  functions_.on_unary = [this](ServerContext& call, const Text& request) {
    arrived_.add();
    wait_for(call.server_stopping());
    return request;
  };
  auto running = call_elsewhere("x");
  ASSERT_TRUE(arrived_.wait_for(1));

  server_->stop();
  server_->wait();

  EXPECT_TRUE(running.get());
}

TEST_F(PooledCallTest, AWriteThatWaitsEndsWithTheServer) {
  start();
  functions_.on_list = [this](ServerContext& call, const Text&, BlockingWriter<Text>& replies) {
    const Text reply = text_of(std::string(16'000, 'x'));
    arrived_.add();
    while (replies.write(reply)) {
    }
    EXPECT_TRUE(call.is_cancelled());
    returned_.add();
    return Status();
  };
  const auto list =
      client_.server_streaming<Text>(ScriptedFunctions::list, text_of("x"), CallOptions());
  ASSERT_TRUE(arrived_.wait_for(1));

  server_.reset();

  EXPECT_EQ(returned_.count(), 1);
}

TEST_F(PooledCallTest, TheServersDestructorEndsAReadAndWaitsForTheFunction) {
  EventLoop loop;
  {
    Server server(loop);
    server.add_service(functions_).listen("unix:" + path());
    ASSERT_TRUE(server.start());
    functions_.on_collect = [this](ServerContext& call, BlockingReader<Text>& requests) {
      arrived_.add();
      EXPECT_FALSE(requests.read()) << "nobody runs the loop";
      EXPECT_TRUE(call.is_cancelled());
      returned_.add();
      return Result<Text>(Text());
    };
    SessionPeer client(path());
    client.open(SessionPeer::request_to("/test.Functions/Collect"));
    client.flush();
    while (arrived_.count() == 0)
      loop.poll();
  }

  EXPECT_EQ(returned_.count(), 1);
}

}  // namespace
}  // namespace nearcall::test
