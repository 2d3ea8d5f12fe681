// SPDX-License-Identifier: Apache-2.0
// One whole call through two in-memory ends: channel, generated code and server, but no kernel.
#include "base/check.hpp"
#include "micro/whole_call.hpp"
#include "nearcall/echo_service.hpp"

#include <benchmark/benchmark.h>

namespace nearcall::bench {
namespace {

Task<void> call_while_running(const ::bench::Echo::Client& echo, benchmark::State& state) {
  const ::bench::Message request = message_of(static_cast<std::size_t>(state.range(0)));
  for ([[maybe_unused]] auto round : state) {
    auto call = echo.UnaryAsync(request);
    const Result<::bench::Message> reply = co_await call;
    CHECK(reply.ok());
  }
}

/// Both ends on one loop and one thread.
void whole_call(benchmark::State& state) {
  EventLoop loop;
  ::bench::EchoService service;
  const WholeCall ends(service, loop);
  run_to_end(loop, call_often(ends.echo(), 0, 3));
  run_to_end(loop, call_while_running(ends.echo(), state));
}
BENCHMARK(whole_call)->Arg(64)->Arg(1024)->Arg(64 * 1024)->Arg(1024 * 1024);

}  // namespace
}  // namespace nearcall::bench
