// SPDX-License-Identifier: Apache-2.0
// Metadata on the wire: what the application sees of a header list, and what goes back into one.
#include "grpc/metadata_codec.hpp"

#include <nearcall/access.hpp>

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace nearcall::inline v0::detail::grpc {
namespace {

constexpr MetadataLimits limits;

using Fields = std::vector<HeaderView>;

Metadata metadata_of(const std::vector<std::pair<std::string, std::string>>& entries) {
  Metadata metadata;
  for (const auto& [key, value] : entries) {
    Access::append(metadata, key, value);
  }
  return metadata;
}

TEST(MetadataCodec, TakesWhatIsNotProtocolInOrder) {
  const Fields fields = {
      {":path", "/s/m"}, {"user", "one"},          {"te", "trailers"},  {"other", ""},
      {"user", "two"},   {"grpc-timeout", "1S"},   {"user-agent", "x"}, {"grpc-status", "0"},
      {"host", "h"},     {"content-length", "10"}, {":new", "x"}};

  const auto metadata = parse_metadata(fields, limits);

  ASSERT_TRUE(metadata.ok());
  EXPECT_EQ(*metadata, metadata_of({{"user", "one"}, {"other", ""}, {"user", "two"}}));
}

TEST(MetadataCodec, DecodesBinaryValuesPaddedAndUnpadded) {
  const auto metadata =
      parse_metadata(Fields{{"a-bin", "aGk"}, {"b-bin", "aGk="}, {"c-bin", ""}}, limits);

  ASSERT_TRUE(metadata.ok());
  EXPECT_EQ(*metadata, metadata_of({{"a-bin", "hi"}, {"b-bin", "hi"}, {"c-bin", ""}}));
}

TEST(MetadataCodec, SplitsJoinedBinaryValuesAtTheirCommas) {
  const auto metadata =
      parse_metadata(Fields{{"a-bin", "aGk,aGk="}, {"b-bin", "aGk, ,\taGk= "}}, limits);

  ASSERT_TRUE(metadata.ok());
  EXPECT_EQ(
      *metadata,
      metadata_of(
          {{"a-bin", "hi"}, {"a-bin", "hi"}, {"b-bin", "hi"}, {"b-bin", ""}, {"b-bin", "hi"}}));
}

TEST(MetadataCodec, LeavesCommasOfOtherValuesAlone) {
  const auto metadata = parse_metadata(Fields{{"list", "a,b"}}, limits);

  ASSERT_TRUE(metadata.ok());
  EXPECT_EQ(metadata->get("list"), "a,b");
}

TEST(MetadataCodec, BadBase64FailsAndNamesTheKey) {
  for (const char* value : {"a", "aG*", "aGk,a", "=,aGk", "aGk==", "a Gk"}) {
    const auto metadata = parse_metadata(Fields{{"ok", "x"}, {"trace-bin", value}}, limits);

    ASSERT_FALSE(metadata.ok()) << value;
    EXPECT_EQ(metadata.error().code(), StatusCode::internal);
    EXPECT_EQ(metadata.error().message(), "metadata key \"trace-bin\": value is not base64");
  }
}

TEST(MetadataCodec, WhatMetadataWouldRefuseFailsAndNamesTheKey) {
  const Fields malformed = {{"weird!#$%", "v"}, {"", "v"},      {"k", "\x01"}, {"k", "\x1b[31mred"},
                            {"k", "\xff"},      {"k", "tab\t"}, {"k", "\x7f"}};
  for (const HeaderView& field : malformed) {
    Metadata refusing;
    ASSERT_FALSE(refusing.add(field.name, field.value)) << field.name;

    const auto metadata = parse_metadata(Fields{{"ok", "x"}, field}, limits);

    ASSERT_FALSE(metadata.ok()) << field.name << ": " << field.value;
    EXPECT_EQ(metadata.error().code(), StatusCode::internal);
    const std::string begin = "metadata key \"" + std::string(field.name) + "\": ";
    EXPECT_EQ(metadata.error().message().substr(0, begin.size()), begin);
  }
}

TEST(MetadataCodec, KeysOfTheProtocolAreLeftOutWhateverTheyHold) {
  const Fields fields = {
      {"grpc-foo", "v"}, {"grpc-trace-bin", "no base64"}, {"http2-settings", "v"}, {"mine", "v"}};

  const auto metadata = parse_metadata(fields, limits);

  ASSERT_TRUE(metadata.ok());
  EXPECT_EQ(*metadata, metadata_of({{"mine", "v"}}));
}

TEST(MetadataCodec, KeysOfRetriesAreForHandlersAndClientsToo) {
  const Fields fields = {{"grpc-previous-rpc-attempts", "1"}, {"grpc-retry-pushback-ms", "5"}};

  const auto metadata = parse_metadata(fields, limits);

  ASSERT_TRUE(metadata.ok());
  EXPECT_EQ(metadata->get("grpc-previous-rpc-attempts"), "1");
  EXPECT_EQ(metadata->get("grpc-retry-pushback-ms"), "5");
}

/// `count` empty values of one field, joined.
std::string empty_values(std::size_t count) {
  return std::string(count - 1, ',');
}

TEST(MetadataCodec, JoinedValuesCountAsOneFieldEach) {
  const std::string fit = empty_values(limits.max_entries - 1);
  const std::string many = empty_values(limits.max_entries);

  const auto at_the_limit = parse_metadata(Fields{{"a-bin", fit}, {"b", ""}}, limits);
  const auto beyond = parse_metadata(Fields{{"a-bin", many}, {"b", ""}}, limits);

  ASSERT_TRUE(at_the_limit.ok());
  EXPECT_EQ(at_the_limit->size(), limits.max_entries);
  ASSERT_FALSE(beyond.ok());
  EXPECT_EQ(beyond.error(), Status(StatusCode::resource_exhausted,
                                   "the metadata is more than 128 entries (max_header_fields)"));
}

TEST(MetadataCodec, JoinedValuesCountTheirKeyEachTime) {
  constexpr std::size_t values = 4;
  constexpr std::size_t overhead = 32;
  const std::string key = std::string(limits.max_list_size / values - overhead - 4, 'k') + "-bin";
  const std::string longer = "k" + key;
  const std::string joined = empty_values(values);

  const auto at_the_limit = parse_metadata(Fields{{key, joined}}, limits);
  const auto beyond = parse_metadata(Fields{{longer, joined}}, limits);

  ASSERT_TRUE(at_the_limit.ok());
  EXPECT_EQ(at_the_limit->size(), values);
  ASSERT_FALSE(beyond.ok());
  EXPECT_EQ(beyond.error(), Status(StatusCode::resource_exhausted,
                                   "the metadata is more than 16384 bytes (max_header_list_size)"));
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
    Access::append(metadata, "key-bin", std::string(i, static_cast<char>(200 + i)));
    Access::append(metadata, "key", std::string(i, 'x'));
  }
  HeaderBlock block;

  append_metadata(block, metadata);
  const auto back = parse_metadata(block.fields(), limits);

  ASSERT_TRUE(back.ok());
  EXPECT_EQ(*back, metadata);
}

}  // namespace
}  // namespace nearcall::inline v0::detail::grpc
