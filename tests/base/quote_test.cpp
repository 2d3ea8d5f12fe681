// SPDX-License-Identifier: Apache-2.0
// Texts of a peer: what is shown as it came, what is escaped, and where it is cut.
#include "base/quote.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace nearcall::inline v0::detail {
namespace {

using namespace std::string_view_literals;

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
  EXPECT_EQ(quote("path", std::string(128, 'x')), "path \"" + std::string(128, 'x') + "\"");
  EXPECT_EQ(quote("path", std::string(129, 'x')), "path \"" + std::string(128, 'x') + "...\"");
}

}  // namespace
}  // namespace nearcall::inline v0::detail
