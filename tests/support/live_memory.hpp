// SPDX-License-Identifier: Apache-2.0
// How many bytes this process has allocated and not freed.
#pragma once

#include "support/sanitized.hpp"

#include <malloc.h>

#include <cstddef>

// Of sanitizers, which have allocators of their own (sanitizer/allocator_interface.h).
extern "C" std::size_t __sanitizer_get_current_allocated_bytes() __attribute__((weak));

namespace nearcall::test {

inline std::size_t live_memory() {
  if constexpr (is_sanitized) {
    return __sanitizer_get_current_allocated_bytes();
  } else {
    const struct mallinfo2 info = ::mallinfo2();
    return info.uordblks + info.hblkhd;
  }
}

}  // namespace nearcall::test
