// SPDX-License-Identifier: Apache-2.0
// ChannelzBook: what was added, its ids, its pages.
#include "services/channelz_book.hpp"

#include <nearcall/server.hpp>

#include <gtest/gtest.h>

#include <limits>
#include <list>
#include <memory>
#include <string>
#include <vector>

namespace nearcall::test {
namespace {

using detail::ChannelzBook;
using detail::ChannelzId;

std::vector<std::string> names_of(const ChannelzBook::Page<detail::ShownServer>& page) {
  std::vector<std::string> names;
  for (const auto& shown : page.shown)
    names.push_back(shown->name);
  return names;
}

class ChannelzBookTest : public testing::Test {
 protected:
  void add(const std::string& name) { book_.add(ServerView(servers_.emplace_back()), name); }

  std::list<Server> servers_;
  ChannelzBook book_;
};

constexpr auto span = ChannelzId::span;
using Names = std::vector<std::string>;

TEST(ChannelzId, HasAnOwnerAndANumber) {
  const auto parsed = ChannelzId::parse(3 * span + 17);

  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->owner, 3 * span);
  EXPECT_EQ(parsed->number, 17U);
}

TEST(ChannelzId, NegativeOnesAreNobodys) {
  EXPECT_FALSE(ChannelzId::parse(-1));
  EXPECT_FALSE(ChannelzId::parse(std::numeric_limits<std::int64_t>::min()));
  EXPECT_TRUE(ChannelzId::parse(std::numeric_limits<std::int64_t>::max()));
}

TEST_F(ChannelzBookTest, WhatWasAddedIsThereByItsId) {
  add("a");
  add("b");

  ASSERT_NE(book_.server(2 * span), nullptr);
  EXPECT_EQ(book_.server(2 * span)->name, "b");
  EXPECT_EQ(book_.server(0), nullptr);
  EXPECT_EQ(book_.server(-1), nullptr);
  EXPECT_EQ(book_.server(2 * span + 1), nullptr);
  EXPECT_EQ(book_.server(std::numeric_limits<std::int64_t>::max()), nullptr);
}

TEST_F(ChannelzBookTest, APageBeginsAtAnIdAndSaysWhetherThereIsMore) {
  for (const char* name : {"a", "b", "c"})
    add(name);

  EXPECT_EQ(names_of(book_.servers(0, 2)), Names({"a", "b"}));
  EXPECT_TRUE(book_.servers(0, 2).has_more);
  EXPECT_EQ(names_of(book_.servers(2 * span + 1, 2)), Names({"c"}));
  EXPECT_FALSE(book_.servers(2 * span, 2).has_more);
  EXPECT_EQ(names_of(book_.servers(~std::uint64_t{0}, 2)), Names());
}

TEST_F(ChannelzBookTest, WhatIsGoneIsNotThereAndItsIdIsNobodysAgain) {
  add("a");
  servers_.clear();
  EXPECT_EQ(names_of(book_.servers(0, 2)), Names());

  add("b");

  EXPECT_EQ(book_.server(span), nullptr);
  EXPECT_NE(book_.server(2 * span), nullptr);
}

TEST_F(ChannelzBookTest, SixteenMayAskAtATime) {
  std::list<ChannelzBook::Visit> visits;
  for (int i = 0; i < 16; ++i)
    EXPECT_FALSE(visits.emplace_back(book_).is_beyond_limit());
  EXPECT_TRUE(visits.emplace_back(book_).is_beyond_limit());

  visits.clear();

  EXPECT_FALSE(visits.emplace_back(book_).is_beyond_limit());
}

}  // namespace
}  // namespace nearcall::test
