// SPDX-License-Identifier: Apache-2.0
// Messages on arenas: the call's own at the server, the caller's at the client.
#include "arena.nearcall.hpp"
#include "support/call_form.hpp"
#include "support/log_capture.hpp"
#include "support/temp_dir.hpp"

#include <nearcall/channel.hpp>
#include <nearcall/server.hpp>

#include <google/protobuf/arena.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;
using google::protobuf::Arena;
using google::protobuf::util::MessageDifferencer;

Node tree(int depth, int width, const std::string& payload) {
  Node node;
  node.set_name("a name that is longer than a short string, " + std::to_string(depth));
  node.set_payload(payload);
  for (int i = 0; depth > 0 && i < width; ++i)
    *node.add_children() = tree(depth - 1, width, payload);
  return node;
}

class TreeService final : public Tree::Service {
 public:
  std::atomic<bool> are_messages_on_arena{true};

 private:
  Task<Status> Mirror(ServerContext& call, const Node& request, Node& reply) override {
    const bool are_there = request.GetArena() == &call.arena() && reply.GetArena() == &call.arena();
    if (!are_there) are_messages_on_arena = false;
    co_await sleep_for(std::chrono::nanoseconds(1));  // they outlive a wait
    reply = request;
    if (request.code() != 0) co_return Status(static_cast<StatusCode>(request.code()), "as asked");
    co_return Status();
  }
  Task<Status> Each(ServerContext& call,
                    ServerReader<Node>& requests,
                    ServerWriter<Node>& replies) override {
    auto* const node = Arena::CreateMessage<Node>(&call.arena());
    while (co_await requests.read(*node)) {
      if (!co_await replies.write(*node)) break;
    }
    co_return Status();
  }
};

CallOptions in_time() {
  return CallOptions().timeout(20s);
}

class Arenas : public LogCheckedTest, public testing::WithParamInterface<CallForm> {
 protected:
  Arenas() {
    server_.add_service(service_).listen(target_);
    EXPECT_TRUE(server_.start());
  }
  ~Arenas() override {
    server_.stop();
    server_.wait();
  }
  Status mirror(const Node& request, Node& into) {
    if (GetParam() == CallForm::blocking) return client_.Mirror(request, into, in_time());
    return sync_wait(await(client_, request, into));
  }

  TempDir folder_;
  const std::string target_ = "unix:" + folder_.file("s");
  TreeService service_;
  Server server_;
  Channel channel_{target_};
  Tree::Client client_{channel_};

 private:
  static Task<Status> await(const Tree::Client& client, const Node& request, Node& into) {
    auto call = client.MirrorAsync(request, into, in_time());
    co_return co_await call;
  }
};

INSTANTIATE_TEST_SUITE_P(Forms,
                         Arenas,
                         testing::Values(CallForm::blocking, CallForm::awaited),
                         testing::PrintToStringParamName());

TEST_P(Arenas, HaveTheMessagesOfAHandlerAndTheReplyOfItsCaller) {
  Arena arena;
  auto* const reply = Arena::CreateMessage<Node>(&arena);
  const Node request = tree(3, 4, "payload");

  const Status status = mirror(request, *reply);

  ASSERT_TRUE(status.ok()) << status.to_string();
  EXPECT_TRUE(MessageDifferencer::Equals(*reply, request));
  EXPECT_EQ(reply->children(0).GetArena(), &arena);
  EXPECT_TRUE(service_.are_messages_on_arena);
}

TEST_P(Arenas, AreUsedForOneCallAfterTheOther) {
  Arena arena;
  auto* const reply = Arena::CreateMessage<Node>(&arena);
  for (int i = 0; i < 100; ++i) {
    const Node request = tree(i % 3, i % 5, std::to_string(i));

    ASSERT_TRUE(mirror(request, *reply).ok());
    EXPECT_TRUE(MessageDifferencer::Equals(*reply, request)) << i;
  }
}

TEST_P(Arenas, KeepALargeReplyUntilItIsSent) {
  const Node request = tree(1, 3, std::string(900'000, 'x'));
  Node reply;

  const Status status = mirror(request, reply);

  ASSERT_TRUE(status.ok()) << status.to_string();
  EXPECT_TRUE(MessageDifferencer::Equals(reply, request));
}

TEST_P(Arenas, AreNotKeptForALittleReply) {
  Node request = tree(0, 0, std::string(60'000, 'x'));
  for (int i = 0; i < 40'000; ++i)
    request.add_children();  // next to nothing on the wire, and much in memory
  Node reply;

  const Status status = mirror(request, reply);

  ASSERT_TRUE(status.ok()) << status.to_string();
  EXPECT_TRUE(MessageDifferencer::Equals(reply, request));
}

TEST_P(Arenas, ServeFailuresAsOthersDo) {
  Node request;
  request.set_code(static_cast<int>(StatusCode::aborted));
  Node reply;

  const Status status = mirror(request, reply);

  EXPECT_EQ(status.code(), StatusCode::aborted);
  EXPECT_EQ(status.message(), "as asked");
}

TEST_P(Arenas, LeaveTheOtherFormsAsTheyAre) {
  const Node request = tree(2, 2, "payload");

  const Result<Node> reply = client_.Mirror(request, in_time());

  ASSERT_TRUE(reply.ok()) << reply.status().to_string();
  EXPECT_TRUE(MessageDifferencer::Equals(*reply, request));
}

TEST_P(Arenas, MayHaveTheMessageThatAStreamUsesAgain) {
  auto call = client_.Each(in_time());
  for (int i = 0; i < 10; ++i) {
    const Node request = tree(2, 2, std::to_string(i));
    ASSERT_TRUE(call.write(request));
    const std::optional<Node> reply = call.read();
    ASSERT_TRUE(reply);
    EXPECT_TRUE(MessageDifferencer::Equals(*reply, request));
  }
  EXPECT_TRUE(call.finish().ok());
}

TEST_P(Arenas, KeepRepliesOfManyCallsAtATime) {
  const auto make = [](const Tree::Client& client) -> Task<int> {
    const Node request = tree(1, 2, std::string(300'000, 'y'));
    std::vector<AsyncUnaryCall<Node>> calls;
    for (int i = 0; i < 30; ++i)
      calls.push_back(client.MirrorAsync(request, in_time()));
    int good = 0;
    for (auto& call : calls) {
      const Result<Node> reply = co_await call;
      good += reply.ok() && MessageDifferencer::Equals(*reply, request) ? 1 : 0;
    }
    co_return good;
  };

  EXPECT_EQ(sync_wait(make(client_)), 30);
}

}  // namespace
}  // namespace nearcall::test
