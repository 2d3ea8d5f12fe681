// SPDX-License-Identifier: Apache-2.0
// CallOptions::trace(): what it says instead of what was said before.
#include <nearcall/call_options.hpp>
#include <nearcall/trace_context.hpp>

#include <gtest/gtest.h>

#include <string_view>
#include <vector>

namespace nearcall::test {
namespace {

TEST(CallTrace, ReplacesTheTraceAndNothingElse) {
  const auto old =
      *TraceContext::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "a=1");
  const TraceContext mine = TraceContext::start();

  const auto options =
      CallOptions().metadata("user", "7").trace(old).metadata("key", "x").trace(mine);

  EXPECT_EQ(options.metadata().get_all("traceparent"),
            std::vector<std::string_view>{mine.traceparent()});
  EXPECT_EQ(options.metadata().get("tracestate"), std::nullopt);
  EXPECT_EQ(options.metadata().get("user"), "7");
  EXPECT_EQ(options.metadata().get("key"), "x");
  EXPECT_TRUE(options.misuse().ok());
}

TEST(CallTrace, HasATracestateWhereThereIsOne) {
  const auto context =
      *TraceContext::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "a=1");

  EXPECT_EQ(CallOptions().trace(context).metadata().get("tracestate"), "a=1");
}

}  // namespace
}  // namespace nearcall::test
