// SPDX-License-Identifier: Apache-2.0
// TextArena: memory for the strings of one header list, reused from list to list.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

namespace nearcall::inline v0::detail::http2 {

/// Hands out memory that stays where it is until reset(). After a few lists of about the same size
/// it allocates no more; what unusually large lists needed it gives back.
///
/// Thread safety: none.
class TextArena {
 public:
  /// What reset() keeps at most.
  static constexpr std::size_t max_kept = 4096;

  /// Room for `size` bytes, of which take() keeps the first ones; without it they stay free.
  char* reserve(std::size_t size) {
    if (static_cast<std::size_t>(limit_ - next_) < size) add_chunk(size);
    return next_;
  }
  /// Keeps the first `size` bytes of the last reserve().
  std::string_view take(std::size_t size) noexcept {
    const std::string_view taken(next_, size);
    next_ += size;
    return taken;
  }
  std::string_view copy(std::string_view text);
  /// Ends the life of everything handed out.
  void reset() noexcept {
    if (must_trim_) trim();
    next_ = first_;
  }

 private:
  struct Chunk {
    std::unique_ptr<char[]> memory;
    std::size_t size;
  };

  void add_chunk(std::size_t size);
  void trim() noexcept;

  std::vector<Chunk> chunks_;  // each larger than the one before
  char* first_ = nullptr;      // where the first chunk begins
  char* next_ = nullptr;       // free from here, in the last chunk,
  char* limit_ = nullptr;      // to here
  bool must_trim_ = false;     // more than one chunk, or more than max_kept
};

}  // namespace nearcall::inline v0::detail::http2
