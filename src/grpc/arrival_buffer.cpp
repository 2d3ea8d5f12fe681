// SPDX-License-Identifier: Apache-2.0
// ArrivalBuffer: memory that follows what has arrived.
#include "grpc/arrival_buffer.hpp"

#include "base/check.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace nearcall::inline v0::detail::grpc {

void ArrivalBuffer::expect(std::size_t length) noexcept {
  if (capacity() > idle_capacity) block_ = HeapBlock();
  size_ = 0;
  length_ = length;
}

std::size_t ArrivalBuffer::append(ByteSpan bytes) {
  const std::size_t count = std::min(bytes.size(), missing());
  if (count == 0) return 0;
  if (size_ + count > capacity()) grow(size_ + count);
  std::memcpy(block_.data() + size_, bytes.data(), count);
  size_ += count;
  return count;
}

MutableByteSpan ArrivalBuffer::free_tail() {
  if (missing() == 0) return {};
  if (size_ == capacity()) grow(size_);
  return {block_.data() + size_, std::min(capacity(), length_) - size_};
}

void ArrivalBuffer::advance(std::size_t count) {
  CHECK(count <= std::min(capacity(), length_) - size_, count, capacity(), length_, size_);
  size_ += count;
}

void ArrivalBuffer::grow(std::size_t arrived) {
  if (HeapBlock kept = HeapBlock::kept(length_); !kept.empty()) {
    if (size_ > 0) std::memcpy(kept.data(), block_.data(), size_);
    block_ = std::move(kept);
    return;
  }
  std::size_t room = std::max(first_capacity, 2 * arrived);
  if (room > HeapBlock::large) room -= room % HeapBlock::large;  // as a block rounds up
  block_.grow(std::min(length_, room));
}

}  // namespace nearcall::inline v0::detail::grpc
