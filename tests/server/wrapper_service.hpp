// SPDX-License-Identifier: Apache-2.0
// WrapperService: a service written by hand on well-known messages, and a server that serves it.
#pragma once

#include "support/log_capture.hpp"
#include "support/messages.hpp"
#include "support/temp_dir.hpp"

#include <nearcall/async_event.hpp>
#include <nearcall/channel.hpp>
#include <nearcall/client_stub.hpp>
#include <nearcall/server.hpp>
#include <nearcall/service.hpp>

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>

namespace nearcall::test {

/// Counts what happens on other threads.
class Occasions {
 public:
  void add() {
    const std::lock_guard lock(mutex_);
    ++count_;
    changed_.notify_all();
  }
  int count() {
    const std::lock_guard lock(mutex_);
    return count_;
  }
  /// Waits until it happened so often; false after ten seconds: the test has failed.
  bool wait_for(int wanted) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10), [&] { return count_ >= wanted; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
};

/// Wrapper/Echo answers what the test's function makes of the request, the request itself by
/// default. Wrapper/Hold answers once it was cancelled, at the server's stop if asked "stop", at
/// either if asked "either". Wrapper/Stuck never does. Wrapper/Chat answers each request with
/// itself.
class WrapperService final : public Service {
 public:
  enum MethodIndex : std::size_t { echo, hold, stuck, chat };
  static constexpr std::array<Method, 4> methods = {{
      {"/test.Wrapper/Echo", MethodKind::unary},
      {"/test.Wrapper/Hold", MethodKind::unary},
      {"/test.Wrapper/Stuck", MethodKind::unary},
      {"/test.Wrapper/Chat", MethodKind::bidi_streaming},
  }};

  WrapperService()
      : Service("test.Wrapper",
                {detail::unary_handler<WrapperService, Text, Text, &WrapperService::Echo>(
                     methods[echo]),
                 detail::unary_handler<WrapperService, Text, Text, &WrapperService::Hold>(
                     methods[hold]),
                 detail::unary_handler<WrapperService, Text, Text, &WrapperService::Stuck>(
                     methods[stuck]),
                 detail::bidi_streaming_handler<WrapperService, Text, Text, &WrapperService::Chat>(
                     methods[chat])}) {}

  /// What Echo does. Set it before the call.
  std::function<Result<Text>(ServerContext& call, const Text& request)> on_echo;
  /// What Chat does with each request, which then is the answer.
  std::function<void(Text& message)> on_chat;
  /// What Chat waits for between a request and its answer; null: nothing.
  AsyncEvent* pause = nullptr;
  Occasions started;
  Occasions cancelled;
  Occasions destroyed;

 private:
  struct Guard {
    Occasions* occasions;
    ~Guard() { occasions->add(); }
  };

  Task<Result<Text>> Echo(ServerContext& call, Text request) {
    started.add();
    if (on_echo) co_return on_echo(call, request);
    co_return request;
  }
  Task<Result<Text>> Hold(ServerContext& call, Text request) {
    started.add();
    if (request.value() == "stop") {
      co_await detail::StopAwaiter(call.server_stopping());
    } else if (request.value() == "either") {
      const CallEnding why = co_await call.until_ending();
      if (why == CallEnding::cancelled) cancelled.add();
    } else {
      co_await detail::StopAwaiter(call.cancellation());
      cancelled.add();
    }
    co_return request;
  }
  Task<Result<Text>> Stuck(ServerContext& /*call*/, Text request) {
    const Guard guard{&destroyed};
    started.add();
    co_await sleep_for(std::chrono::hours(1));
    co_return request;
  }
  Task<Status> Chat(ServerContext& call,
                    ServerReader<Text>& requests,
                    ServerWriter<Text>& replies) {
    started.add();
    Text request;
    while (co_await requests.read(request)) {
      if (on_chat) on_chat(request);
      if (pause != nullptr) co_await pause->wait();
      if (!co_await replies.write(request)) break;
    }
    if (call.is_cancelled()) cancelled.add();
    co_return Status();
  }
};

/// A server on threads of its own, on a Unix socket of its own, and a client of it.
class WrapperServerTest : public LogCheckedTest {
 protected:
  ~WrapperServerTest() override { stop(); }

  void start(const ServerOptions& options = ServerOptions()) {
    server_ = std::make_unique<Server>(options);
    server_->add_service(service_);
    server_->listen(target());
    const Result<void> started = server_->start();
    ASSERT_TRUE(started.ok()) << started.status().to_string();
  }
  /// Stops in good order.
  void stop() {
    if (server_ == nullptr) return;
    server_->stop();
    server_->wait();
    server_.reset();
  }
  std::string path() const { return folder_.file("s"); }
  std::string target() const { return "unix:" + path(); }

  Result<Text> call(WrapperService::MethodIndex method,
                    const std::string& request,
                    const CallOptions& options = CallOptions()) {
    return client_.unary<Text>(method, text_of(request), options);
  }
  /// Echoes, and says whether that was answered.
  bool is_serving() {
    const Result<Text> reply = call(WrapperService::echo, "are you there?");
    EXPECT_TRUE(reply.ok()) << reply.status().to_string();
    return reply.ok() && reply->value() == "are you there?";
  }

  TempDir folder_;
  WrapperService service_;
  std::unique_ptr<Server> server_;
  Channel channel_{target()};
  ClientStub client_{channel_, WrapperService::methods};
};

}  // namespace nearcall::test
