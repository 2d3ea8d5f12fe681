// SPDX-License-Identifier: Apache-2.0
// ArrivalBuffer: memory that follows what has arrived.
#include "grpc/arrival_buffer.hpp"

#include "base/check.hpp"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

namespace nearcall::grpc {

ArrivalBuffer::ArrivalBuffer(ArrivalBuffer&& other) noexcept
    : data_(std::move(other.data_)),
      capacity_(std::exchange(other.capacity_, 0)),
      size_(std::exchange(other.size_, 0)),
      length_(std::exchange(other.length_, 0)) {
}

ArrivalBuffer& ArrivalBuffer::operator=(ArrivalBuffer&& other) noexcept {
  if (this != &other) {
    data_ = std::move(other.data_);
    capacity_ = std::exchange(other.capacity_, 0);
    size_ = std::exchange(other.size_, 0);
    length_ = std::exchange(other.length_, 0);
  }
  return *this;
}

void ArrivalBuffer::expect(std::size_t length) noexcept {
  if (capacity_ > first_capacity) {
    data_.reset();
    capacity_ = 0;
  }
  size_ = 0;
  length_ = length;
}

std::size_t ArrivalBuffer::append(ByteSpan bytes) {
  const std::size_t count = std::min(bytes.size(), missing());
  if (count == 0) return 0;
  if (size_ + count > capacity_) grow(size_ + count);
  std::memcpy(data_.get() + size_, bytes.data(), count);
  size_ += count;
  return count;
}

MutableByteSpan ArrivalBuffer::free_tail() {
  if (missing() == 0) return {};
  if (size_ == capacity_) grow(size_);
  return {data_.get() + size_, std::min(capacity_, length_) - size_};
}

void ArrivalBuffer::advance(std::size_t count) {
  CHECK(count <= std::min(capacity_, length_) - size_, count, capacity_, length_, size_);
  size_ += count;
}

void ArrivalBuffer::grow(std::size_t arrived) {
  const std::size_t wanted = std::min(length_, std::max(first_capacity, 2 * arrived));
  auto* const larger = static_cast<std::byte*>(std::realloc(data_.get(), wanted));
  if (larger == nullptr) throw std::bad_alloc();
  static_cast<void>(data_.release());
  data_.reset(larger);
  capacity_ = wanted;
}

}  // namespace nearcall::grpc
