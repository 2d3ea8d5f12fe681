// SPDX-License-Identifier: Apache-2.0
// Counts every allocation of a program. Include it in one file of the program: it replaces new.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <new>

namespace nearcall::test {
inline std::size_t allocation_count = 0;
}

// Not inlined: else g++ sees malloc() meet delete, or new meet free(), and warns.
[[gnu::noinline]] void* operator new(std::size_t size) {
  ++nearcall::test::allocation_count;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
