// SPDX-License-Identifier: Apache-2.0
// Fuzzes FrameReader: the frames must be the same whole and cut anywhere.
#include "http2/frame_reader.hpp"

#include "base/check.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

using namespace nearcall;
using namespace nearcall::detail;
using namespace nearcall::detail::http2;

namespace {

struct Seen {
  FrameHeader header;
  std::string payload;
  friend bool operator==(const Seen&, const Seen&) = default;
};

std::vector<Seen> read(ByteSpan input, std::mt19937* random) {
  static const ConnectionLimits limits = [] {
    ConnectionLimits small;
    small.max_unknown_payload = 20;
    small.max_goaway_debug = 10;
    return small;
  }();
  FrameReader reader(limits, 16'384);
  std::vector<Seen> seen;
  while (!input.empty()) {
    const std::size_t size = random == nullptr
                                 ? input.size()
                                 : std::min<std::size_t>((*random)() % 20 + 1, input.size());
    const std::vector<std::byte> piece(input.begin(),
                                       input.begin() + static_cast<std::ptrdiff_t>(size));
    input = input.subspan(size);
    reader.feed(piece);
    for (;;) {
      const FrameReader::Step step = reader.next();
      if (step == FrameReader::Step::need_input) break;
      if (step == FrameReader::Step::violation) {
        seen.push_back({{}, std::string(reader.violation().what)});
        return seen;
      }
      const FrameReader::Frame& frame = reader.frame();
      if (frame.begins) seen.push_back({frame.header, {}});
      seen.back().payload += as_text(frame.payload);
    }
    if (random != nullptr && (*random)() % 4 == 0) reader.trim();
  }
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteSpan input(reinterpret_cast<const std::byte*>(data), size);
  std::mt19937 random(static_cast<std::uint32_t>(size));
  CHECK(read(input, nullptr) == read(input, &random));
  return 0;
}
