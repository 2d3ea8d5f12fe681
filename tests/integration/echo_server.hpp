// SPDX-License-Identifier: Apache-2.0
// EchoServer: a server on a Unix socket of its own, and what tests want to know of its handlers.
#pragma once

#include "echo.nearcall.hpp"
#include "support/child_process.hpp"
#include "support/log_capture.hpp"
#include "support/temp_dir.hpp"

#include <nearcall/channel.hpp>
#include <nearcall/server.hpp>

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <string>

namespace nearcall::test {

/// Counts what handlers tell, for other threads to wait for.
class Counter {
 public:
  void add() {
    const std::lock_guard lock(mutex_);
    ++count_;
    changed_.notify_all();
    if (other_ != nullptr && count_ <= most_told) other_->raise();
  }
  /// Another process waits for it, too: for the first thousand.
  void tell(ProcessSignal& other) noexcept { other_ = &other; }
  /// Waits until it is at least `wanted`, for ten seconds at most; whether it is.
  bool reaches(int wanted, std::chrono::milliseconds patience = std::chrono::seconds(10)) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, patience, [&] { return count_ >= wanted; });
  }

 private:
  static constexpr int most_told = 1000;  // a full pipe would stop the server

  std::mutex mutex_;
  std::condition_variable changed_;
  ProcessSignal* other_ = nullptr;
  int count_ = 0;
};

class EchoService final : public Echo::Service {
 public:
  Counter started;
  Counter cancelled;
  /// Ends the wait of handlers that hold their thread.
  Counter released;

 private:
  Task<Result<EchoReply>> Unary(ServerContext& call, EchoRequest request) override {
    started.add();
    if (request.throw_exception()) throw std::runtime_error("as the test asked");
    if (request.hold_thread()) released.reaches(1);
    echo_metadata(call);
    if (request.wait_for_cancel()) {
      co_await detail::StopAwaiter(call.cancellation());
      cancelled.add();
    }
    if (request.wait_for_stop()) co_await detail::StopAwaiter(call.server_stopping());
    if (request.code() != 0) {
      co_return Status(static_cast<StatusCode>(request.code()), request.message());
    }
    EchoReply reply = reply_to(request);
    if (request.show_authority()) reply.set_payload(std::string(call.authority()));
    if (request.show_deadline()) {
      const auto left = call.deadline() - std::chrono::steady_clock::now();
      reply.set_number(
          static_cast<std::uint32_t>(std::chrono::ceil<std::chrono::seconds>(left).count()));
    }
    co_return reply;
  }

  Task<Status> Expand(ServerContext& call,
                      EchoRequest request,
                      ServerWriter<EchoReply>& replies) override {
    started.add();
    echo_metadata(call);
    if (request.wait_for_cancel()) {
      call.send_headers();
      co_await detail::StopAwaiter(call.cancellation());
      cancelled.add();
    }
    Status status = co_await answer(request, replies);
    if (call.is_cancelled()) cancelled.add();
    co_return status;
  }

  Task<Result<EchoReply>> Collect(ServerContext& call,
                                  ServerReader<EchoRequest>& requests) override {
    started.add();
    EchoReply reply;
    EchoRequest request;
    std::size_t size = 0;
    while (co_await requests.read(request)) {
      reply.set_number(reply.number() + 1);
      size += request.payload().size();
      if (request.pause()) co_await sleep_for(std::chrono::nanoseconds(1));
    }
    if (call.is_cancelled()) cancelled.add();
    reply.set_payload(std::to_string(size));
    co_return reply;
  }

  Task<Status> Chat(ServerContext& call,
                    ServerReader<EchoRequest>& requests,
                    ServerWriter<EchoReply>& replies) override {
    started.add();
    echo_metadata(call);
    EchoRequest request;
    while (co_await requests.read(request)) {
      Status status = co_await answer(request, replies);
      if (!status.ok()) co_return status;
    }
    if (call.is_cancelled()) cancelled.add();
    co_return Status();
  }

  static EchoReply reply_to(const EchoRequest& request) {
    EchoReply reply;
    reply.set_payload(request.reply_size() > 0 ? std::string(request.reply_size(), 'r')
                                               : request.payload());
    return reply;
  }

  static Task<Status> answer(const EchoRequest& request, ServerWriter<EchoReply>& replies) {
    EchoReply reply = reply_to(request);
    for (std::uint32_t i = 0; i < request.replies(); ++i) {
      reply.set_number(i);
      if (!co_await replies.write(reply)) break;
    }
    if (request.code() == 0) co_return Status();
    co_return Status(static_cast<StatusCode>(request.code()), request.message());
  }

  static void echo_metadata(ServerContext& call) {
    for (const Metadata::Entry& entry : call.metadata()) {
      call.add_header("header-" + entry.key(), entry.value());
      call.add_trailer("trailer-" + entry.key(), entry.value());
    }
  }
};

/// A server that runs on threads of its own, and a channel to it.
class EchoServerTest : public testing::Test {
 protected:
  explicit EchoServerTest(ServerOptions options = ServerOptions()) {
    log_.allow("event loop occupied");  // on a slow machine
    start(options);
  }
  ~EchoServerTest() override { stop(); }

  void start(const ServerOptions& options) {
    server_ = std::make_unique<Server>(options);
    server_->add_service(service_);
    server_->listen(target());
    const Result<void> started = server_->start();
    EXPECT_TRUE(started.ok()) << started.status().to_string();
  }
  /// Stops in good order.
  void stop() {
    if (server_ == nullptr) return;
    server_->stop();
    server_->wait();
    server_.reset();
  }
  std::string target() const { return "unix:" + folder_.file("echo.sock"); }

  LogCapture log_;
  TempDir folder_;
  EchoService service_;
  std::unique_ptr<Server> server_;
  Channel channel_{target()};
  Echo::Client echo_{channel_};
};

inline EchoRequest request_of(std::string payload, unsigned replies = 0) {
  EchoRequest request;
  request.set_payload(std::move(payload));
  request.set_replies(replies);
  return request;
}

}  // namespace nearcall::test
