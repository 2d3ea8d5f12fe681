// SPDX-License-Identifier: Apache-2.0
// Texts of a peer: what is shown as it came, what is escaped, and where it is cut.
#include "base/quote.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <string>
#include <string_view>

namespace nearcall::inline v0::detail {
namespace {

using namespace std::string_view_literals;

/// Each byte as it is written out.
std::string in_hex(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) {
    std::array<char, 5> hex{};
    std::snprintf(hex.data(), hex.size(), "\\x%02x", static_cast<unsigned char>(byte));
    text += hex.data();
  }
  return text;
}

TEST(Escaped, PrintableUtf8StaysAsItIs) {
  for (const std::string_view text :
       {""sv, "plain ~ text, \"quoted\" \\ %41"sv, "Ünïcödé — “quotes”"sv, "\xc2\xa0"sv,
        "\xdf\xbf"sv, "\xe0\xa0\x80"sv, "\xed\x9f\xbf"sv, "\xee\x80\x80"sv, "\xef\xbf\xbf"sv,
        "\xf0\x90\x80\x80"sv, "\xf4\x8f\xbf\xbf"sv}) {
    EXPECT_EQ(escaped(text), text);
  }
}

TEST(Escaped, ControlCharactersAndWhatIsNoUtf8AreWrittenOut) {
  struct Row {
    std::string_view text;
    std::string_view shown;
  };
  const Row rows[] = {
      {"\x1b[31mred"sv, R"(\x1b[31mred)"},
      {"a\0b"sv, R"(a\x00b)"},
      {"a\r\n\t\x7f"sv, R"(a\x0d\x0a\x09\x7f)"},
      {"\xc2\x80\xc2\x9b\x31m"sv, R"(\xc2\x80\xc2\x9b1m)"},  // U+009B: CSI in one character
      {"\xff\xfe"sv, R"(\xff\xfe)"},
      {"\x80"sv, R"(\x80)"},                          // in the middle of a character
      {"\xc3"sv, R"(\xc3)"},                          // cut off
      {"\xe2\x82-"sv, R"(\xe2\x82-)"},                // cut off
      {"\xc0\xaf\xc1\xbf"sv, R"(\xc0\xaf\xc1\xbf)"},  // longer than need be
      {"\xe0\x9f\xbf"sv, R"(\xe0\x9f\xbf)"},          // longer than need be
      {"\xf0\x8f\xbf\xbf"sv, R"(\xf0\x8f\xbf\xbf)"},  // longer than need be
      {"\xed\xa0\x80"sv, R"(\xed\xa0\x80)"},          // a surrogate
      {"\xf4\x90\x80\x80"sv, R"(\xf4\x90\x80\x80)"},  // beyond Unicode
      {"\xc3\x28\xc3\xbc"sv, "\\xc3(\xc3\xbc"},       // goes on with the next character
  };
  for (const Row& row : rows) {
    EXPECT_EQ(escaped(row.text), row.shown);
  }
}

TEST(Escaped, WhatIsNotSeenOrTurnsTheOrderOfOthersIsWrittenOut) {
  struct Row {
    std::string_view first, last;  // of a range
    std::string_view before, after;
  };
  const Row rows[] = {
      {"\xc2\xad"sv, "\xc2\xad"sv, "\xc2\xac"sv, "\xc2\xae"sv},
      {"\xcd\x8f"sv, "\xcd\x8f"sv, "\xcd\x8e"sv, "\xcd\x90"sv},
      {"\xd8\x9c"sv, "\xd8\x9c"sv, "\xd8\x9b"sv, "\xd8\x9d"sv},
      {"\xe1\x85\x9f"sv, "\xe1\x85\xa0"sv, "\xe1\x85\x9e"sv, "\xe1\x85\xa1"sv},
      {"\xe1\x9e\xb4"sv, "\xe1\x9e\xb5"sv, "\xe1\x9e\xb3"sv, "\xe1\x9e\xb6"sv},
      {"\xe1\xa0\x8e"sv, "\xe1\xa0\x8e"sv, "\xe1\xa0\x8d"sv, "\xe1\xa0\x8f"sv},
      {"\xe2\x80\x8b"sv, "\xe2\x80\x8f"sv, "\xe2\x80\x8a"sv, "\xe2\x80\x90"sv},
      {"\xe2\x80\xa8"sv, "\xe2\x80\xae"sv, "\xe2\x80\xa7"sv, "\xe2\x80\xaf"sv},
      {"\xe2\x81\xa0"sv, "\xe2\x81\xaf"sv, "\xe2\x81\x9f"sv, "\xe2\x81\xb0"sv},
      {"\xe2\xa0\x80"sv, "\xe2\xa0\x80"sv, "\xe2\x9f\xbf"sv, "\xe2\xa0\x81"sv},
      {"\xe3\x85\xa4"sv, "\xe3\x85\xa4"sv, "\xe3\x85\xa3"sv, "\xe3\x85\xa5"sv},
      {"\xef\xbb\xbf"sv, "\xef\xbb\xbf"sv, "\xef\xbb\xbe"sv, "\xef\xbc\x80"sv},
      {"\xef\xbe\xa0"sv, "\xef\xbe\xa0"sv, "\xef\xbe\x9f"sv, "\xef\xbe\xa1"sv},
      {"\xef\xbf\xb9"sv, "\xef\xbf\xbb"sv, "\xef\xbf\xb8"sv, "\xef\xbf\xbc"sv},
      {"\xf3\xa0\x80\x80"sv, "\xf3\xa0\xbf\xbf"sv, "\xf3\x9f\xbf\xbf"sv, "\xf3\xa1\x80\x80"sv},
  };
  for (const Row& row : rows) {
    for (const std::string_view unseen : {row.first, row.last}) {
      EXPECT_EQ(escaped(unseen), in_hex(unseen));
    }
    for (const std::string_view seen : {row.before, row.after}) {
      EXPECT_EQ(escaped(seen), seen) << in_hex(seen);
    }
  }
  EXPECT_EQ(escaped("admin\xe2\x80\xaetxt.exe"), R"(admin\xe2\x80\xaetxt.exe)");
}

TEST(Escaped, IsCutBetweenCharactersAndSaysSo) {
  EXPECT_EQ(escaped("abc", 3), "abc");
  EXPECT_EQ(escaped("abcd", 3), "abc...");
  EXPECT_EQ(escaped("ab\xc3\xbc", 4), "ab\xc3\xbc");
  EXPECT_EQ(escaped("ab\xc3\xbc", 3), "ab...");
  EXPECT_EQ(escaped("\x1b\x1b", 8), R"(\x1b\x1b)");
  EXPECT_EQ(escaped("\x1b\x1b", 7), R"(\x1b...)");
  EXPECT_EQ(escaped("a", 0), "...");
}

TEST(Quote, SaysWhatItIsAndEscapesAndCutsWhatItHas) {
  EXPECT_EQ(quote("unknown service", "a\x1b[0m"), R"(unknown service "a\x1b[0m")");
  EXPECT_EQ(quote("path", "\xe2\x80\xae"), R"(path "\xe2\x80\xae")");
  EXPECT_EQ(quote("path", std::string(128, 'x')), "path \"" + std::string(128, 'x') + "\"");
  EXPECT_EQ(quote("path", std::string(129, 'x')), "path \"" + std::string(128, 'x') + "...\"");
}

TEST(Quote, EndsOnlyWhereTheValueEnds) {
  EXPECT_EQ(quote("key", R"(a": no fault of "b)"), R"(key "a\": no fault of \"b")");
  EXPECT_EQ(quote("key", R"(\x1b)"), R"(key "\\x1b")") << "no escape that we wrote";
  EXPECT_EQ(quote("key", std::string(127, 'x') + '"'), "key \"" + std::string(127, 'x') + "...\"");
}

}  // namespace
}  // namespace nearcall::inline v0::detail
