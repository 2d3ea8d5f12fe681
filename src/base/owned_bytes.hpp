// SPDX-License-Identifier: Apache-2.0
// OwnedBytes: bytes on the heap with one owner, handed on without a copy.
#pragma once

#include "base/bytes.hpp"

#include <cstddef>
#include <cstring>
#include <memory>
#include <utility>

namespace nearcall {

/// A block of bytes that belongs to whoever holds it. What it is made with is not cleared first.
class OwnedBytes {
 public:
  OwnedBytes() noexcept = default;
  explicit OwnedBytes(std::size_t size)
      : data_(std::make_unique_for_overwrite<std::byte[]>(size)), size_(size) {}
  OwnedBytes(std::unique_ptr<std::byte[]> data, std::size_t size) noexcept
      : data_(std::move(data)), size_(size) {}
  OwnedBytes(OwnedBytes&& other) noexcept
      : data_(std::move(other.data_)), size_(std::exchange(other.size_, 0)) {}
  OwnedBytes& operator=(OwnedBytes&& other) noexcept {
    data_ = std::move(other.data_);
    size_ = std::exchange(other.size_, 0);
    return *this;
  }
  ~OwnedBytes() = default;

  static OwnedBytes copy_of(ByteSpan bytes) {
    OwnedBytes copy(bytes.size());
    if (!bytes.empty()) std::memcpy(copy.data(), bytes.data(), bytes.size());
    return copy;
  }

  std::byte* data() noexcept { return data_.get(); }
  const std::byte* data() const noexcept { return data_.get(); }
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  ByteSpan span() const noexcept { return {data_.get(), size_}; }
  /// Forgets all but the first `size` bytes; the memory stays as it is. REQUIRES: size <= size().
  void shrink(std::size_t size) noexcept { size_ = size; }

 private:
  std::unique_ptr<std::byte[]> data_;
  std::size_t size_ = 0;
};

}  // namespace nearcall
