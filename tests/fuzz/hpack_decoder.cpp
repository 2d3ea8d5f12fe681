// SPDX-License-Identifier: Apache-2.0
// Fuzzes HpackDecoder: blocks one after the other; what it reads is encoded and read again.
#include "base/check.hpp"
#include "http2/hpack/decoder.hpp"
#include "http2/hpack/encoder.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

using namespace nearcall;
using namespace nearcall::detail;
using namespace nearcall::detail::http2;

/// The input: a length octet and that many bytes, and so on.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ByteSpan input(reinterpret_cast<const std::byte*>(data), size);
  HpackDecoder decoder({/*max_list_size=*/500, /*max_fields=*/10});
  HpackEncoder encoder;
  HpackDecoder second;
  HeaderList list;
  HeaderList again;
  while (!input.empty()) {
    const std::size_t length = std::min(std::to_integer<std::size_t>(input[0]), input.size() - 1);
    const std::vector<std::byte> block(input.begin() + 1,
                                       input.begin() + 1 + static_cast<std::ptrdiff_t>(length));
    input = input.subspan(1 + length);
    if (length == 255) {
      decoder.set_max_table_size(static_cast<std::uint32_t>(block[0]) * 16);
      continue;
    }
    if (!decoder.decode(block, list)) return 0;
    CHECK(list.list_size() <= 500 && list.size() <= 10);
    CHECK(decoder.table().size() <= decoder.table().max_size());
    std::vector<std::byte> encoded;
    encoder.encode(list.fields(), Indexing::incremental, encoded);
    CHECK(second.decode(encoded, again));
    CHECK(std::ranges::equal(list, again));
  }
  return 0;
}
