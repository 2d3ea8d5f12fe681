// SPDX-License-Identifier: Apache-2.0
// One unary exchange through two sessions in memory, ours and nghttp2's: HTTP/2 alone, both sides.
#include "micro/nghttp2_exchange.hpp"
#include "micro/session_exchange.hpp"

#include <benchmark/benchmark.h>

namespace nearcall::bench {

namespace http2 = detail::http2;
namespace {

template <class Exchange>
void exchange(benchmark::State& state) {
  Exchange exchange(static_cast<std::size_t>(state.range(0)));
  for ([[maybe_unused]] auto round : state) {
    exchange.run();
  }
}
BENCHMARK(exchange<SessionExchange>)->Arg(64)->Arg(1024)->Arg(64 * 1024)->Arg(1024 * 1024);
BENCHMARK(exchange<NgHttp2Exchange>)->Arg(64)->Arg(1024)->Arg(64 * 1024)->Arg(1024 * 1024);

void idle_session(benchmark::State& state) {
  for ([[maybe_unused]] auto round : state) {
    benchmark::DoNotOptimize(
        http2::Session(http2::Role::server, {}, detail::TimePoint()).stream_count());
  }
  state.counters["sizeof"] = sizeof(http2::Session);
  state.counters["sizeof_stream"] = sizeof(http2::Stream);
}
BENCHMARK(idle_session);

}  // namespace
}  // namespace nearcall::bench
