// SPDX-License-Identifier: Apache-2.0
// What the fuzz targets of whole servers and clients have in common.
#pragma once

#include "simulation/choices.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace nearcall::test {

/// An EXPECT that fails ends the program, which is how a fuzzer learns of it.
inline void fail_by_exception() {
  GTEST_FLAG_SET(throw_on_failure, true);
}

template <class Attacked>
void fuzz_whole(std::span<const std::uint8_t> input) {
  fail_by_exception();
  const std::size_t count = std::min<std::size_t>(input.size(), 64);
  ByteChoices choices(input.first(count));
  const std::span<const std::uint8_t> said = input.subspan(count);
  Attacked attacked(choices);
  attacked.feed({reinterpret_cast<const char*>(said.data()), said.size()});
  attacked.finish();
}

}  // namespace nearcall::test
