// SPDX-License-Identifier: Apache-2.0
// MessageTap: in which order hooks see messages, what they refuse, and when they see none.
#include "connection/message_tap.hpp"

#include "support/messages.hpp"

#include <gtest/gtest.h>

#include <string>

namespace nearcall::test {
namespace {

class TestTap final : public detail::MessageTap {
 public:
  explicit TestTap(Incoming incoming) : MessageTap(incoming) {}
};

MessageHook appending(std::string what) {
  return [what = std::move(what)](google::protobuf::MessageLite& message) {
    static_cast<Text&>(message).mutable_value()->append(what);
    return Status();
  };
}

Status refuse_message(google::protobuf::MessageLite& /*message*/) {
  return Status::aborted("refused");
}

TEST(MessageTapTest, RequestsPassInOrderAndRepliesInTheOppositeOne) {
  TestTap server(TestTap::Incoming::requests);
  for (const char* const name : {"a", "b"}) {
    server.add_incoming(0, appending(name));
    server.add_outgoing(0, appending(name));
  }
  Text request;
  Text reply;

  EXPECT_TRUE(server.pass_incoming(request).ok());
  EXPECT_TRUE(server.pass_outgoing(reply).ok());

  EXPECT_EQ(request.value(), "ab");
  EXPECT_EQ(reply.value(), "ba");
}

TEST(MessageTapTest, ACopyIsMadeOnceForAMessageThatWaits) {
  TestTap client(TestTap::Incoming::replies);
  client.add_outgoing(0, appending("!"));
  const Text message = text_of("x");

  const auto* const first = client.pass_copy(message);
  const auto* const again = client.pass_copy(message);

  EXPECT_EQ(first, again);
  EXPECT_EQ(static_cast<const Text&>(*first).value(), "x!");
  EXPECT_EQ(message.value(), "x");
}

TEST(MessageTapTest, WithoutHooksAMessageIsWrittenAsItIs) {
  TestTap client(TestTap::Incoming::replies);
  const Text message = text_of("x");

  EXPECT_EQ(client.pass_copy(message), &message);
}

TEST(MessageTapTest, TheFirstRefusalIsRemembered) {
  TestTap client(TestTap::Incoming::replies);
  client.add_outgoing(0, refuse_message);
  client.add_incoming(0, [](auto&) { return Status::internal("later"); });
  Text message;

  EXPECT_EQ(client.pass_copy(message), nullptr);
  EXPECT_EQ(client.pass_incoming(message), Status::internal("later"));
  EXPECT_EQ(client.refusal(), Status::aborted("refused"));
}

TEST(MessageTapTest, HooksOfInterceptorsThatHaveReturnedAreGone) {
  TestTap client(TestTap::Incoming::replies);
  std::size_t depth = 0;
  for (const char* const name : {"outer", "inner", "innermost"}) {
    client.add_incoming(depth, appending(name));
    client.add_outgoing(depth, appending(name));
    ++depth;
  }
  Text reply;
  Text request;

  client.drop_hooks_inside(0);

  EXPECT_TRUE(client.pass_incoming(reply).ok());
  EXPECT_TRUE(client.pass_outgoing(request).ok());
  EXPECT_EQ(reply.value(), "outer");
  EXPECT_EQ(request.value(), "outer");
}

TEST(MessageTapTest, TheInnermostHasNobodyInside) {
  TestTap client(TestTap::Incoming::replies);
  client.add_incoming(0, appending("mine"));
  Text reply;

  client.drop_hooks_inside(0);

  EXPECT_TRUE(client.pass_incoming(reply).ok());
  EXPECT_EQ(reply.value(), "mine");
}

TEST(MessageTapTest, OnceClosedItCallsNobody) {
  TestTap client(TestTap::Incoming::replies);
  client.add_incoming(0, refuse_message);
  client.add_outgoing(0, refuse_message);
  Text message;

  client.close();

  EXPECT_TRUE(client.pass_incoming(message).ok());
  EXPECT_EQ(client.pass_copy(message), &message);
}

}  // namespace
}  // namespace nearcall::test
