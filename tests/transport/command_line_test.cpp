// SPDX-License-Identifier: Apache-2.0
// The words of commands.
#include "transport/command_line.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace nearcall::inline v0::detail {
namespace {

using Words = std::vector<std::string>;

Words words(std::string_view text) {
  const auto split = split_command(text);
  return split ? *split : Words{"error: " + split.error()};
}

TEST(CommandLine, PartsWordsAtBlanks) {
  EXPECT_EQ(words("ssh host"), (Words{"ssh", "host"}));
  EXPECT_EQ(words(" \t a \n b\t"), (Words{"a", "b"}));
}

TEST(CommandLine, TakesWhatIsSingleQuotedAsItIs) {
  EXPECT_EQ(words(R"(a 'b  "\ $c' d)"), (Words{"a", R"(b  "\ $c)", "d"}));
  EXPECT_EQ(words("a'b'c ''"), (Words{"abc", ""}));
}

TEST(CommandLine, EscapesOfDoubleQuotesAreThoseOfAShell) {
  EXPECT_EQ(words(R"("a b")"), (Words{"a b"}));
  EXPECT_EQ(words(R"("\$\`\"\\")"), (Words{"$`\"\\"}));
  EXPECT_EQ(words(R"("\n\'")"), (Words{R"(\n\')"}));
  EXPECT_EQ(words("\"a\\\nb\""), (Words{"ab"}));
  EXPECT_EQ(words(R"(a "")"), (Words{"a", ""}));
}

TEST(CommandLine, BackslashTakesTheMeaningOfWhatFollows) {
  EXPECT_EQ(words(R"(a\ b \'c \\)"), (Words{"a b", "'c", "\\"}));
  EXPECT_EQ(words("a\\\nb"), (Words{"ab"}));
}

TEST(CommandLine, NothingElseOfAShellHasAMeaning) {
  EXPECT_EQ(words("a $HOME `b` ~ * ? #c ; | & > <d"),
            (Words{"a", "$HOME", "`b`", "~", "*", "?", "#c", ";", "|", "&", ">", "<d"}));
}

TEST(CommandLine, SaysWhatIsWrong) {
  EXPECT_EQ(words("a 'b"), Words{"error: a ' has no other one that ends it"});
  EXPECT_EQ(words("a \"b"), Words{"error: a \" has no other one that ends it"});
  EXPECT_EQ(words("a \"b\\\""), Words{"error: a \" has no other one that ends it"});
  EXPECT_EQ(words("a \\"), Words{"error: a backslash at the end escapes nothing"});
  EXPECT_EQ(words(""), Words{"error: the command is empty"});
  EXPECT_EQ(words(" \n"), Words{"error: the command is empty"});
  EXPECT_EQ(words("'' a"), Words{"error: the command is empty"});
  EXPECT_EQ(words(std::string_view("a\0b", 3)), Words{"error: the command contains a NUL byte"});
}

}  // namespace
}  // namespace nearcall::inline v0::detail
