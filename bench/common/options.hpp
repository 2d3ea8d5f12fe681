// SPDX-License-Identifier: Apache-2.0
// The command line that every program of bench/compare has: --name value, or --name=value.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace bench {

/// What a client or a server of the benchmark is told. One set for all of them.
struct Options {
  std::string address;             // unix:PATH
  std::string case_name;           // clients: what to do
  std::string mode;                // which form of the implementation: sync, callback, spin, …
  std::size_t size = 64;           // bytes of a payload
  std::size_t inflight = 1;        // calls under way at a time
  std::size_t threads = 1;         // threads of blocking calls, on one channel
  std::size_t connections = 1;     // connections to the server
  std::size_t streams = 0;         // streams that are open while calls are measured
  std::size_t methods = 0;         // servers: methods registered besides the four of Echo
  bool has_functions = false;      // servers: handlers are functions on a pool, no coroutines
  bool has_gzip = false;           // messages are sent compressed
  std::uint64_t messages = 20000;  // of one stream
  std::uint64_t calls = 0;         // stop after so many calls (or streams); 0: by time
  std::chrono::duration<double> seconds{0.5};
  std::chrono::duration<double> warmup{0.1};
  pid_t server_pid = 0;  // whose CPU time belongs to the calls

  std::string path() const {
    constexpr std::string_view scheme = "unix:";
    if (!address.starts_with(scheme)) throw std::runtime_error("--address unix:PATH is missing");
    return address.substr(scheme.size());
  }
};

inline void set_option(Options& options, std::string_view name, const std::string& value) {
  const auto number = [&] { return std::stoull(value); };
  if (name == "address") {
    options.address = value;
  } else if (name == "case") {
    options.case_name = value;
  } else if (name == "mode") {
    options.mode = value;
  } else if (name == "size") {
    options.size = number();
  } else if (name == "inflight") {
    options.inflight = number();
  } else if (name == "threads") {
    options.threads = number();
  } else if (name == "connections") {
    options.connections = number();
  } else if (name == "streams") {
    options.streams = number();
  } else if (name == "methods") {
    options.methods = number();
  } else if (name == "functions") {
    options.has_functions = number() != 0;
  } else if (name == "gzip") {
    options.has_gzip = number() != 0;
  } else if (name == "messages") {
    options.messages = number();
  } else if (name == "calls") {
    options.calls = number();
  } else if (name == "seconds") {
    options.seconds = std::chrono::duration<double>(std::stod(value));
  } else if (name == "warmup") {
    options.warmup = std::chrono::duration<double>(std::stod(value));
  } else if (name == "server-pid") {
    options.server_pid = static_cast<pid_t>(number());
  } else {
    throw std::runtime_error("unknown option --" + std::string(name));
  }
}

inline Options parse_options(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    std::string_view argument(argv[i]);
    if (!argument.starts_with("--")) throw std::runtime_error("what is " + std::string(argument));
    argument.remove_prefix(2);
    if (const std::size_t equals = argument.find('='); equals != std::string_view::npos) {
      set_option(options, argument.substr(0, equals), std::string(argument.substr(equals + 1)));
    } else if (++i < argc) {
      set_option(options, argument, argv[i]);
    }
  }
  return options;
}

/// As many descriptors as the system lets us have.
inline void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

/// What a server prints once it can be connected to, and since when it can: no later than that.
inline void say_ready() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  std::printf("READY\nLISTENS %lld\n", static_cast<long long>(now.count()));
  std::fflush(stdout);
}

}  // namespace bench
