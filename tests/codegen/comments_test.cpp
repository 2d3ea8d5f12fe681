// SPDX-License-Identifier: Apache-2.0
// Tests of how comments of a .proto become comments of C++.
#include "codegen/comments.hpp"

#include "codegen/proto_text.hpp"

#include <gtest/gtest.h>

namespace nearcall::codegen {
namespace {

TEST(DocComment, EachLineGetsThreeSlashes) {
  EXPECT_EQ(doc_comment(" One.\n\n Two.\n"), "/// One.\n///\n/// Two.\n");
}

TEST(DocComment, NoTextIsNoComment) {
  EXPECT_EQ(doc_comment(""), "");
  EXPECT_EQ(doc_comment(" \n\t\n"), "");
}

TEST(DocComment, TextGetsABlankBeforeIt) {
  EXPECT_EQ(doc_comment("One\n"), "/// One\n");
}

TEST(DocComment, CommentSignsStayText) {
  EXPECT_EQ(doc_comment(" */ int x; /* // \n"), "/// */ int x; /* //\n");
}

TEST(DocComment, BackslashAtTheEndOfALineDoesNotSwallowTheNextLine) {
  EXPECT_EQ(doc_comment(" a \\\n b \\ \n c ?\?/\n"), "/// a \\ .\n/// b \\ .\n/// c ?\?/ .\n");
}

TEST(DocComment, CarriageReturnsGoAway) {
  EXPECT_EQ(doc_comment(" a\r\n b\\\r\n"), "/// a\n/// b\\ .\n");
}

TEST(CommentOf, JoinsWhatStandsBeforeAndBehind) {
  ProtoText protos;
  const auto& file = protos.add("a.proto", R"(
    syntax = "proto3";
    message M {}
    // Not its comment.

    // Before.
    service S {
      // In.
      rpc F(M) returns (M);  // Behind.
      rpc G(M) returns (M);
    }
  )");

  EXPECT_EQ(comment_of(*file.service(0)), "/// Before.\n");
  EXPECT_EQ(comment_of(*file.service(0)->method(0)), "/// In.\n///\n/// Behind.\n");
  EXPECT_EQ(comment_of(*file.service(0)->method(1)), "");
}

}  // namespace
}  // namespace nearcall::codegen
