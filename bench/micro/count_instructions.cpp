// SPDX-License-Identifier: Apache-2.0
// What instructions.py runs under callgrind: count_instructions WHAT COUNT.
#include "micro/session_exchange.hpp"
#include "micro/whole_call.hpp"
#include "nearcall/echo_service.hpp"

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>

namespace {

constexpr std::size_t size = 64;

/// `count` calls beside `streams` open streams, both ends on one loop.
void call(const std::string& address,
          std::size_t streams,
          std::uint64_t count,
          nearcall::bench::WholeCall::Interceptors interceptors =
              nearcall::bench::WholeCall::Interceptors::none) {
  using namespace nearcall;
  EventLoop loop(SpinPolicy::off());
  ::bench::EchoService service;
  const nearcall::bench::WholeCall ends(service, loop, address, interceptors);
  nearcall::bench::run_to_end(
      loop, nearcall::bench::call_beside_streams(ends.echo(), streams, size, count));
}

void call_over_a_socket(std::uint64_t count) {
  std::string folder = std::filesystem::temp_directory_path() / "nearcall-bench-XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) throw std::runtime_error("no temporary folder");
  call("unix:" + folder + "/s", 0, count);
  std::filesystem::remove_all(folder);
}

}  // namespace

int main(int argc, char** argv) {
  using namespace nearcall;
  using nearcall::bench::WholeCall;
  if (argc != 3) return 2;
  const std::string_view what(argv[1]);
  const std::uint64_t count = std::stoull(argv[2]);
  if (what == "exchange") {
    nearcall::bench::SessionExchange exchange(size);
    for (std::uint64_t i = 0; i < count; ++i) {
      exchange.run();
    }
  } else if (what == "whole_call") {
    call(WholeCall::in_memory, 0, count);
  } else if (what == "whole_call_beside_streams") {
    constexpr std::size_t most_streams = 999;  // and one call: max_concurrent_streams
    call(WholeCall::in_memory, most_streams, count);
  } else if (what == "whole_call_intercepted") {
    call(WholeCall::in_memory, 0, count, WholeCall::Interceptors::one_each);
  } else if (what == "whole_call_over_unix") {
    call_over_a_socket(count);
  } else {
    return 2;
  }
}
