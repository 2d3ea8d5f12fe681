// SPDX-License-Identifier: Apache-2.0
// Where coroutine frames come from: a bounded free list a thread, so the steady state has no
// malloc.
#include <nearcall/task.hpp>

#include <array>
#include <cstddef>
#include <new>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define NEARCALL_PLAIN_FRAMES 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define NEARCALL_PLAIN_FRAMES 1
#endif
#endif

namespace nearcall::inline v0::detail {

// Deletes without a size: clang 14 has the sized form only with a flag.

#ifdef NEARCALL_PLAIN_FRAMES  // so that the sanitizers see each frame come and go

void* allocate_frame(std::size_t size) {
  return ::operator new(size);
}

void free_frame(void* frame, std::size_t /*size*/) noexcept {
  ::operator delete(frame);
}

#else

namespace {

constexpr std::size_t class_width = 64;
constexpr std::size_t class_count = 32;
/// What one thread keeps for later, at most.
constexpr std::size_t max_kept_bytes = std::size_t{256} * 1024;

constexpr std::size_t class_of(std::size_t size) noexcept {
  return (size - 1) / class_width;
}
constexpr std::size_t size_of_class(std::size_t index) noexcept {
  return (index + 1) * class_width;
}

struct FreeFrame {
  FreeFrame* next;
};

/// The frames that one thread keeps. Trivial, so that it can be used while a thread ends.
struct FrameCache {
  enum class State : unsigned char { unused, in_use, closed };

  std::array<FreeFrame*, class_count> free;
  std::size_t room;  // how much more it keeps; none unless it is in use
  State state;
};

constinit thread_local FrameCache cache{};

/// Empties the cache when its thread ends; frames that are freed after that are not kept.
struct CacheCloser {
  CacheCloser() noexcept {
    cache.state = FrameCache::State::in_use;
    cache.room = max_kept_bytes;
  }
  CacheCloser(const CacheCloser&) = delete;
  CacheCloser& operator=(const CacheCloser&) = delete;
  ~CacheCloser() {
    cache.state = FrameCache::State::closed;
    for (std::size_t index = 0; index < class_count; ++index) {
      while (FreeFrame* frame = cache.free[index]) {
        cache.free[index] = frame->next;
        ::operator delete(frame);
      }
    }
    cache.room = 0;
  }
};

/// Not inlined: what a thread needs for its first frame is no part of every other one.
[[gnu::noinline]] bool can_keep(std::size_t size) noexcept {
  if (cache.state == FrameCache::State::unused) {
    [[maybe_unused]] thread_local const CacheCloser closer;
  }
  return size <= cache.room;
}

}  // namespace

void* allocate_frame(std::size_t size) {
  const std::size_t index = class_of(size);
  if (index >= class_count) return ::operator new(size);
  if (FreeFrame* frame = cache.free[index]) {
    cache.free[index] = frame->next;
    cache.room += size_of_class(index);
    return frame;
  }
  return ::operator new(size_of_class(index));
}

void free_frame(void* frame, std::size_t size) noexcept {
  const std::size_t index = class_of(size);
  if (index >= class_count) {
    ::operator delete(frame);
    return;
  }
  const std::size_t rounded = size_of_class(index);
  if (rounded > cache.room && !can_keep(rounded)) [[unlikely]] {
    ::operator delete(frame);
    return;
  }
  cache.free[index] = ::new (frame) FreeFrame{cache.free[index]};
  cache.room -= rounded;
}

#endif

}  // namespace nearcall::inline v0::detail
