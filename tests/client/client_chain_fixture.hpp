// SPDX-License-Identifier: Apache-2.0
// A server, and channels to it with interceptors that do what a test says; calls in both forms.
#pragma once

#include "client/script_methods.hpp"
#include "server/wrapper_service.hpp"
#include "support/call_form.hpp"

#include <nearcall/client_interceptor.hpp>

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

namespace nearcall::test {
inline Text& text_in(google::protobuf::MessageLite& message) {
  return static_cast<Text&>(message);
}

/// What interceptors of a test share.
struct Notes {
  std::vector<std::string> seen;
  int gone = 0;
  AsyncEvent go_on;
  std::stop_source stop;
  Occasions arrived;
  Occasions released;
};

/// Does what the test says.
class Around final : public ClientInterceptor {
 public:
  using Body = Task<Status> (*)(OutgoingCall& call, Notes& notes, std::string name);
  Around(Body body, Notes& notes, std::string name = {})
      : body_(body), notes_(&notes), name_(std::move(name)) {}

 private:
  Task<Status> intercept(OutgoingCall& call) override { return body_(call, *notes_, name_); }

  Body body_;
  Notes* notes_;
  std::string name_;
};

using Chat = AsyncBidiStreamingCall<Text, Text>;

class ClientChainFixture : public WrapperServerTest {
 public:
  ClientChainFixture& add(Around::Body body, std::string name = {}) {
    options_.interceptor(std::make_shared<Around>(body, notes_, std::move(name)));
    return *this;
  }

 protected:
  ClientChainFixture() { start(); }

  ClientStub stub() const {
    return ClientStub(Channel(target(), options_), WrapperService::methods);
  }

  Notes notes_;
  ChannelOptions options_;
};

/// Each test with a blocking and with an awaited call.
class ClientChainTest : public ClientChainFixture, public testing::WithParamInterface<CallForm> {
 protected:
  Result<Text> ask(std::string text,
                   const CallOptions& options = patient(),
                   WrapperService::MethodIndex method = WrapperService::echo) {
    if (GetParam() == CallForm::blocking)
      return stub().unary<Text>(method, text_of(std::move(text)), options);
    return sync_wait(await_ask(stub(), method, text_of(std::move(text)), options));
  }
  /// What came back of `texts`, and how it ended.
  std::pair<std::vector<std::string>, Status> chat(std::vector<std::string> texts) {
    if (GetParam() == CallForm::awaited) return sync_wait(await_chat(stub(), std::move(texts)));
    std::vector<std::string> replies;
    auto call = stub().bidi_streaming<Text, Text>(WrapperService::chat, patient());
    for (const std::string& text : texts)
      call.write(text_of(text));
    call.writes_done();
    while (const std::optional<Text> reply = call.read())
      replies.push_back(reply->value());
    return {replies, call.finish()};
  }

 private:
  static Task<Result<Text>> await_ask(ClientStub stub,
                                      WrapperService::MethodIndex method,
                                      Text request,
                                      CallOptions options) {
    auto call = stub.unary_async<Text>(method, request, options);
    request.Clear();
    co_return co_await call;
  }
  static Task<std::pair<std::vector<std::string>, Status>> await_chat(
      ClientStub stub, std::vector<std::string> texts) {
    std::vector<std::string> replies;
    Chat call = stub.bidi_streaming_async<Text, Text>(WrapperService::chat, patient());
    for (const std::string& text : texts) {
      const Text message = text_of(text);
      co_await call.write(message);
    }
    call.writes_done();
    Text reply;
    while (co_await call.read(reply))
      replies.push_back(reply.value());
    Status status = co_await call.finish();
    co_return std::pair(std::move(replies), std::move(status));
  }
};

}  // namespace nearcall::test
