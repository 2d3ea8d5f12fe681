// SPDX-License-Identifier: Apache-2.0
// Metadata: order, repeated keys, and what may not be added.
#include <nearcall/metadata.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace nearcall {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(Metadata, KeepsRepeatedKeysInOrder) {
  Metadata metadata;
  ASSERT_TRUE(metadata.add("user", "one"));
  ASSERT_TRUE(metadata.add("other", "x"));
  ASSERT_TRUE(metadata.add("user", "two"));

  EXPECT_THAT(metadata.get_all("user"), ElementsAre("one", "two"));
  EXPECT_EQ(metadata.get("user"), "one");
  EXPECT_EQ(metadata.get("absent"), std::nullopt);
}

TEST(Metadata, LowersTheKeyThatIsAdded) {
  Metadata metadata;

  ASSERT_TRUE(metadata.add("X-Request-Id", "7"));

  EXPECT_EQ(metadata.get("x-request-id"), "7");
}

TEST(Metadata, LowersTheKeyThatIsLookedUp) {
  Metadata metadata;
  ASSERT_TRUE(metadata.add("X-Request-Id", "7"));
  ASSERT_TRUE(metadata.add("x-request-id", "8"));

  EXPECT_EQ(metadata.get("X-Request-Id"), "7");
  EXPECT_THAT(metadata.get_all("X-REQUEST-ID"), ElementsAre("7", "8"));
  EXPECT_EQ(metadata.get("X-Request-Id2"), std::nullopt);
}

TEST(Metadata, TakesAnyBytesUnderABinaryKey) {
  Metadata metadata;
  const std::string bytes("\0\xff\n", 3);

  ASSERT_TRUE(metadata.add("trace-bin", bytes));

  EXPECT_EQ(metadata.get("trace-bin"), bytes);
}

TEST(Metadata, RefusesWhatIsLargerThanHpackCanSay) {
  constexpr std::size_t most = std::size_t{64} * 1024 * 1024;
  const std::string huge(most + 1, 'x');
  Metadata metadata;

  for (const Result<void>& added :
       {metadata.add("note", huge), metadata.add("note-bin", huge), metadata.add(huge, "value")}) {
    ASSERT_FALSE(added.ok());
    EXPECT_EQ(added.error().code(), StatusCode::invalid_argument);
    EXPECT_EQ(added.error().reason(), StatusReason::misuse);
    EXPECT_THAT(added.error().message(), HasSubstr("longer than 64 MiB"));
    EXPECT_LT(added.error().message().size(), 1000U);
  }
  EXPECT_TRUE(metadata.empty());
}

TEST(Metadata, RefusesAValueThatCouldSplitAHeader) {
  Metadata metadata;

  const Result<void> added = metadata.add("note", "a\r\nevil: b");

  ASSERT_FALSE(added.ok());
  EXPECT_EQ(added.error().code(), StatusCode::invalid_argument);
  EXPECT_THAT(added.error().message(), HasSubstr("note"));
  EXPECT_TRUE(metadata.empty());
}

TEST(Metadata, RefusesEachKeyThatBelongsToTheProtocol) {
  Metadata metadata;

  for (const char* key : {"grpc-timeout", "te", "content-type", "host", ":path", "", "a b", "Ü"}) {
    EXPECT_FALSE(metadata.add(key, "x").ok()) << key;
  }
  EXPECT_TRUE(metadata.empty());
}

}  // namespace
}  // namespace nearcall
