// SPDX-License-Identifier: Apache-2.0
// What calls keep to be sent again, and how much of it.
#include "client/replay_buffer.hpp"

#include "support/messages.hpp"

#include <gtest/gtest.h>

#include <string>

namespace nearcall::inline v0::detail {
namespace {

using test::text_of;

/// Framed, as many bytes.
grpc::OutgoingMessage sized(google::protobuf::StringValue& holder, std::size_t bytes) {
  constexpr std::size_t overhead = 7;  // prefix, tag, length
  holder.set_value(std::string(bytes - overhead, 'x'));
  grpc::OutgoingMessage message(holder);
  EXPECT_EQ(message.size(), bytes);
  return message;
}

class ReplayBufferTest : public testing::Test {
 protected:
  void keep(ReplayBuffer& buffer, std::size_t bytes) { buffer.keep(sized(holder_, bytes)); }

  ReplayBudget budget_{1'000};

 private:
  google::protobuf::StringValue holder_;
};

TEST_F(ReplayBufferTest, KeepsMessagesAsTheyAreSent) {
  ReplayBuffer buffer(budget_, 1'000);
  std::string sent;
  for (const char* const text : {"a", "", "some more"}) {
    const auto message = text_of(text);
    const grpc::OutgoingMessage outgoing(message);
    buffer.keep(outgoing);
    std::string bytes(outgoing.size(), '\0');
    outgoing.write(reinterpret_cast<std::byte*>(bytes.data()));
    sent += bytes;
  }
  EXPECT_EQ(as_text(buffer.bytes()), sent);
  EXPECT_TRUE(buffer.is_whole());
}

TEST_F(ReplayBufferTest, HoldsAsMuchAsACallMayKeepAndThenNothing) {
  ReplayBuffer buffer(budget_, 300);
  keep(buffer, 100);
  keep(buffer, 100);
  keep(buffer, 100);
  EXPECT_TRUE(buffer.is_whole());
  EXPECT_EQ(buffer.bytes().size(), 300U);
  keep(buffer, 8);
  EXPECT_FALSE(buffer.is_whole());
  EXPECT_TRUE(buffer.bytes().empty());
  EXPECT_EQ(budget_.used(), 0U);
  keep(buffer, 8);
  EXPECT_FALSE(buffer.is_whole()) << "it would not be all";
}

TEST_F(ReplayBufferTest, NeverHoldsOneThatIsLarger) {
  ReplayBuffer buffer(budget_, 100);
  keep(buffer, 101);
  EXPECT_FALSE(buffer.is_whole());
}

TEST_F(ReplayBufferTest, AllCallsTogetherKeepNoMoreThanTheirBudget) {
  ReplayBuffer first(budget_, 1'000);
  ReplayBuffer second(budget_, 1'000);
  first.count(600);
  second.count(400);
  EXPECT_EQ(budget_.used(), 1'000U);
  ReplayBuffer third(budget_, 1'000);
  keep(third, 8);
  EXPECT_FALSE(third.is_whole());
  EXPECT_TRUE(first.is_whole() && second.is_whole());
  first.drop();
  ReplayBuffer fourth(budget_, 1'000);
  keep(fourth, 8);
  EXPECT_TRUE(fourth.is_whole());
}

TEST_F(ReplayBufferTest, WhatIsCountedIsWhatIsTaken) {
  {
    ReplayBuffer buffer(budget_, 1'000);
    for (int i = 0; i < 50; ++i) {
      keep(buffer, 10);
      EXPECT_GE(budget_.used(), buffer.bytes().size());
    }
    EXPECT_LE(budget_.used(), 1'000U);
  }
  EXPECT_EQ(budget_.used(), 0U);
}

TEST_F(ReplayBufferTest, CountsWhatSomebodyElseKeeps) {
  ReplayBuffer buffer(budget_, 500);
  buffer.count(500);
  EXPECT_TRUE(buffer.is_whole());
  ReplayBuffer larger(budget_, 500);
  larger.count(501);
  EXPECT_FALSE(larger.is_whole());
}

}  // namespace
}  // namespace nearcall::inline v0::detail
