// SPDX-License-Identifier: Apache-2.0
// Keeping requests, within what a call and a channel may keep.
#include "client/replay_buffer.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

constexpr std::size_t least_capacity = 256;

}  // namespace

bool ReplayBudget::take(std::size_t count) noexcept {
  std::size_t before = used_.load(std::memory_order_relaxed);
  do {
    if (count > most_ - before) return false;
  } while (!used_.compare_exchange_weak(before, before + count, std::memory_order_relaxed));
  return true;
}

void ReplayBuffer::keep(const grpc::OutgoingMessage& message) {
  if (is_dropped_) return;
  std::byte* const room = make_room(message.size());
  if (room == nullptr) return drop();
  message.write(room);
}

bool ReplayBuffer::try_keep(ByteSpan framed) {
  if (is_dropped_) return false;
  std::byte* const room = make_room(framed.size());
  if (room == nullptr) return false;
  std::memcpy(room, framed.data(), framed.size());
  return true;
}

std::byte* ReplayBuffer::make_room(std::size_t size) {
  const std::size_t before = bytes_.size();
  if (size > most_ || before > most_ - size) return nullptr;
  const std::size_t needed = before + size;
  if (needed > bytes_.capacity()) {
    const std::size_t grown = std::max({needed, bytes_.capacity() * 2, least_capacity});
    const std::size_t capacity = std::max(needed, std::min(grown, most_));
    if (!reserve(capacity)) return nullptr;
    bytes_.reserve(capacity);
  }
  bytes_.resize(needed);
  return bytes_.data() + before;
}

void ReplayBuffer::count(std::size_t size) {
  if (is_dropped_) return;
  if (size > most_ || !reserve(size)) drop();
}

bool ReplayBuffer::reserve(std::size_t capacity) {
  const std::size_t missing = capacity > taken_ ? capacity - taken_ : 0;
  if (!budget_->take(missing)) return false;
  taken_ += missing;
  return true;
}

void ReplayBuffer::drop() noexcept {
  is_dropped_ = true;
  // A call that is over may outlive its channel, and with it the budget.
  if (taken_ > 0) budget_->give_back(std::exchange(taken_, 0));
  std::vector<std::byte>().swap(bytes_);
}

}  // namespace nearcall::inline v0::detail
