// SPDX-License-Identifier: Apache-2.0
// What the payloads of bench/compare are made of.
#pragma once

#include "common/options.hpp"

#include <cstdint>
#include <string>

namespace bench {

/// `size` bytes of lines like a log's, of which gzip leaves about a fourth. The same in each run.
inline std::string log_lines(std::size_t size) {
  std::string text;
  std::uint64_t random = 88172645463325252U;  // Marsaglia's xorshift
  for (unsigned line = 0; text.size() < size; ++line) {
    random ^= random << 13U;
    random ^= random >> 7U;
    random ^= random << 17U;
    text += "request " + std::to_string(line) + " of client " + std::to_string(random % 97) +
            " took " + std::to_string(random % 100'000) + " us, status OK, trace " +
            std::to_string(random) + "\n";
  }
  text.resize(size);
  return text;
}

/// What a unary call carries: worth compressing where it is compressed.
inline std::string payload_of(const Options& options) {
  return options.has_gzip ? log_lines(options.size) : std::string(options.size, 'x');
}

}  // namespace bench
