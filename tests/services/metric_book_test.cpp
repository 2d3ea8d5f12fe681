// SPDX-License-Identifier: Apache-2.0
// MetricBook: how many series it keeps, and where the rest counts.
#include "services/metric_book.hpp"

#include <gmock/gmock.h>

#include <string>

namespace nearcall::test {
namespace {

using detail::MetricBook;
using detail::MetricSeries;
using testing::HasSubstr;
using testing::Not;

MetricBook::Labels of(std::string_view method, std::string_view target = {}) {
  return {MetricBook::Side::server, method, target, std::nullopt};
}

void count(MetricBook& book, const MetricBook::Labels& labels) {
  book.change(labels, [](MetricSeries& series) { ++series.started; });
}

TEST(MetricBook, CountsByMethodTargetAndStatus) {
  MetricBook book(100);
  count(book, of("a.B/C"));
  count(book, of("a.B/C"));
  MetricBook::Labels failed = of("a.B/C");
  failed.status = StatusCode::not_found;
  book.change(failed, [](MetricSeries& series) { series.sent.add(detail::size_bounds, 1025); });

  const std::string text = book.text();
  EXPECT_THAT(text, HasSubstr("\ngrpc_server_call_started_total{grpc_method=\"a.B/C\"} 2\n"));
  const std::string sizes = "grpc_server_call_sent_total_compressed_message_size_bytes";
  const std::string labels = "{grpc_method=\"a.B/C\",grpc_status=\"NOT_FOUND\"";
  EXPECT_THAT(text, HasSubstr(sizes + "_bucket" + labels + ",le=\"1024\"} 0\n"));
  EXPECT_THAT(text, HasSubstr(sizes + "_bucket" + labels + ",le=\"2048\"} 1\n"));
  EXPECT_THAT(text, HasSubstr(sizes + "_sum" + labels + "} 1025\n"));
  EXPECT_THAT(text, Not(HasSubstr("grpc_client_attempt_started_total{")));
}

TEST(MetricBook, AValueOnABoundCountsBelowIt) {
  detail::Histogram<2> histogram;
  constexpr std::array<double, 2> bounds = {0, 10};
  histogram.add(bounds, 0);
  histogram.add(bounds, 10);
  histogram.add(bounds, 10.5);

  EXPECT_EQ(histogram.buckets, (std::array<std::uint64_t, 3>{1, 1, 1}));
}

TEST(MetricBook, BeyondItsLimitAllElseIsOtherHoweverManyMethodsThereAre) {
  MetricBook book(3);
  count(book, of("a/1"));
  count(book, of("a/2"));
  count(book, of("a/3"));
  for (int i = 0; i < 10'000; ++i)
    count(book, of("a/more" + std::to_string(i)));
  count(book, of("a/2"));

  EXPECT_EQ(book.size(), 4U);
  const std::string text = book.text();
  EXPECT_THAT(text, HasSubstr("{grpc_method=\"other\"} 10000\n"));
  EXPECT_THAT(text, HasSubstr("{grpc_method=\"a/2\"} 2\n")) << "who is known stays";
  EXPECT_THAT(text, Not(HasSubstr("more")));
}

TEST(MetricBook, TargetsAreLimitedWithMethods) {
  MetricBook book(1);
  for (int i = 0; i < 100; ++i)
    count(book, of("a/1", "unix:/run/" + std::to_string(i)));

  EXPECT_EQ(book.size(), 2U);
  EXPECT_THAT(book.text(), HasSubstr("{grpc_method=\"other\",grpc_target=\"other\"} 99\n"));
}

TEST(MetricBook, ALongNameIsOther) {
  MetricBook book(10);
  count(book, of(std::string(257, 'm')));
  count(book, of(std::string(256, 'n'), std::string(1'000'000, 't')));

  const std::string text = book.text();
  EXPECT_THAT(text, HasSubstr("{grpc_method=\"other\"} 1\n"));
  EXPECT_THAT(text, HasSubstr(std::string(256, 'n') + "\",grpc_target=\"other\"} 1\n"));
  EXPECT_LT(text.size(), 10'000U);
}

}  // namespace
}  // namespace nearcall::test
