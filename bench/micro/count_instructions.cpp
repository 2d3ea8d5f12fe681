// SPDX-License-Identifier: Apache-2.0
// What instructions.py runs under callgrind: count_instructions WHAT COUNT.
#include "micro/session_exchange.hpp"
#include "micro/whole_call.hpp"

#include <string>
#include <string_view>

int main(int argc, char** argv) {
  using namespace nearcall;
  if (argc != 3) return 2;
  constexpr std::size_t size = 64;
  const std::string_view what(argv[1]);
  const std::uint64_t count = std::stoull(argv[2]);
  if (what == "exchange") {
    nearcall::bench::SessionExchange exchange(size);
    for (std::uint64_t i = 0; i < count; ++i) {
      exchange.run();
    }
  } else if (what == "whole_call" || what == "whole_call_beside_streams") {
    constexpr std::size_t most_streams = 999;  // and one call: max_concurrent_streams
    EventLoop loop(SpinPolicy::off());
    nearcall::bench::EchoService service;
    const nearcall::bench::WholeCall ends(service, loop);
    const std::size_t streams = what == "whole_call" ? 0 : most_streams;
    nearcall::bench::run_to_end(
        loop, nearcall::bench::call_beside_streams(ends.echo(), streams, size, count));
  } else {
    return 2;
  }
}
