// SPDX-License-Identifier: Apache-2.0
// Bytes under a mutex, and an eventfd a side.
#include "support/announced_ring.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <utility>

namespace nearcall::test {

AnnouncedRing::AnnouncedRing(std::size_t capacity) : capacity_(capacity) {
  for (Side* const side : {&reader_, &writer_}) {
    side->event = detail::UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    EXPECT_TRUE(side->event) << errno;
  }
}

IoResult AnnouncedRing::read(std::span<std::byte> into) {
  const std::lock_guard lock(mutex_);
  if (bytes_.empty()) {
    calm(reader_);
    return has_ended_ ? IoResult::end_of_stream() : IoResult::would_block();
  }
  const std::size_t count = std::min(into.size(), bytes_.size());
  const auto last = bytes_.begin() + static_cast<std::ptrdiff_t>(count);
  std::copy(bytes_.begin(), last, into.begin());
  bytes_.erase(bytes_.begin(), last);
  wake(writer_);
  return IoResult::bytes(count);
}

IoResult AnnouncedRing::write(std::span<const iovec> from) {
  const std::lock_guard lock(mutex_);
  if (has_ended_) return IoResult::failed(std::make_error_code(std::errc::broken_pipe));
  const std::size_t before = bytes_.size();
  for (const iovec& piece : from) {
    const std::size_t count = std::min(piece.iov_len, capacity_ - bytes_.size());
    const auto* const start = static_cast<const std::byte*>(piece.iov_base);
    bytes_.insert(bytes_.end(), start, start + count);
  }
  if (bytes_.size() == before) {
    calm(writer_);
    return IoResult::would_block();
  }
  wake(reader_);
  return IoResult::bytes(bytes_.size() - before);
}

WaitAdvice AnnouncedRing::prepare_wait(Interest interest) {
  const std::lock_guard lock(mutex_);
  Side& mine = side(interest);
  mine.is_announced = true;
  if (is_ready(interest)) {
    calm(mine);
    return WaitAdvice::ready_now();
  }
  ++mine.sleeps;
  slept_.notify_all();
  return WaitAdvice::poll(mine.event.get(), POLLIN);
}

void AnnouncedRing::end() noexcept {
  const std::lock_guard lock(mutex_);
  has_ended_ = true;
  wake(reader_);
  wake(writer_);
}

std::size_t AnnouncedRing::sleeps(Interest interest) const {
  const std::lock_guard lock(mutex_);
  return side(interest).sleeps;
}

std::size_t AnnouncedRing::wakes(Interest interest) const {
  const std::lock_guard lock(mutex_);
  return side(interest).wakes;
}

bool AnnouncedRing::reaches_sleeps(Interest interest, std::size_t count) {
  std::unique_lock lock(mutex_);
  return slept_.wait_for(lock, std::chrono::seconds(10),
                         [&] { return side(interest).sleeps >= count; });
}

void AnnouncedRing::wake(Side& side) noexcept {
  if (!std::exchange(side.is_announced, false)) return;
  ++side.wakes;
  const std::uint64_t one = 1;
  static_cast<void>(!::write(side.event.get(), &one, sizeof one));
}

/// Takes announcement and readiness back.
void AnnouncedRing::calm(Side& side) noexcept {
  side.is_announced = false;
  std::uint64_t count = 0;
  static_cast<void>(!::read(side.event.get(), &count, sizeof count));
}

bool AnnouncedRing::is_ready(Interest interest) const {
  if (has_ended_) return true;
  return interest == Interest::read ? !bytes_.empty() : bytes_.size() < capacity_;
}

}  // namespace nearcall::test
