// SPDX-License-Identifier: Apache-2.0
// Awaited calls of channels whose connector goes to a pool.
#include "client/script_methods.hpp"
#include "support/log_capture.hpp"

#include <nearcall/resume_on.hpp>
#include <nearcall/sync_wait.hpp>
#include <nearcall/thread_pool.hpp>

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <thread>

namespace nearcall::test {
namespace {

class PoolConnectorTest : public LogCheckedTest {};

Task<Status> call_once(const ClientStub& stub) {
  auto call = stub.unary_async<Text>(unary_method, text_of("request"), patient());
  const Result<Text> reply = co_await call;
  co_return reply.status();
}

Task<Result<std::unique_ptr<Transport>>> connect_on_a_pool(ScriptedServer& server,
                                                           ThreadPool& pool) {
  co_await resume_on(pool);
  co_return server.accept();
}

TEST_F(PoolConnectorTest, MayEndThere) {
  ThreadPool pool(1);
  ScriptedServer server({[](SessionPeer& peer) { EXPECT_TRUE(peer.answer_all("reply")); }});
  Channel channel("mine", ChannelOptions().connector([&](const ConnectContext&) {
    return connect_on_a_pool(server, pool);
  }));

  const Status status = sync_wait(call_once(ClientStub(channel, test_methods)));

  EXPECT_TRUE(status.ok()) << status.to_string();
  EXPECT_EQ(server.connection_count(), 1U);
}

Task<Result<std::unique_ptr<Transport>>> linger_on_a_pool(ThreadPool& pool,
                                                          std::promise<void>& begun,
                                                          std::shared_future<void> go_on) {
  co_await resume_on(pool);
  begun.set_value();
  go_on.wait();
  co_return Status::unavailable("too late");
}

Task<void> cancel_when_begun(const ClientStub& stub,
                             std::promise<void>& begun,
                             std::promise<void>& go_on) {
  auto call = stub.unary_async<Text>(unary_method, text_of("a"), patient());
  begun.get_future().wait();
  call.cancel();
  std::thread later([&go_on] { go_on.set_value(); });
  const Result<Text> reply = co_await call;
  EXPECT_EQ(reply.status().code(), StatusCode::cancelled);
  later.join();
}

TEST_F(PoolConnectorTest, IsWaitedForWhenItIsCancelledThere) {
  ThreadPool pool(1);
  std::promise<void> begun;
  std::promise<void> go_on;
  Channel channel("mine", ChannelOptions().connector([&](const ConnectContext&) {
    return linger_on_a_pool(pool, begun, go_on.get_future().share());
  }));

  sync_wait(cancel_when_begun(ClientStub(channel, test_methods), begun, go_on));
}

}  // namespace
}  // namespace nearcall::test
