// SPDX-License-Identifier: Apache-2.0
// OutputQueue: growing, gathering, and letting go of what was sent.
#include "http2/output_queue.hpp"

#include "base/check.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace nearcall::inline v0::detail::http2 {

Segment* SegmentPool::make(OwnedBytes bytes) {
  Segment* segment = free_;
  if (segment != nullptr) {
    free_ = segment->next;
  } else {
    segment = std::make_unique<Segment>().release();
  }
  segment->bytes = std::move(bytes);
  segment->sent = 0;
  segment->next = nullptr;
  segment->references = 1;
  return segment;
}

void SegmentPool::drop(Segment* segment) noexcept {
  if (--segment->references != 0) return;
  segment->bytes = OwnedBytes();
  segment->next = std::exchange(free_, segment);
}

void SegmentPool::trim() noexcept {
  while (free_ != nullptr) {
    const std::unique_ptr<Segment> gone(std::exchange(free_, free_->next));
  }
}

OutputQueue::~OutputQueue() {
  for (; first_reference_ < references_.size(); ++first_reference_) {
    pool_.drop(references_[first_reference_].segment);
  }
}

void OutputQueue::make_room(std::size_t size) {
  static constexpr std::size_t min_capacity = 256;
  const std::size_t held = end_ - begin_;
  if (held <= begin_ && capacity_ - held >= size) {
    std::memcpy(buffer_.get(), buffer_.get() + begin_, held);
  } else {
    const std::size_t capacity = std::max({held + size, capacity_ * 2, min_capacity});
    auto larger = std::make_unique_for_overwrite<std::byte[]>(capacity);
    if (held > 0) std::memcpy(larger.get(), buffer_.get() + begin_, held);
    buffer_ = std::move(larger);
    capacity_ = capacity;
  }
  base_ += begin_;
  begin_ = 0;
  end_ = held;
}

void OutputQueue::append(Segment& segment, ByteSpan bytes) {
  static constexpr std::size_t compaction_step = 64;
  if (first_reference_ >= compaction_step && first_reference_ * 2 >= references_.size()) {
    references_.erase(references_.begin(),
                      references_.begin() + static_cast<std::ptrdiff_t>(first_reference_));
    first_reference_ = 0;
  }
  ++segment.references;
  references_.push_back({end_mark(), &segment, bytes});
  appended_ += bytes.size();
}

std::size_t OutputQueue::gather(std::span<iovec> into) const noexcept {
  std::size_t count = 0;
  const auto add = [&](const std::byte* data, std::size_t size) {
    if (size == 0) return;
    // iovec knows no const; nobody writes to what is to be sent.
    into[count++] = {const_cast<std::byte*>(data), size};
  };
  std::size_t at = begin_;
  for (std::size_t i = first_reference_; i < references_.size() && count < into.size(); ++i) {
    const Reference& reference = references_[i];
    const auto up_to = static_cast<std::size_t>(reference.mark - base_);
    add(buffer_.get() + at, up_to - at);
    at = up_to;
    if (count < into.size()) add(reference.rest.data(), reference.rest.size());
    if (count == into.size()) return count;
  }
  if (count < into.size()) add(buffer_.get() + at, end_ - at);
  return count;
}

void OutputQueue::remove_slowly(std::size_t count) noexcept {
  CHECK(count <= size(), count, size());
  sent_ += count;
  while (first_reference_ < references_.size()) {
    Reference& reference = references_[first_reference_];
    const auto up_to = static_cast<std::size_t>(reference.mark - base_);
    const std::size_t before = std::min(count, up_to - begin_);
    begin_ += before;
    count -= before;
    if (begin_ < up_to) return;
    const std::size_t taken = std::min(count, reference.rest.size());
    reference.rest = reference.rest.subspan(taken);
    count -= taken;
    if (!reference.rest.empty()) return;
    pool_.drop(reference.segment);
    ++first_reference_;
  }
  references_.clear();
  first_reference_ = 0;
  begin_ += count;
}

void OutputQueue::copy_from(const BytesOwner& owner) {
  for (std::size_t i = first_reference_; i < references_.size(); ++i) {
    Reference& reference = references_[i];
    if (!reference.segment->bytes.is_kept_by(owner)) continue;
    Segment* const copy = pool_.make(OwnedBytes::copy_of(reference.rest));
    reference.rest = copy->rest();
    pool_.drop(std::exchange(reference.segment, copy));
  }
}

void OutputQueue::trim() noexcept {
  if (!empty()) return;
  buffer_.reset();
  capacity_ = 0;
  references_ = std::vector<Reference>();
}

}  // namespace nearcall::inline v0::detail::http2
