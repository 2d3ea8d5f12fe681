// SPDX-License-Identifier: Apache-2.0
// HeapBlock: the blocks that each thread keeps.
#include "base/heap_block.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <new>
#include <span>
#include <utility>

#if defined(__SANITIZE_ADDRESS__)
#define NEARCALL_POISON_KEPT 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define NEARCALL_POISON_KEPT 1
#endif
#endif
#ifdef NEARCALL_POISON_KEPT  // so that the sanitizer sees who still uses what was released
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(data, size) static_cast<void>(0)
#define ASAN_UNPOISON_MEMORY_REGION(data, size) static_cast<void>(0)
#endif

namespace nearcall::inline v0::detail {
namespace {

struct Kept {
  std::byte* data;
  std::size_t size;
};

/// What one thread keeps, the oldest first. Trivial, so that it can be used while a thread ends.
struct Stock {
  enum class State : unsigned char { unused, in_use, closed };

  std::array<Kept, HeapBlock::max_kept_blocks> blocks;
  std::size_t count;
  std::size_t bytes;
  State state;
  bool was_used;  // since the last trim_unused()

  std::span<Kept> all() noexcept { return std::span(blocks).first(count); }

  /// Takes the block at `index` out.
  Kept take(std::size_t index) noexcept {
    const Kept taken = blocks[index];
    std::ranges::copy(all().subspan(index + 1),
                      blocks.begin() + static_cast<std::ptrdiff_t>(index));
    --count;
    bytes -= taken.size;
    ASAN_UNPOISON_MEMORY_REGION(taken.data, taken.size);
    return taken;
  }
  void put(Kept block) noexcept {
    was_used = true;
    while (count == blocks.size() || bytes + block.size > HeapBlock::max_kept_bytes) {
      free_oldest();
    }
    ASAN_POISON_MEMORY_REGION(block.data, block.size);
    blocks[count++] = block;
    bytes += block.size;
  }
  void free_oldest() noexcept { std::free(take(0).data); }
  void free_all() noexcept {
    while (count > 0) {
      free_oldest();
    }
  }
};

constinit thread_local Stock stock{};

/// Empties the stock when its thread ends; what is released after that is not kept.
struct StockCloser {
  StockCloser() noexcept { stock.state = Stock::State::in_use; }
  StockCloser(const StockCloser&) = delete;
  StockCloser& operator=(const StockCloser&) = delete;
  ~StockCloser() {
    stock.state = Stock::State::closed;
    stock.free_all();
  }
};

bool may_keep(std::size_t size) noexcept {
  if (size < HeapBlock::large || size > HeapBlock::max_kept_bytes) return false;
  if (stock.state == Stock::State::unused) {
    [[maybe_unused]] thread_local const StockCloser closer;
  }
  return stock.state == Stock::State::in_use;
}

std::size_t rounded(std::size_t size) noexcept {
  if (size < HeapBlock::large) return size;
  return (size + HeapBlock::large - 1) / HeapBlock::large * HeapBlock::large;
}

}  // namespace

HeapBlock::HeapBlock(std::size_t size) {
  *this = kept(size);
  if (empty()) grow(size);
}

HeapBlock HeapBlock::kept(std::size_t size) noexcept {
  constexpr std::size_t most_times = 2;
  if (size < large) return {};
  const std::span<Kept> all = stock.all();
  const auto smallest = std::ranges::min_element(all, {}, [size](const Kept& block) {
    return block.size >= size ? block.size : ~std::size_t{0};
  });
  if (smallest == all.end() || smallest->size < size) return {};
  if (smallest->size > most_times * rounded(size)) return {};
  stock.was_used = true;
  const Kept block = stock.take(static_cast<std::size_t>(smallest - all.begin()));
  return adopt(block.data, block.size);
}

void HeapBlock::grow(std::size_t size) {
  const std::size_t wanted = rounded(size);
  void* const larger = std::realloc(data_, wanted);
  if (larger == nullptr) throw std::bad_alloc();
  data_ = static_cast<std::byte*>(larger);
  size_ = wanted;
}

void HeapBlock::keep_or_free(std::byte* data, std::size_t size) noexcept {
  if (may_keep(size)) {
    stock.put({data, size});
  } else {
    std::free(data);
  }
}

void HeapBlock::trim() noexcept {
  stock.free_all();
}

void HeapBlock::trim_unused() noexcept {
  if (!std::exchange(stock.was_used, false)) stock.free_all();
}

std::size_t HeapBlock::kept_bytes() noexcept {
  return stock.bytes;
}

}  // namespace nearcall::inline v0::detail
