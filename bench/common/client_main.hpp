// SPDX-License-Identifier: Apache-2.0
// What the main() of every client of bench/compare does: find the case, run it, tell the result.
#pragma once

#include "common/meter.hpp"
#include "common/options.hpp"

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace bench {

/// A case prints its own result, by Meter::print(), and throws when something goes wrong.
using Cases = std::map<std::string, std::function<void(const Options&)>>;

/// The exit status of a client that does not have the case.
inline constexpr int exit_no_such_case = 77;

inline void require(bool condition, std::string_view what) {
  if (!condition) throw std::runtime_error(std::string(what));
}

inline int client_main(int argc, char** argv, const Cases& cases) {
  try {
    raise_descriptor_limit();
    const Options options = parse_options(argc, argv);
    const auto found = cases.find(options.case_name);
    if (found == cases.end()) return exit_no_such_case;
    found->second(options);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
    return 1;
  }
}

/// Runs call() over and over: on this thread, or on options.threads of them.
template <class Call>
void measure_blocking(const Options& options, Call call) {
  const Clock::time_point start = Clock::now();
  const auto work = [&](Meter& meter) {
    Clock::time_point started = Clock::now();
    Clock::time_point now = started;
    do {
      started = now;
      call();
      now = Clock::now();
    } while (meter.call_done(started, now));
  };
  std::vector<Meter> meters;
  for (std::size_t i = 0; i < options.threads; ++i) {
    meters.emplace_back(options, start);
  }
  {
    std::vector<std::jthread> others;
    for (std::size_t i = 1; i < options.threads; ++i) {
      others.emplace_back([&, i] { work(meters[i]); });
    }
    work(meters.front());
  }
  for (std::size_t i = 1; i < options.threads; ++i) {
    meters.front().merge(meters[i]);
  }
  meters.front().print();
}

/// What `return` cases do: call() is made again each time that a line comes, which is when the
/// server has gone, and says when it was answered.
template <class Call>
void call_when_told(Call call) {
  do {
    call();
    std::printf("ANSWERED %lld\n", static_cast<long long>(Clock::now().time_since_epoch().count()));
    std::fflush(stdout);
  } while (std::getchar() != EOF);
}

/// What `hold` cases do once their connections stand: says so, and waits for the end of the input.
inline void hold_until_told() {
  std::puts("HELD");
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
}

}  // namespace bench
