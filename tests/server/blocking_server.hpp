// SPDX-License-Identifier: Apache-2.0
// BlockingServerTest: a server whose handlers are functions that the test scripts, and its client.
#pragma once

#include "server/huge_reply.hpp"
#include "server/wrapper_service.hpp"
#include "support/session_peer.hpp"

#include <nearcall/blocking_service.hpp>
#include <nearcall/thread_pool.hpp>

#include <array>
#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <semaphore>
#include <stop_token>
#include <string>
#include <utility>

namespace nearcall::test {

/// Functions that do what the test says.
class ScriptedFunctions final : public BlockingService {
 public:
  using Unary = std::function<Result<Text>(ServerContext&, const Text&)>;
  using List = std::function<Status(ServerContext&, const Text&, BlockingWriter<Text>&)>;
  using Collect = std::function<Result<Text>(ServerContext&, BlockingReader<Text>&)>;
  using Chat = std::function<Status(ServerContext&, BlockingReader<Text>&, BlockingWriter<Text>&)>;
  using HugeList = std::function<Status(ServerContext&, BlockingWriter<HugeReply>&)>;
  enum MethodIndex : std::size_t { unary, list, collect, chat, huge, huge_list };
  static constexpr std::array<Method, 6> methods = {{
      {"/test.Functions/Unary", MethodKind::unary},
      {"/test.Functions/List", MethodKind::server_streaming},
      {"/test.Functions/Collect", MethodKind::client_streaming},
      {"/test.Functions/Chat", MethodKind::bidi_streaming},
      {"/test.Functions/Huge", MethodKind::unary},
      {"/test.Functions/HugeList", MethodKind::server_streaming},
  }};

  ScriptedFunctions()
      : BlockingService(
            "test.Functions",
            {handler<MethodKind::unary, &ScriptedFunctions::DoUnary>(unary),
             handler<MethodKind::server_streaming, &ScriptedFunctions::DoList>(list),
             handler<MethodKind::client_streaming, &ScriptedFunctions::DoCollect>(collect),
             handler<MethodKind::bidi_streaming, &ScriptedFunctions::DoChat>(chat),
             handler<MethodKind::unary, &ScriptedFunctions::DoHuge, HugeReply>(huge),
             handler<MethodKind::server_streaming, &ScriptedFunctions::DoHugeList, HugeReply>(
                 huge_list)}) {}

  Unary on_unary = [](ServerContext&, const Text& request) { return request; };
  List on_list;
  Collect on_collect;
  Chat on_chat;
  HugeList on_huge_list;

 private:
  template <MethodKind kind, auto function, class Reply = Text>
  static constexpr detail::MethodHandler handler(MethodIndex index) {
    return detail::blocking_handler<kind, ScriptedFunctions, Text, Reply, function>(methods[index]);
  }
  Result<Text> DoUnary(ServerContext& call, const Text& request) { return on_unary(call, request); }
  Status DoList(ServerContext& call, const Text& request, BlockingWriter<Text>& replies) {
    return on_list(call, request, replies);
  }
  Result<Text> DoCollect(ServerContext& call, BlockingReader<Text>& requests) {
    return on_collect(call, requests);
  }
  Status DoChat(ServerContext& call,
                BlockingReader<Text>& requests,
                BlockingWriter<Text>& replies) {
    return on_chat(call, requests, replies);
  }
  Result<HugeReply> DoHuge(ServerContext&, const Text& /*request*/) { return HugeReply(); }
  Status DoHugeList(ServerContext& call,
                    const Text& /*request*/,
                    BlockingWriter<HugeReply>& replies) {
    return on_huge_list(call, replies);
  }
};

/// A server of functions, beside coroutines, on a thread of its own, and a client of it.
class BlockingServerTest : public LogCheckedTest {
 public:
  /// Waits until `token` stops.
  static void wait_for(const std::stop_token& token) {
    std::mutex mutex;
    std::condition_variable_any changed;
    std::unique_lock lock(mutex);
    changed.wait(lock, token, [] { return false; });
  }

 protected:
  ~BlockingServerTest() override {
    go_on_.release(100);
    server_.reset();
  }

  void start(ServerOptions options = ServerOptions()) {
    server_ = std::make_unique<Server>(options);
    server_->add_service(functions_).add_service(coroutines_).listen("unix:" + path());
    ASSERT_TRUE(server_->start());
  }
  std::string path() const { return folder_.file("s"); }
  Result<Text> call(const std::string& request, const CallOptions& options = CallOptions()) {
    return client_.unary<Text>(ScriptedFunctions::unary, text_of(request), options);
  }
  std::future<Result<Text>> call_elsewhere(const std::string& request,
                                           const CallOptions& options = CallOptions()) {
    return std::async(std::launch::async,
                      [this, request, options] { return call(request, options); });
  }
  /// Whether a call of a coroutine is answered.
  bool is_serving() {
    return ClientStub(channel_, WrapperService::methods)
        .unary<Text>(WrapperService::echo, text_of("x"), CallOptions())
        .ok();
  }
  /// A function that says that it has begun, and answers when the test lets it.
  ScriptedFunctions::Unary until_let() {
    return [this](ServerContext&, const Text& request) {
      arrived_.add();
      go_on_.acquire();
      returned_.add();
      return request;
    };
  }
  /// One that returns once its call is cancelled.
  ScriptedFunctions::Unary until_cancelled() {
    return [this](ServerContext& call, const Text& /*request*/) {
      arrived_.add();
      wait_for(call.cancellation());
      returned_.add();
      return Result<Text>(Status::aborted("nobody hears this"));
    };
  }

  TempDir folder_;
  std::counting_semaphore<200> go_on_{0};
  Occasions arrived_;
  Occasions returned_;
  ScriptedFunctions functions_;
  WrapperService coroutines_;
  std::unique_ptr<Server> server_;
  Channel channel_{"unix:" + path()};
  ClientStub client_{channel_, ScriptedFunctions::methods};
};

}  // namespace nearcall::test
