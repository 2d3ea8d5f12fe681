// SPDX-License-Identifier: Apache-2.0
// PrometheusText: lines as the format has them, whatever labels say.
#include "services/prometheus_text.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace nearcall::test {
namespace {

using detail::PrometheusText;

/// What a counter's line says of a label with this value.
std::string label_of(std::string_view value) {
  PrometheusText text;
  text.add_counter({{"l", value}}, 1);
  const std::string& line = text.text();
  const std::string begin = "{l=\"";
  const std::string end = "\"} 1\n";
  EXPECT_EQ(line.substr(0, begin.size()), begin);
  EXPECT_EQ(line.substr(line.size() - end.size()), end);
  return line.substr(begin.size(), line.size() - begin.size() - end.size());
}

TEST(PrometheusText, ACounterIsALineBehindItsMetric) {
  PrometheusText text;
  text.begin("calls_total", PrometheusText::Kind::counter, "Calls.");
  text.add_counter({{"a", "x"}, {"b", ""}, {"c", "y"}}, 18446744073709551615U);
  text.add_counter({}, 0);

  EXPECT_EQ(text.text(),
            "# HELP calls_total Calls.\n"
            "# TYPE calls_total counter\n"
            "calls_total{a=\"x\",c=\"y\"} 18446744073709551615\n"
            "calls_total 0\n");
}

TEST(PrometheusText, AHistogramAddsUpItsBuckets) {
  PrometheusText text;
  text.begin("size_bytes", PrometheusText::Kind::histogram, "Sizes.");
  constexpr std::array<double, 3> bounds = {0, 0.5, 4294967296};
  constexpr std::array<std::uint64_t, 4> buckets = {1, 0, 2, 4};
  text.add_histogram({{"m", "x"}}, bounds, buckets, 2.25);

  EXPECT_EQ(text.text(),
            "# HELP size_bytes Sizes.\n"
            "# TYPE size_bytes histogram\n"
            "size_bytes_bucket{m=\"x\",le=\"0\"} 1\n"
            "size_bytes_bucket{m=\"x\",le=\"0.5\"} 1\n"
            "size_bytes_bucket{m=\"x\",le=\"4294967296\"} 3\n"
            "size_bytes_bucket{m=\"x\",le=\"+Inf\"} 7\n"
            "size_bytes_sum{m=\"x\"} 2.25\n"
            "size_bytes_count{m=\"x\"} 7\n");
}

TEST(PrometheusText, WhatWouldEndALabelIsEscaped) {
  EXPECT_EQ(label_of("a\"b\\c\nd"), "a\\\"b\\\\c\\nd");
  EXPECT_EQ(label_of("} 7\nother 1"), "} 7\\nother 1");
}

TEST(PrometheusText, WhatIsNoUtf8BecomesTheCharacterForThat) {
  const std::string none = "\xEF\xBF\xBD";
  EXPECT_EQ(label_of("\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80"),
            "\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80");
  EXPECT_EQ(label_of("a\x80z"), "a" + none + "z");
  EXPECT_EQ(label_of("\xC0\xAF"), none + none) << "overlong";
  EXPECT_EQ(label_of("\xE0\x80\x80"), none + none + none) << "overlong";
  EXPECT_EQ(label_of("\xED\xA0\x80"), none + none + none) << "a surrogate";
  EXPECT_EQ(label_of("\xF4\x90\x80\x80"), none + none + none + none) << "beyond Unicode";
  EXPECT_EQ(label_of("\xE2\x82"), none + none) << "cut off";
}

}  // namespace
}  // namespace nearcall::test
