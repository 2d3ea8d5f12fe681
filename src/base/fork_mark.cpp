// SPDX-License-Identifier: Apache-2.0
// The page that the kernel empties at fork, and the numbers written into it.
#include "base/fork_mark.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <new>

namespace nearcall::inline v0::detail {
namespace {

using Generation = std::atomic<std::uint64_t>;

/// 0 in a process that has not asked yet (the kernel zeroed it at fork), else its generation.
/// Null where the kernel cannot do that (before 4.14).
Generation* map_wiped_page() noexcept {
  void* const page = ::mmap(nullptr, sizeof(Generation), PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return nullptr;
  if (::madvise(page, sizeof(Generation), MADV_WIPEONFORK) != 0) {
    ::munmap(page, sizeof(Generation));
    return nullptr;
  }
  return new (page) Generation(0);
}

/// The highest generation in use here; a child inherits it and counts on. Only grows.
Generation newest{0};

}  // namespace

std::uint64_t ForkMark::current_process() noexcept {
  static Generation* const page = map_wiped_page();  // never unmapped: destructors ask late
  if (page == nullptr) return static_cast<std::uint64_t>(::getpid());
  std::uint64_t here = page->load(std::memory_order_relaxed);
  if (here != 0) return here;
  const std::uint64_t fresh = newest.fetch_add(1, std::memory_order_relaxed) + 1;
  return page->compare_exchange_strong(here, fresh, std::memory_order_relaxed) ? fresh : here;
}

}  // namespace nearcall::inline v0::detail
