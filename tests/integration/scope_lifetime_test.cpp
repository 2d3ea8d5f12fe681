// SPDX-License-Identifier: Apache-2.0
// TaskScope with what tasks refer to: a call, a handler's call, an object. What it started waits in
// a member of that, and must have gone before it does (what goes too late, AddressSanitizer finds).
#include "integration/echo_server.hpp"

#include <nearcall/async_event.hpp>
#include <nearcall/event_loop.hpp>
#include <nearcall/sync_wait.hpp>
#include <nearcall/task_scope.hpp>

#include <memory>
#include <string>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;
using AwaitedChat = AsyncBidiStreamingCall<EchoRequest, EchoReply>;

/// Where a task is.
struct Progress {
  bool has_begun = false;
  bool is_over = false;
};

class ScopeLifetime : public EchoServerTest {};

// ---- a call -------------------------------------------------------------------------------------

/// Until there is no room, and longer: nobody reads the echo.
Task<> write_for_ever(AwaitedChat& call, Progress& progress) {
  progress.has_begun = true;
  const EchoRequest request = request_of(std::string(100'000, 'x'), /*replies=*/1);
  bool is_taken = true;
  while (is_taken)
    is_taken = co_await call.write(request);
  progress.is_over = true;
}

Task<> leave_while_it_writes(const Echo::Client& echo, Progress& progress) {
  AwaitedChat call = echo.ChatAsync(CallOptions().timeout(20s));
  TaskScope scope;
  scope.spawn(write_for_ever(call, progress));
  EchoReply reply;
  const bool got = co_await call.read(reply);
  EXPECT_TRUE(got);
}

TEST_F(ScopeLifetime, AWriterThatWaitsGoesBeforeItsCall) {
  Progress progress;

  sync_wait(leave_while_it_writes(echo_, progress));

  EXPECT_TRUE(progress.has_begun);
  EXPECT_FALSE(progress.is_over);
}

Task<Status> join_behind_the_end(const Echo::Client& echo, Progress& progress) {
  AwaitedChat call = echo.ChatAsync(CallOptions().timeout(50ms));
  TaskScope scope;
  scope.spawn(write_for_ever(call, progress));
  co_await scope.join();
  Status status = co_await call.finish();
  co_return status;
}

TEST_F(ScopeLifetime, AWriterThatWaitsEndsByItselfWithItsCall) {
  Progress progress;

  const Status status = sync_wait(join_behind_the_end(echo_, progress));

  EXPECT_EQ(status.code(), StatusCode::deadline_exceeded) << status.to_string();
  EXPECT_TRUE(progress.is_over);
}

// ---- a handler ----------------------------------------------------------------------------------

/// Its handlers return while what they spawned waits for a request, or has not begun.
class HastyService final : public Echo::Service {
 public:
  Progress progress;

 private:
  Task<Status> Chat(ServerContext& /*call*/,
                    ServerReader<EchoRequest>& requests,
                    ServerWriter<EchoReply>& replies) override {
    EchoRequest first;
    const bool is_first = co_await requests.read(first);
    AsyncEvent has_begun;
    TaskScope scope;
    scope.spawn(answer(requests, replies, has_begun, progress));
    if (is_first && first.pause()) co_await has_begun.wait();
    co_return Status();
  }

  static Task<void> answer(ServerReader<EchoRequest>& requests,
                           ServerWriter<EchoReply>& replies,
                           AsyncEvent& has_begun,
                           Progress& progress) {
    progress.has_begun = true;
    has_begun.set();
    EchoRequest request;
    EchoReply reply;
    while (co_await requests.read(request)) {
      if (!co_await replies.write(reply)) break;
    }
    progress.is_over = true;
  }
};

class HastyHandler : public testing::Test {
 protected:
  /// The status of a call whose handler waits until what it spawned has begun, or does not.
  Status call(bool waits) {
    Server server;
    server.add_service(service_).listen("unix:" + folder_.file("s"));
    EXPECT_TRUE(server.start());
    const Channel channel("unix:" + folder_.file("s"));
    auto chat = Echo::Client(channel).Chat(CallOptions().timeout(20s));
    EchoRequest request;
    request.set_pause(waits);
    EXPECT_TRUE(chat.write(request));
    EXPECT_FALSE(chat.read());
    Status status = chat.finish();
    server.stop();
    server.wait();
    return status;
  }

  LogCapture log_;
  TempDir folder_;
  HastyService service_;
};

TEST_F(HastyHandler, WhatHasNotBegunNeverDoes) {
  EXPECT_TRUE(call(/*waits=*/false).ok());

  EXPECT_FALSE(service_.progress.has_begun);
}

TEST_F(HastyHandler, AReaderThatWaitsGoesBeforeTheCallDoes) {
  EXPECT_TRUE(call(/*waits=*/true).ok());

  EXPECT_TRUE(service_.progress.has_begun);
  EXPECT_FALSE(service_.progress.is_over);
}

// ---- an object ----------------------------------------------------------------------------------

/// As a window: what it asks refers to its members.
class Asker {
 public:
  Asker(EventLoop& loop, const Channel& channel, Progress& progress)
      : echo_(channel), question_("who is there?"), progress_(progress), scope_(loop) {
    scope_.spawn(ask());
  }

 private:
  Task<> ask() {
    progress_.has_begun = true;
    EchoRequest request = request_of(question_);
    request.set_wait_for_cancel(true);
    const Result<EchoReply> reply = co_await echo_.UnaryAsync(request);
    progress_.is_over = true;
    question_ = reply.status().message();
  }

  Echo::Client echo_;
  std::string question_;
  Progress& progress_;
  TaskScope scope_;
};

TEST_F(ScopeLifetime, AnObjectThatGoesCancelsTheCallThatItAwaits) {
  EventLoop loop;
  const EventLoop::Binding binding(loop);
  Progress progress;
  auto asker = std::make_unique<Asker>(loop, channel_, progress);
  const auto until = std::chrono::steady_clock::now() + 10s;
  while (!service_.started.reaches(1, 0s) && std::chrono::steady_clock::now() < until)
    loop.poll();

  asker.reset();
  loop.poll();

  EXPECT_TRUE(service_.cancelled.reaches(1));
  EXPECT_TRUE(progress.has_begun);
  EXPECT_FALSE(progress.is_over);
}

}  // namespace
}  // namespace nearcall::test
