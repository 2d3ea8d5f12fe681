// SPDX-License-Identifier: Apache-2.0
// OutputQueue: growing, gathering, and letting go of what was sent.
#include "http2/output_queue.hpp"

#include "base/check.hpp"
#include "base/heap_block.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
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
  // Who has had a whole block lately, which was given back, is likely to need another one.
  static constexpr std::size_t first_capacity = 256;
  static constexpr std::size_t later_capacity = HeapBlock::large - 64;
  const std::size_t min_capacity = had_block_ ? later_capacity : first_capacity;
  const std::size_t held = end_ - begin_;
  if (held <= begin_ && buffer_.size() - held >= size) {
    std::memcpy(buffer_.writable(), buffer_.writable() + begin_, held);
  } else if (held > 0 && (held + size > block_size || buffer_.size() >= block_size)) {
    close_block();
    return begin_block(std::max(size, block_size));
  } else {
    const std::size_t doubled = std::min(buffer_.size() * 2, block_size);
    OwnedBytes full = std::move(buffer_);
    begin_block(std::max({held + size, doubled, min_capacity}));
    if (held > 0) std::memcpy(buffer_.writable(), full.data() + begin_, held);
  }
  base_ += begin_;
  begin_ = 0;
  end_ = held;
}

void OutputQueue::begin_block(std::size_t size) {
  buffer_ = OwnedBytes(size);
  grown_ += size;
  had_block_ = had_block_ || size >= block_size;
}

/// What is unsent in the buffer becomes references, before and between those that there are.
void OutputQueue::close_block() {
  const std::uint64_t mark = end_mark();
  const ByteSpan written = buffer_.span();
  Segment* const block = pool_.make(std::move(buffer_));
  std::vector<Reference> all;
  all.reserve(references_.size() - first_reference_ + 1);
  std::size_t at = begin_;
  const auto add_up_to = [&](std::size_t end) {
    if (end <= at) return;
    ++block->references;
    all.push_back({mark, block, written.subspan(at, end - at)});
    at = end;
  };
  for (std::size_t i = first_reference_; i < references_.size(); ++i) {
    const Reference& reference = references_[i];
    add_up_to(static_cast<std::size_t>(reference.mark - base_));
    all.push_back({mark, reference.segment, reference.rest});
  }
  add_up_to(end_);
  pool_.drop(block);
  references_ = std::move(all);
  first_reference_ = 0;
  base_ = mark;
  begin_ = end_ = 0;
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
    add(buffer_.data() + at, up_to - at);
    at = up_to;
    if (count < into.size()) add(reference.rest.data(), reference.rest.size());
    if (count == into.size()) return count;
  }
  if (count < into.size()) add(buffer_.data() + at, end_ - at);
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
  buffer_ = OwnedBytes();
  references_ = std::vector<Reference>();
  had_block_ = false;
}

}  // namespace nearcall::inline v0::detail::http2
