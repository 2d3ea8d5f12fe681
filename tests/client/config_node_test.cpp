// SPDX-License-Identifier: Apache-2.0
// JSON values by proto3's mapping, and what is said of those that are none.
#include "client/config_node.hpp"

#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

namespace nearcall::inline v0::detail {
namespace {

using namespace std::chrono_literals;

/// A document, and what was wrong with it first.
class ConfigNodeTest : public testing::Test {
 protected:
  ConfigNode read(const std::string& json) {
    EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(json, &document_).ok());
    return {document_, error_};
  }
  const std::string& error() const { return error_; }

 private:
  google::protobuf::Struct document_;
  std::string error_;
};

TEST_F(ConfigNodeTest, ReadsWhatIsThere) {
  const ConfigNode root =
      read(R"({"yes": true, "half": 0.5, "seven": 7, "name": "x", "list": [1]})");
  EXPECT_EQ(root.member("yes").boolean(), true);
  EXPECT_EQ(root.member("half").number(), 0.5);
  EXPECT_EQ(root.member("seven").whole_number(), 7U);
  EXPECT_EQ(root.member("name").text(), "x");
  ASSERT_EQ(root.member("list").elements().size(), 1U);
  EXPECT_EQ(root.member("list").elements()[0].whole_number(), 1U);
  EXPECT_EQ(root.names().size(), 5U);
  EXPECT_EQ(error(), "");
}

TEST_F(ConfigNodeTest, TakesNumbersThatAreSpelledAsStrings) {
  const ConfigNode root = read(R"({"seven": "7", "half": "0.5"})");
  EXPECT_EQ(root.member("seven").whole_number(), 7U);
  EXPECT_EQ(root.member("half").number(), 0.5);
  EXPECT_EQ(error(), "");
}

TEST_F(ConfigNodeTest, WhatIsNullOrMissingIsNotThere) {
  const ConfigNode root = read(R"({"null": null})");
  for (const char* const name : {"null", "missing"}) {
    const ConfigNode node = root.member(name);
    EXPECT_FALSE(node.is_there());
    EXPECT_FALSE(node.boolean() || node.number() || node.text() || node.duration());
    EXPECT_TRUE(node.elements().empty());
    EXPECT_FALSE(node.member("deeper").is_there());
  }
  EXPECT_EQ(error(), "");
}

TEST_F(ConfigNodeTest, SaysWhereSomethingElseStands) {
  const ConfigNode root = read(R"({"a": [{"b": "x"}]})");
  EXPECT_EQ(root.member("a").elements().at(0).member("b").number(), std::nullopt);
  EXPECT_EQ(error(), "a[0].b: must be a number");
}

TEST_F(ConfigNodeTest, KeepsWhatWasWrongFirst) {
  const ConfigNode root = read(R"({"a": "x", "b": "x"})");
  EXPECT_EQ(root.member("a").boolean(), std::nullopt);
  EXPECT_EQ(root.member("b").boolean(), std::nullopt);
  EXPECT_EQ(error(), "a: must be true or false");
}

TEST_F(ConfigNodeTest, RefusesNumbersThatAreNotWholeOrTooLarge) {
  for (const char* const json : {R"({"a": 1.5})", R"({"a": -1})", R"({"a": 4294967296})",
                                 R"({"a": "7x"})", R"({"a": true})", R"({"a": "inf"})"}) {
    std::string error;
    google::protobuf::Struct document;
    ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(json, &document).ok());
    EXPECT_EQ(ConfigNode(document, error).member("a").whole_number(), std::nullopt) << json;
    EXPECT_NE(error, "") << json;
  }
}

TEST_F(ConfigNodeTest, RefusesWhatIsNoObjectArrayOrString) {
  const ConfigNode root = read(R"({"a": 1})");
  const auto error_of = [this](const auto& read_it) {
    std::string before = error();
    read_it();
    return before + error();
  };
  EXPECT_EQ(error_of([&] { EXPECT_TRUE(root.member("a").elements().empty()); }),
            "a: must be an array");
}

TEST(ConfigDuration, IsThatOfProto3) {
  EXPECT_EQ(parse_config_duration("1s"), 1s);
  EXPECT_EQ(parse_config_duration("1.5s"), 1500ms);
  EXPECT_EQ(parse_config_duration("0.000000001s"), 1ns);
  EXPECT_EQ(parse_config_duration("0s"), 0s);
  EXPECT_EQ(parse_config_duration(".1s"), 100ms) << "as gRFC A6 writes it";
  EXPECT_EQ(parse_config_duration("315576000000s"), Duration::max());
}

TEST(ConfigDuration, IsNothingElse) {
  for (const char* const text : {"", "s", "1", "1.s", ".s", "-1s", "+1s", "1.0000000001s", "1e3s",
                                 "1 s", "0x1s", "315576000001s", "1000000000000s", "1m", "infs"}) {
    EXPECT_EQ(parse_config_duration(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace nearcall::inline v0::detail
