// SPDX-License-Identifier: Apache-2.0
// TraceContext: reads what W3C Trace Context allows, and nothing else.
#include <nearcall/trace_context.hpp>

#include <gtest/gtest.h>

#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace nearcall::test {
namespace {

constexpr std::string_view good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
constexpr std::string_view ids = "-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-";

std::string state_of(std::string_view tracestate) {
  const std::optional<TraceContext> context = TraceContext::parse(good, tracestate);
  return context ? context->tracestate() : "no context";
}

Metadata metadata_of(std::initializer_list<std::pair<std::string_view, std::string_view>> entries) {
  Metadata metadata;
  for (const auto& [key, value] : entries)
    EXPECT_TRUE(metadata.add(key, value));
  return metadata;
}

TEST(TraceContext, ReadsAndWritesATraceparent) {
  const std::optional<TraceContext> context = TraceContext::parse(good);

  ASSERT_TRUE(context);
  EXPECT_EQ(context->trace_id(), "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(context->span_id(), "b7ad6b7169203331");
  EXPECT_TRUE(context->is_sampled());
  EXPECT_EQ(context->traceparent(), good);
}

TEST(TraceContext, WritesOnlyTheFlagThatItKnows) {
  EXPECT_EQ(TraceContext::parse("00" + std::string(ids) + "fe")->traceparent(),
            "00" + std::string(ids) + "00");
  EXPECT_TRUE(TraceContext::parse("00" + std::string(ids) + "ff")->is_sampled());
}

TEST(TraceContext, ReadsLaterVersionsAsFarAsItKnowsThem) {
  const std::string later = "cc" + std::string(ids) + "01";
  EXPECT_EQ(TraceContext::parse(later)->traceparent(), good);
  EXPECT_EQ(TraceContext::parse(later + "-what-the-future-has")->traceparent(), good);
  EXPECT_FALSE(TraceContext::parse(later + ".what"));
  EXPECT_FALSE(TraceContext::parse("ff" + std::string(ids) + "01"));
}

TEST(TraceContext, EveryOtherOneByteIsNoticed) {
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string bad(good);
    bad[i] = bad[i] == '-' ? '0' : 'A';
    EXPECT_FALSE(TraceContext::parse(bad)) << bad;
    EXPECT_FALSE(TraceContext::parse(good.substr(0, i))) << "cut at " << i;
  }
  EXPECT_FALSE(TraceContext::parse(std::string(good) + "-00")) << "version 00 has no more";
  EXPECT_FALSE(TraceContext::parse(" " + std::string(good)));
}

TEST(TraceContext, AnIdOfZerosIsNone) {
  EXPECT_FALSE(TraceContext::parse("00-00000000000000000000000000000000-b7ad6b7169203331-01"));
  EXPECT_FALSE(TraceContext::parse("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"));
  EXPECT_TRUE(TraceContext::parse("00-00000000000000000000000000000001-b7ad6b7169203331-01"));
}

TEST(TraceContext, HandsOnATracestateThatIsRight) {
  EXPECT_EQ(state_of("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"),
            "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE");
  EXPECT_EQ(state_of(" a=1 ,\t, b/*-_=! x ,"), "a=1,b/*-_=! x");
  EXPECT_EQ(state_of("0tenant@sys=1"), "0tenant@sys=1");
  EXPECT_EQ(state_of(std::string(256, 'k') + "=v"), std::string(256, 'k') + "=v");
}

TEST(TraceContext, ATracestateThatIsNotRightIsLeftOut) {
  for (const char* const bad : {"a", "=1", "a=", "A=1", "1a=1", "a=1,a=2", "a b=1", "a=1=2",
                                "a=\x01", "a=\x7f", "a@=1", "@a=1", "a@1=1", "a@b@c=1", "a=1,b"}) {
    EXPECT_EQ(state_of(bad), "") << bad;
  }
  EXPECT_EQ(state_of(std::string(257, 'k') + "=v"), "");
  EXPECT_EQ(state_of(std::string(242, 't') + "@s=v"), "");
  EXPECT_EQ(state_of("t@" + std::string(15, 's') + "=v"), "");
  EXPECT_EQ(state_of("k=" + std::string(257, 'v')), "");
}

TEST(TraceContext, ATracestateIsNoLongerThan512BytesAnd32Members) {
  std::string members;
  for (int i = 0; i < 32; ++i)
    members += (i == 0 ? "k" : ",k") + std::to_string(i) + "=v";
  EXPECT_EQ(state_of(members), members);
  EXPECT_EQ(state_of(members + ",one=more"), "");

  const std::string half = "a=" + std::string(253, 'v') + ",b=";
  EXPECT_EQ(state_of(half + std::string(254, 'v')).size(), 512U);
  EXPECT_EQ(state_of(half + std::string(255, 'v')), "");
}

TEST(TraceContext, IsReadFromMetadataThatNamesItOnce) {
  EXPECT_FALSE(TraceContext::from(Metadata()));
  EXPECT_FALSE(TraceContext::from(metadata_of({{"traceparent", good}, {"traceparent", good}})));
  EXPECT_FALSE(TraceContext::from(metadata_of({{"tracestate", "a=1"}})));
  const auto context = TraceContext::from(
      metadata_of({{"tracestate", "a=1"}, {"traceparent", good}, {"tracestate", "b=2"}}));
  ASSERT_TRUE(context);
  EXPECT_EQ(context->tracestate(), "a=1,b=2");
}

TEST(TraceContext, AChildIsAnotherSpanOfTheSameTrace) {
  const TraceContext parent = *TraceContext::parse(good, "a=1");
  std::set<std::string> spans = {parent.span_id()};
  for (int i = 0; i < 100; ++i) {
    const TraceContext child = parent.child();
    EXPECT_EQ(child.trace_id(), parent.trace_id());
    EXPECT_EQ(child.tracestate(), "a=1");
    EXPECT_TRUE(child.is_sampled());
    EXPECT_TRUE(TraceContext::parse(child.traceparent()));
    spans.insert(child.span_id());
  }
  EXPECT_EQ(spans.size(), 101U);
}

TEST(TraceContext, ANewTraceIsLikeNoOther) {
  const TraceContext one = TraceContext::start();
  const TraceContext two = TraceContext::start(/*is_sampled=*/false);
  EXPECT_NE(one.trace_id(), two.trace_id());
  EXPECT_TRUE(one.is_sampled());
  EXPECT_FALSE(two.is_sampled());
  EXPECT_EQ(TraceContext::parse(two.traceparent()), two);
}

}  // namespace
}  // namespace nearcall::test
