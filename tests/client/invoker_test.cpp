// SPDX-License-Identifier: Apache-2.0
// Every kind of call passes the channel's invoker, in both forms.
#include "client/invoker.hpp"

#include "client/async_call.hpp"
#include "client/blocking_call.hpp"
#include "client/channel_core.hpp"
#include "client/script_methods.hpp"
#include "support/log_capture.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace nearcall::test {
namespace {

using detail::Invocation;
using detail::Invoker;

/// Notes what passes.
class NotingInvoker final : public Invoker {
 public:
  NotingInvoker(Invoker& next, std::vector<std::string>& seen, std::string name = {})
      : next_(&next), seen_(&seen), name_(std::move(name)) {}

  Status call(const Invocation& invocation,
              google::protobuf::MessageLite& reply,
              CallInfo* info) override {
    note("call", invocation);
    return next_->call(invocation, reply, info);
  }
  detail::BlockingCallPtr start_blocking(const Invocation& invocation) override {
    note("blocking", invocation);
    return next_->start_blocking(invocation);
  }
  detail::AsyncCallPtr start_async(const Invocation& invocation) override {
    note("awaited", invocation);
    return next_->start_async(invocation);
  }

 private:
  void note(const std::string& form, const Invocation& invocation) {
    seen_->push_back(name_ + form + " " + std::string(invocation.method.method.path));
  }

  Invoker* next_;
  std::vector<std::string>* seen_;
  std::string name_;
};

class InvokerTest : public LogCheckedTest {
 protected:
  InvokerTest() {
    detail::ChannelCore& core = detail::Access::core(channel_);
    core.wrap(std::make_unique<NotingInvoker>(core.invoker(), seen_));
  }

  ScriptedServer server_{{[](SessionPeer& peer) { EXPECT_TRUE(peer.answer_all("reply")); }}};
  std::vector<std::string> seen_;
  const Channel channel_{"mine", server_.options()};
  const ClientStub stub_{channel_, test_methods};
};

TEST_F(InvokerTest, BlockingCallsOfEachKindPass) {
  EXPECT_TRUE(call_unary(stub_).ok());
  EXPECT_TRUE(stub_.server_streaming<Text>(serve_method, text_of("a"), patient()).finish().ok());
  EXPECT_TRUE((stub_.client_streaming<Text, Text>(collect_method, patient()).finish().ok()));
  EXPECT_TRUE((stub_.bidi_streaming<Text, Text>(chat_method, patient()).finish().ok()));

  EXPECT_EQ(seen_, (std::vector<std::string>{
                       "call /test.Script/Unary", "blocking /test.Script/Serve",
                       "blocking /test.Script/Collect", "blocking /test.Script/Chat"}));
}

Task<void> await_each_kind(const ClientStub& stub) {
  auto unary = stub.unary_async<Text>(unary_method, text_of("a"), patient());
  const Result<Text> reply = co_await unary;
  EXPECT_TRUE(reply.ok()) << reply.status().to_string();
  auto serve = stub.server_streaming_async<Text>(serve_method, text_of("a"), patient());
  const Status served = co_await serve.finish();
  EXPECT_TRUE(served.ok()) << served.to_string();
  auto collect = stub.client_streaming_async<Text, Text>(collect_method, patient());
  const Result<Text> collected = co_await collect.finish();
  EXPECT_TRUE(collected.ok()) << collected.status().to_string();
  auto chat = stub.bidi_streaming_async<Text, Text>(chat_method, patient());
  const Status chatted = co_await chat.finish();
  EXPECT_TRUE(chatted.ok()) << chatted.to_string();
}

TEST_F(InvokerTest, AwaitedCallsOfEachKindPass) {
  sync_wait(await_each_kind(stub_));

  EXPECT_EQ(seen_, (std::vector<std::string>{
                       "awaited /test.Script/Unary", "awaited /test.Script/Serve",
                       "awaited /test.Script/Collect", "awaited /test.Script/Chat"}));
}

TEST_F(InvokerTest, TheOneThatWasWrappedLastComesFirst) {
  detail::ChannelCore& core = detail::Access::core(channel_);
  core.wrap(std::make_unique<NotingInvoker>(core.invoker(), seen_, "the last one: "));

  EXPECT_TRUE(call_unary(stub_).ok());

  EXPECT_EQ(seen_, (std::vector<std::string>{"the last one: call /test.Script/Unary",
                                             "call /test.Script/Unary"}));
}

}  // namespace
}  // namespace nearcall::test
