// SPDX-License-Identifier: Apache-2.0
// Metadata on the wire: what the application sees of a header list, and what goes back into one.
#include "grpc/metadata_codec.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace nearcall::grpc {
namespace {

using Fields = std::vector<HeaderView>;

Metadata metadata_of(const std::vector<std::pair<std::string, std::string>>& entries) {
  Metadata metadata;
  for (const auto& [key, value] : entries) {
    metadata.append_unchecked(key, value);
  }
  return metadata;
}

TEST(MetadataCodec, TakesWhatIsNotProtocolInOrder) {
  const Fields fields = {
      {":path", "/s/m"}, {"user", "one"},          {"te", "trailers"},  {"other", ""},
      {"user", "two"},   {"grpc-timeout", "1S"},   {"user-agent", "x"}, {"grpc-status", "0"},
      {"host", "h"},     {"content-length", "10"}, {":new", "x"}};

  const auto metadata = parse_metadata(fields);

  ASSERT_TRUE(metadata.ok());
  EXPECT_EQ(*metadata, metadata_of({{"user", "one"}, {"other", ""}, {"user", "two"}}));
}

TEST(MetadataCodec, DecodesBinaryValuesPaddedAndUnpadded) {
  const auto metadata = parse_metadata(Fields{{"a-bin", "aGk"}, {"b-bin", "aGk="}, {"c-bin", ""}});

  ASSERT_TRUE(metadata.ok());
  EXPECT_EQ(*metadata, metadata_of({{"a-bin", "hi"}, {"b-bin", "hi"}, {"c-bin", ""}}));
}

TEST(MetadataCodec, SplitsJoinedBinaryValuesAtTheirCommas) {
  const auto metadata = parse_metadata(Fields{{"a-bin", "aGk,aGk="}, {"b-bin", "aGk, ,\taGk= "}});

  ASSERT_TRUE(metadata.ok());
  EXPECT_EQ(
      *metadata,
      metadata_of(
          {{"a-bin", "hi"}, {"a-bin", "hi"}, {"b-bin", "hi"}, {"b-bin", ""}, {"b-bin", "hi"}}));
}

TEST(MetadataCodec, LeavesCommasOfOtherValuesAlone) {
  const auto metadata = parse_metadata(Fields{{"list", "a,b"}});

  ASSERT_TRUE(metadata.ok());
  EXPECT_EQ(metadata->get("list"), "a,b");
}

TEST(MetadataCodec, BadBase64FailsAndNamesTheKey) {
  for (const char* value : {"a", "aG*", "aGk,a", "=,aGk", "aGk==", "a Gk"}) {
    const auto metadata = parse_metadata(Fields{{"ok", "x"}, {"trace-bin", value}});

    ASSERT_FALSE(metadata.ok()) << value;
    EXPECT_EQ(metadata.error().code(), StatusCode::internal);
    EXPECT_NE(metadata.error().message().find("\"trace-bin\""), std::string::npos);
  }
}

TEST(MetadataCodec, WritesBinaryValuesWithoutPadding) {
  const Metadata metadata = metadata_of({{"user", "one"}, {"a-bin", "hi"}, {"b-bin", ""}});
  HeaderBlock block;

  append_metadata(block, metadata);

  EXPECT_EQ(Fields(block.fields().begin(), block.fields().end()),
            (Fields{{"user", "one"}, {"a-bin", "aGk"}, {"b-bin", ""}}));
}

TEST(MetadataCodec, WhatWasWrittenIsReadBack) {
  Metadata metadata;
  for (std::size_t i = 0; i < 50; ++i) {
    metadata.append_unchecked("key-bin", std::string(i, static_cast<char>(200 + i)));
    metadata.append_unchecked("key", std::string(i, 'x'));
  }
  HeaderBlock block;

  append_metadata(block, metadata);
  const auto back = parse_metadata(block.fields());

  ASSERT_TRUE(back.ok());
  EXPECT_EQ(*back, metadata);
}

}  // namespace
}  // namespace nearcall::grpc
