// SPDX-License-Identifier: Apache-2.0
// Calls that a program uses in a wrong way: it ends with a sentence that says what to do.
#include "client/script_methods.hpp"

#include <nearcall/event_loop.hpp>
#include <nearcall/resume_on.hpp>
#include <nearcall/task_scope.hpp>
#include <nearcall/thread_pool.hpp>

#include <gtest/gtest.h>

#include <thread>
#include <utility>

namespace nearcall::test {
namespace {

Task<Result<std::unique_ptr<Transport>>> connect_nowhere() {
  co_return Status::unavailable("nobody there");
}

class MisuseDeathTest : public testing::Test {
 protected:
  Channel channel_{"mine",
                   ChannelOptions().connector([](const auto&) { return connect_nowhere(); })};
  ClientStub stub_{channel_, test_methods};
};

Task<void> await_twice(const ClientStub& stub) {
  auto call = stub.unary_async<Text>(unary_method, text_of("a"), patient());
  const Result<Text> first = co_await call;
  EXPECT_FALSE(first.ok());
  const Result<Text> second = co_await call;
  EXPECT_FALSE(second.ok());
}

TEST_F(MisuseDeathTest, AReplyIsAwaitedOnce) {
  EXPECT_DEATH(sync_wait(await_twice(stub_)), "awaited twice. Await it once");
}

TEST_F(MisuseDeathTest, ACallThatWasMovedFromIsOfNoUse) {
  auto awaited = stub_.unary_async<Text>(unary_method, text_of("a"), patient());
  auto blocking = stub_.server_streaming<Text>(serve_method, text_of("a"), patient());
  const auto moved = std::move(awaited);
  const auto moved_too = std::move(blocking);

  EXPECT_DEATH(awaited.cancel(), "moved from: it can only be dropped or assigned to");
  EXPECT_DEATH(static_cast<void>(blocking.finish()),
               "moved from: it can only be dropped or assigned to");
}

Task<void> read_elsewhere(const ClientStub& stub) {
  auto call = stub.bidi_streaming_async<Text, Text>(chat_method, patient());
  std::thread([&call] { call.writes_done(); }).join();
  co_return;
}

Task<void> look_too_early(const ClientStub& stub) {
  auto call = stub.unary_async<Text>(unary_method, text_of("a"), patient());
  static_cast<void>(call.status());
  co_return;
}

Task<Result<std::unique_ptr<Transport>>> connect_later() {
  co_await sleep_for(std::chrono::hours(1));
  co_return Status::unavailable("not reached");
}

TEST_F(MisuseDeathTest, AnAwaitedCallStaysOnItsLoop) {
  Channel slow("mine", ChannelOptions().connector([](const auto&) { return connect_later(); }));

  EXPECT_DEATH(sync_wait(read_elsewhere(ClientStub(slow, test_methods))), "resume_on.loop. first");
}

using ChatCall = AsyncBidiStreamingCall<Text, Text>;

/// Looks at a call that is not over, on another thread.
Task<void> look_elsewhere(const ClientStub& stub, void (*look)(const ChatCall&)) {
  const ChatCall call = stub.bidi_streaming_async<Text, Text>(chat_method, patient());
  std::thread([&] { look(call); }).join();
  co_return;
}

TEST_F(MisuseDeathTest, WhatAnAwaitedCallTellsIsForItsLoopToo) {
  Channel slow("mine", ChannelOptions().connector([](const auto&) { return connect_later(); }));
  const ClientStub stub(slow, test_methods);

  EXPECT_DEATH(sync_wait(look_elsewhere(
                   stub, [](const ChatCall& call) { static_cast<void>(call.is_done()); })),
               "outside of the EventLoop");
  EXPECT_DEATH(sync_wait(look_elsewhere(
                   stub, [](const ChatCall& call) { static_cast<void>(call.trailers()); })),
               "outside of the EventLoop");
  EXPECT_DEATH(
      sync_wait(look_elsewhere(stub, [](const ChatCall& call) { static_cast<void>(call.peer()); })),
      "outside of the EventLoop");
}

Task<void> drop_elsewhere(const ClientStub& stub, ThreadPool& pool) {
  auto call = stub.unary_async<Text>(unary_method, text_of("a"), patient());
  co_await resume_on(pool);
}

TEST_F(MisuseDeathTest, ACallThatIsNotOverIsDroppedOnItsLoop) {
  Channel slow("mine", ChannelOptions().connector([](const auto&) { return connect_later(); }));

  EXPECT_DEATH(
      {
        ThreadPool pool(1);
        sync_wait(drop_elsewhere(ClientStub(slow, test_methods), pool));
      },
      "used or dropped outside of the EventLoop");
}

Task<void> await_end(AsyncServerStreamingCall<Text>& call) {
  const Status status = co_await call.finish();
  EXPECT_FALSE(status.ok());
}
Task<void> read_from(AsyncBidiStreamingCall<Text, Text>& call) {
  Text text;
  static_cast<void>(co_await call.read(text));
}
Task<void> write_to(AsyncBidiStreamingCall<Text, Text>& call) {
  const Text text = text_of("a");
  static_cast<void>(co_await call.write(text));
}

/// Two of them on one call that is not connected yet.
template <class Call>
void do_two_at_a_time(Call call, Task<void> (*what)(Call&)) {
  TaskScope tasks;
  tasks.spawn(what(call));
  tasks.spawn(what(call));
  EventLoop::current()->poll();
}

TEST_F(MisuseDeathTest, OneCoroutineAtATimeAwaitsReadsAndWrites) {
  Channel slow("mine", ChannelOptions().connector([](const auto&) { return connect_later(); }));
  const ClientStub stub(slow, test_methods);
  EventLoop loop;
  const EventLoop::Binding binding(loop);

  EXPECT_DEATH(
      do_two_at_a_time(stub.server_streaming_async<Text>(serve_method, text_of("a"), patient()),
                       &await_end),
      "awaited by two coroutines at a time; one waits, and tells others");
  EXPECT_DEATH(
      do_two_at_a_time(stub.bidi_streaming_async<Text, Text>(chat_method, patient()), &read_from),
      "read by two coroutines or threads at a time; one reads, and tells others");
  EXPECT_DEATH(
      do_two_at_a_time(stub.bidi_streaming_async<Text, Text>(chat_method, patient()), &write_to),
      "written by two coroutines or threads at a time; one writes what others give it");
}

TEST_F(MisuseDeathTest, OneThreadAtATimeReads) {
  const auto read_on_two_threads = [] {
    ScriptedServer server({[](SessionPeer& peer) { peer.wait_for_end(); }});
    const Channel channel("mine", server.options());
    auto call =
        ClientStub(channel, test_methods).bidi_streaming<Text, Text>(chat_method, patient());
    const auto read = [&call] {
      Text text;
      static_cast<void>(call.read(text));
    };
    std::jthread other(read);
    read();
  };

  EXPECT_DEATH(read_on_two_threads(), "read by two coroutines or threads at a time");
}

TEST_F(MisuseDeathTest, ACallThatIsNotOverHasNoStatus) {
  Channel slow("mine", ChannelOptions().connector([](const auto&) { return connect_later(); }));

  EXPECT_DEATH(sync_wait(look_too_early(ClientStub(slow, test_methods))), "the call is not over");
}

}  // namespace
}  // namespace nearcall::test
