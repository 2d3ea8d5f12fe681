// SPDX-License-Identifier: Apache-2.0
// ReplayBuffer: requests of a call as they were sent, to be sent again.
#pragma once

#include "base/bytes.hpp"
#include "grpc/outgoing_message.hpp"

#include <atomic>
#include <cstddef>
#include <vector>

namespace nearcall::inline v0::detail {

/// What all calls of a channel may keep to be sent again, in bytes.
///
/// Thread safety: any thread.
class ReplayBudget {
 public:
  explicit ReplayBudget(std::size_t most) noexcept : most_(most) {}
  ReplayBudget(const ReplayBudget&) = delete;
  ReplayBudget& operator=(const ReplayBudget&) = delete;

  bool take(std::size_t count) noexcept;
  void give_back(std::size_t count) noexcept { used_.fetch_sub(count, std::memory_order_relaxed); }
  std::size_t used() const noexcept { return used_.load(std::memory_order_relaxed); }

 private:
  const std::size_t most_;
  std::atomic<std::size_t> used_{0};
};

/// The requests of a call as they were sent, with their prefixes: until the call is committed, or
/// they are more than may be kept (gRFC A6, "Memory Management"). From then on nothing is kept.
///
/// Thread safety: none.
class ReplayBuffer {
 public:
  /// At most `most` bytes of `budget`, which outlives it, or at least what was not dropped.
  ReplayBuffer(ReplayBudget& budget, std::size_t most) noexcept : budget_(&budget), most_(most) {}
  ReplayBuffer(const ReplayBuffer&) = delete;
  ReplayBuffer& operator=(const ReplayBuffer&) = delete;
  ~ReplayBuffer() { drop(); }

  /// Keeps one more that is sent. REQUIRES: message.check() is OK.
  void keep(const grpc::OutgoingMessage& message);
  /// The same of one that was serialised, with its prefix. False if it cannot be kept: it is as it
  /// was.
  bool try_keep(ByteSpan framed);
  /// Room for a request of `size` bytes that somebody else keeps.
  void count(std::size_t size);
  /// Nothing is to be sent again.
  void drop() noexcept;

  /// Whether all that was sent is here.
  bool is_whole() const noexcept { return !is_dropped_; }
  ByteSpan bytes() const noexcept { return bytes_; }

 private:
  /// Room for `size` bytes more at the end; null if there may not be as many.
  std::byte* make_room(std::size_t size);
  /// Takes what is missing to `capacity` of the budget; false if there is not as much.
  bool reserve(std::size_t capacity);

  ReplayBudget* budget_;
  std::size_t most_;
  bool is_dropped_ = false;
  std::size_t taken_ = 0;
  std::vector<std::byte> bytes_;
};

}  // namespace nearcall::inline v0::detail
