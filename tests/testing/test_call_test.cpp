// SPDX-License-Identifier: Apache-2.0
// TestCall: handlers of both kinds, called without a server.
#include "support/messages.hpp"

#include <nearcall/event_loop.hpp>
#include <nearcall/spawn.hpp>
#include <nearcall/sync_wait.hpp>
#include <nearcall/testing/test_call.hpp>

#include <gmock/gmock.h>
#include <unistd.h>

#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::TestCall;
using testing::TestReplies;
using testing::TestRequests;

std::vector<std::string> values(const std::vector<Text>& texts) {
  std::vector<std::string> all;
  for (const Text& text : texts)
    all.push_back(text.value());
  return all;
}

// ---- what a handler sees, and says --------------------------------------------------------------

TEST(TestCallTest, ShowsWhatATestHasSaid) {
  TestCall call;
  const auto deadline = std::chrono::steady_clock::now() + 1h;
  call.set_peer(PeerIdentity("unix:here", 7, 8, 9));
  call.set_method("/a.B/C");
  call.set_authority("somebody");
  call.set_deadline(deadline);
  call.add_metadata("Key", "value");

  const ServerContext& seen = call.context();
  EXPECT_EQ(seen.peer().uid(), 7U);
  EXPECT_EQ(seen.method(), "/a.B/C");
  EXPECT_EQ(seen.authority(), "somebody");
  EXPECT_EQ(seen.deadline(), deadline);
  EXPECT_EQ(seen.metadata().get("key"), "value");
  EXPECT_FALSE(seen.is_cancelled());
}

TEST(TestCallTest, IsByDefaultACallFromThisProcessWithoutADeadline) {
  TestCall call;

  const ServerContext& seen = call;
  EXPECT_TRUE(seen.peer().is_own());
  EXPECT_EQ(seen.peer().pid(), ::getpid());
  EXPECT_EQ(seen.deadline(), std::chrono::steady_clock::time_point::max());
  EXPECT_TRUE(seen.metadata().empty());
}

TEST(TestCallTest, KeepsWhatAHandlerSaysBesideItsReply) {
  TestCall call;

  call.context().add_header("one", "1").add_trailer("two", "2");
  EXPECT_FALSE(call.were_headers_sent());
  call.context().send_headers();

  EXPECT_EQ(call.headers().get("one"), "1");
  EXPECT_EQ(call.trailers().get("two"), "2");
  EXPECT_TRUE(call.were_headers_sent());
}

template <class Mistake>
std::string what_is_thrown_by(const Mistake& mistake) {
  try {
    mistake();
  } catch (const std::logic_error& error) {
    return error.what();
  }
  return "nothing";
}

TEST(TestCallTest, ThrowsWhereAFunctionWaitsAsACoroutine) {
  TestCall call;
  ServerContext& context = call;

  EXPECT_THAT(what_is_thrown_by([&] { static_cast<void>(context.until_ending()); }),
              HasSubstr("until_ending() is for coroutines"));
}

TEST(TestCallTest, ThrowsForWhatAServerWouldEndTheCallFor) {
  TestCall call;
  ServerContext& context = call;

  EXPECT_THAT(what_is_thrown_by([&] { context.add_trailer("grpc-status", "0"); }),
              HasSubstr("grpc-status"));
  EXPECT_THAT(what_is_thrown_by([&] { context.add_header("a b", "0"); }), HasSubstr("a b"));
  EXPECT_THAT(what_is_thrown_by([&] { context.send_headers().add_header("late", "1"); }),
              HasSubstr("a header after the headers were sent: late"));
  EXPECT_THAT(what_is_thrown_by([&] { call.add_metadata("te", "1"); }), HasSubstr("te"));
}

// ---- its end ------------------------------------------------------------------------------------

Task<CallEnding> wait_for_end(ServerContext& call) {
  co_return co_await call.until_ending();
}
Task<void> cancel(TestCall& call) {
  call.cancel();
  co_return;
}

TEST(TestCallTest, ACoroutineIsToldThatItIsCancelled) {
  EventLoop loop;
  const EventLoop::Binding binding(loop);
  TestCall call;
  spawn(loop, cancel(call));  // runs as soon as the handler waits

  EXPECT_EQ(sync_wait(wait_for_end(call)), CallEnding::cancelled);
  EXPECT_TRUE(call.context().is_cancelled());
  EXPECT_FALSE(call.context().server_stopping().stop_requested());
}

TEST(TestCallTest, ACoroutineIsToldThatTheServerStops) {
  TestCall call;
  call.stop_server();

  EXPECT_EQ(sync_wait(wait_for_end(call)), CallEnding::server_stopping);
  EXPECT_FALSE(call.context().is_cancelled());
  EXPECT_FALSE(call.context().cancellation().stop_requested());
}

// ---- streams of coroutines ----------------------------------------------------------------------

Task<Status> echo_awaited(ServerContext& call,
                          ServerReader<Text>& requests,
                          ServerWriter<Text>& replies) {
  Text text;
  while (co_await requests.read(text)) {
    const bool is_taken = co_await replies.write(text);
    if (!is_taken) break;
  }
  co_return call.is_cancelled() ? Status::cancelled("nobody waits") : Status();
}

TEST(TestStreams, ACoroutineReadsAndWritesThem) {
  TestCall call;
  TestRequests<Text> requests(call, {text_of("a"), text_of(""), text_of("c")});
  TestReplies<Text> replies(call);

  EXPECT_TRUE(sync_wait(echo_awaited(call, requests, replies)).ok());
  EXPECT_THAT(values(replies.written()), ElementsAre("a", "", "c"));
  EXPECT_TRUE(call.were_headers_sent());
}

Task<Status> join(JoinHandle<Status> handler) {
  co_return co_await handler.join();
}

TEST(TestStreams, ACoroutineWaitsForRequestsToCome) {
  EventLoop loop;
  const EventLoop::Binding binding(loop);
  TestCall call;
  TestRequests<Text> requests(call);
  TestReplies<Text> replies(call);
  JoinHandle<Status> handler = spawn(loop, echo_awaited(call, requests, replies));
  loop.poll();

  requests.add(text_of("a"));
  loop.poll();
  EXPECT_THAT(values(replies.written()), ElementsAre("a"));

  requests.end();
  EXPECT_TRUE(sync_wait(join(std::move(handler))).ok());
}

TEST(TestStreams, ACoroutinesReadEndsWithTheCall) {
  EventLoop loop;
  const EventLoop::Binding binding(loop);
  TestCall call;
  TestRequests<Text> requests(call);
  TestReplies<Text> replies(call);
  spawn(loop, cancel(call));

  EXPECT_EQ(sync_wait(echo_awaited(call, requests, replies)).code(), StatusCode::cancelled);
}

Task<Status> write_for_ever_awaited(ServerContext& /*call*/, ServerWriter<Text>& replies) {
  const Text text = text_of("again");
  for (;;) {
    const bool is_taken = co_await replies.write(text);
    if (!is_taken) co_return Status::cancelled("nobody waits");
  }
}

TEST(TestStreams, ATestMayCancelACoroutineAfterSoManyReplies) {
  TestCall call;
  TestReplies<Text> replies(call);
  int count = 0;
  replies.on_write([&](const Text& reply) {
    EXPECT_EQ(reply.value(), "again");
    if (++count == 5000) call.cancel();
  });

  EXPECT_EQ(sync_wait(write_for_ever_awaited(call, replies)).code(), StatusCode::cancelled);
  EXPECT_EQ(replies.written().size(), 5000U);
}

// ---- streams of functions -----------------------------------------------------------------------

Status echo_blocking(ServerContext& call,
                     BlockingReader<Text>& requests,
                     BlockingWriter<Text>& replies) {
  while (std::optional<Text> text = requests.read()) {
    if (!replies.write(*text)) break;
  }
  return call.is_cancelled() ? Status::cancelled("nobody waits") : Status();
}

TEST(TestStreams, AFunctionReadsAndWritesThem) {
  TestCall call;
  TestRequests<Text> requests(call, {text_of("a"), text_of(""), text_of("c")});
  TestReplies<Text> replies(call);

  EXPECT_TRUE(echo_blocking(call, requests, replies).ok());
  EXPECT_THAT(values(replies.written()), ElementsAre("a", "", "c"));
  EXPECT_TRUE(call.were_headers_sent());
}

TEST(TestStreams, AFunctionWaitsForRequestsOfAnotherThread) {
  TestCall call;
  TestRequests<Text> requests(call);
  TestReplies<Text> replies(call);
  std::thread client([&] {
    requests.add(text_of("a"));
    requests.add(text_of("b"));
    requests.end();
  });

  EXPECT_TRUE(echo_blocking(call, requests, replies).ok());
  client.join();
  EXPECT_THAT(values(replies.written()), ElementsAre("a", "b"));
}

TEST(TestStreams, AFunctionsReadEndsWithTheCall) {
  TestCall call;
  TestRequests<Text> requests(call);
  TestReplies<Text> replies(call);
  std::thread client([&] { call.cancel(); });

  EXPECT_EQ(echo_blocking(call, requests, replies).code(), StatusCode::cancelled);
  client.join();
}

TEST(TestStreams, ATestMayTalkWithAFunctionOnItsOwnThread) {
  TestCall call;
  TestRequests<Text> requests(call);
  TestReplies<Text> replies(call);
  requests.add(text_of("a"));
  replies.on_write([&](const Text& reply) {
    if (reply.value().size() == 4) return requests.end();
    requests.add(text_of(reply.value() + "a"));
  });

  EXPECT_TRUE(echo_blocking(call, requests, replies).ok());
  EXPECT_THAT(values(replies.written()), ElementsAre("a", "aa", "aaa", "aaaa"));
}

TEST(TestStreams, AReadEndsWithItsTokenAndLeavesWhatComesLater) {
  TestCall call;
  TestRequests<Text> requests(call);
  BlockingReader<Text>& reader = requests;
  std::stop_source stop;
  std::jthread other([&stop] { stop.request_stop(); });
  Text request;

  EXPECT_FALSE(reader.read(request, stop.get_token()));

  requests.add(text_of("later"));
  EXPECT_FALSE(reader.read(request, stop.get_token()));
  EXPECT_TRUE(reader.read(request));
  EXPECT_EQ(request.value(), "later");
}

TEST(TestStreams, NothingIsReadOrWrittenOnceTheCallIsCancelled) {
  TestCall call;
  TestRequests<Text> requests(call, {text_of("a")});
  TestReplies<Text> replies(call);
  call.cancel();

  BlockingReader<Text>& reader = requests;
  BlockingWriter<Text>& writer = replies;
  EXPECT_FALSE(reader.read());
  EXPECT_FALSE(writer.write(text_of("b")));
  EXPECT_THAT(replies.written(), testing::IsEmpty());
}

}  // namespace
}  // namespace nearcall::test
