// SPDX-License-Identifier: Apache-2.0
// Tests of the text tools: templates, blocks, wrapped signatures.
#include "codegen/text_template.hpp"

#include <gtest/gtest.h>

#include <string>

namespace nearcall::codegen {
namespace {

TEST(Fill, DropsTheFirstNewlineAndReplacesEachName) {
  EXPECT_EQ(fill("\nclass $name$ : $base$ {};\n", {{"name", "A"}, {"base", "B"}}),
            "class A : B {};\n");
}

TEST(Fill, IndentsEveryLineOfAValueAloneOnItsLine) {
  EXPECT_EQ(fill("{\n  $lines$\n}\n", {{"lines", "a\n\n  b\n"}}), "{\n  a\n\n    b\n}\n");
}

TEST(Fill, LeavesOutALineWhoseOnlyValueIsEmpty) {
  EXPECT_EQ(fill("a\n  $nothing$\nb\n", {{"nothing", ""}}), "a\nb\n");
}

TEST(Fill, KeepsALineThatHasMoreThanAnEmptyValue) {
  EXPECT_EQ(fill("a$nothing$\n", {{"nothing", ""}}), "a\n");
}

TEST(Fill, DoesNotReadValuesAgain) {
  EXPECT_EQ(fill("$a$ $b$\n$a$\n", {{"a", "$b$"}, {"b", "$a$"}}), "$b$ $a$\n$b$\n");
}

TEST(Fill, KeepsASingleDollar) {
  EXPECT_EQ(fill("cost: 1 $\n", {}), "cost: 1 $\n");
}

TEST(FillDeathTest, NameWithoutAValueAborts) {
  EXPECT_DEATH(fill("$missing$\n", {}), "without a value for \"missing\"");
}

TEST(Join, SkipsEmptyBlocksAndEndsEachLine) {
  EXPECT_EQ(join({"a", "", "b\n"}, "\n"), "a\n\nb\n");
  EXPECT_EQ(join({"", ""}, "\n"), "");
}

TEST(Wrap, KeepsWhatFitsOnOneLine) {
  EXPECT_EQ(wrap({"int", "f", {"int a", "int b"}, ";"}, 0), "int f(int a, int b);");
}

TEST(Wrap, HundredColumnsFitAndOneMoreDoesNot) {
  const std::string argument(100 - std::string("int f();").size(), 'a');

  EXPECT_EQ(wrap({"int", "f", {argument}, ";"}, 0), "int f(" + argument + ");");
  EXPECT_EQ(wrap({"int", "f", {argument}, ";"}, 1), "int f(\n    " + argument + ");");
}

TEST(Wrap, GivesEachArgumentALineIfTheyDoNotFitTogether) {
  const std::string a(60, 'a');
  const std::string b(60, 'b');

  EXPECT_EQ(wrap({"int", "f", {a, b}, ";"}, 0), "int f(\n    " + a + ",\n    " + b + ");");
}

TEST(Wrap, PutsALongTypeOnItsOwnLine) {
  const std::string type(60, 't');
  const std::string name(60, 'n');

  EXPECT_EQ(wrap({type, name, {"int a"}, ";"}, 0), type + "\n" + name + "(int a);");
}

TEST(Wrap, BreaksTheTemplateArgumentsOfATypeThatIsTooLong) {
  const std::string a(60, 'a');
  const std::string b(60, 'b');

  EXPECT_EQ(wrap({"Call<" + a + ", " + b + ">", "f", {}, ";"}, 0),
            "Call<\n    " + a + ",\n    " + b + ">\nf();");
}

TEST(Wrap, NeedsNoType) {
  EXPECT_EQ(wrap({"", "f", {}, ";"}, 0), "f();");
}

}  // namespace
}  // namespace nearcall::codegen
