// SPDX-License-Identifier: Apache-2.0
// Tests of the options that protoc passes on.
#include "codegen/options.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nearcall::codegen {
namespace {

using testing::AllOf;
using testing::HasSubstr;

Options options_of(const std::string& parameter) {
  return std::get<Options>(parse_options(parameter));
}

std::string error_of(const std::string& parameter) {
  return std::get<OptionError>(parse_options(parameter)).text;
}

TEST(Options, NothingMeansBothSides) {
  EXPECT_EQ(options_of(""), (Options{.has_client = true, .has_server = true}));
}

TEST(Options, EachValueChoosesItsSides) {
  EXPECT_EQ(options_of("services=both"), (Options{.has_client = true, .has_server = true}));
  EXPECT_EQ(options_of("services=client"), (Options{.has_client = true, .has_server = false}));
  EXPECT_EQ(options_of("services=server"), (Options{.has_client = false, .has_server = true}));
  EXPECT_EQ(options_of("services=none"), (Options{.has_client = false, .has_server = false}));
}

TEST(Options, TheLastOfSeveralValuesCounts) {
  EXPECT_EQ(options_of("services=none,services=client"), options_of("services=client"));
}

TEST(Options, UnknownValueIsAnErrorThatNamesTheAllowedOnes) {
  EXPECT_THAT(error_of("services=all"),
              AllOf(HasSubstr("services=all"), HasSubstr("server, client, both, none")));
  EXPECT_THAT(error_of("services="), HasSubstr("server, client, both, none"));
  EXPECT_THAT(error_of("services"), HasSubstr("server, client, both, none"));
}

TEST(Options, MessagesAreOnArenasWhereItIsAskedFor) {
  EXPECT_FALSE(options_of("services=both").has_arenas);
  EXPECT_TRUE(options_of("services=server,arenas=true").has_arenas);
  EXPECT_FALSE(options_of("arenas=true,arenas=false").has_arenas);
  EXPECT_TRUE(options_of("arenas=true").has_client);
  EXPECT_THAT(error_of("arenas=yes"), AllOf(HasSubstr("arenas=yes"), HasSubstr("true, false")));
}

TEST(Options, UnknownKeyIsAnErrorThatNamesTheAllowedOne) {
  EXPECT_THAT(error_of("lite=true"),
              AllOf(HasSubstr("\"lite\""), HasSubstr("services=server|client|both|none")));
}

}  // namespace
}  // namespace nearcall::codegen
