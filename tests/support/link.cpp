// SPDX-License-Identifier: Apache-2.0
// Bytes on their way, and what the two sides learn of them.
#include "support/link.hpp"

#include "transport/abort_reason.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>

namespace nearcall::test {

class Link::End final : public Transport {
 public:
  End(std::shared_ptr<Link> link, int side) : link_(std::move(link)), side_(side) {}
  End(const End&) = delete;
  End& operator=(const End&) = delete;
  ~End() override { link_->leave(side_); }

  IoResult try_read(std::span<std::byte> into) override {
    const std::error_code* const reason = reason_.get();
    return reason != nullptr ? IoResult::failed(*reason) : link_->read(side_, into);
  }
  IoResult try_write(std::span<const iovec> from) override {
    const std::error_code* const reason = reason_.get();
    return reason != nullptr ? IoResult::failed(*reason) : link_->write(side_, from);
  }
  WaitAdvice prepare_wait(Interest interest) override {
    return link_->prepare_wait(side_, interest);
  }
  void abort(std::error_code reason) noexcept override {
    reason_.set(reason);
    link_->leave(side_);
  }
  const PeerIdentity& peer() const noexcept override { return peer_; }
  void shutdown_write() noexcept override { link_->finish(side_); }
  bool writes_fail_after_close() const noexcept override { return true; }

 private:
  const std::shared_ptr<Link> link_;
  const int side_;
  detail::AbortReason reason_;
  const PeerIdentity peer_{"link:"};
};

Link::Link(Manner manner, std::size_t capacity) : manner_(manner), capacity_(capacity) {
  for (Bells& side : bells_)
    side.write.raise();
}

TransportPair Link::ends(const std::shared_ptr<Link>& link) {
  return {std::make_unique<End>(link, 0), std::make_unique<End>(link, 1)};
}

// ---- what the test does -------------------------------------------------------------------------

std::size_t Link::on_its_way(int side) const {
  const std::lock_guard lock(mutex_);
  return ways_[index(side)].sent.size();
}

void Link::deliver(int side, std::size_t count) {
  const std::lock_guard lock(mutex_);
  deliver_locked(side, count);
}

void Link::deliver_all() {
  const std::lock_guard lock(mutex_);
  deliver_locked(0, ways_[0].sent.size());
  deliver_locked(1, ways_[1].sent.size());
}

void Link::deliver_locked(int side, std::size_t count) {
  Way& way = ways_[index(side)];
  count = std::min(count, way.sent.size());
  way.arrived.append(way.sent, 0, count);
  way.sent.erase(0, count);
  if (way.is_ended && way.sent.empty()) way.has_end_arrived = true;
  if (count > 0 || way.has_end_arrived) bells_[index(1 - side)].read.raise();
}

void Link::cut(Cut how) {
  const std::lock_guard lock(mutex_);
  for (Way& way : ways_) {
    way.is_ended = true;
    if (how == Cut::reset) {
      way.is_reset = true;
      way.sent.clear();
      way.arrived.clear();
    }
  }
  wake_all();
}

void Link::set_capacity(std::size_t capacity) {
  const std::lock_guard lock(mutex_);
  capacity_ = capacity;
  for (Bells& side : bells_)
    side.write.raise();
}

bool Link::is_over() const {
  const std::lock_guard lock(mutex_);
  return std::ranges::all_of(ways_, [](const Way& way) { return way.is_ended || way.is_unread; });
}

std::size_t Link::size() const {
  const std::lock_guard lock(mutex_);
  std::size_t size = 0;
  for (const Way& way : ways_)
    size += way.sent.size() + way.arrived.size();
  return size;
}

std::size_t Link::sleeps(int side, Interest interest) const {
  const std::lock_guard lock(mutex_);
  return bell(side, interest).sleeps();
}

std::size_t Link::wakes(int side, Interest interest) const {
  const std::lock_guard lock(mutex_);
  return bell(side, interest).wakes();
}

bool Link::reaches_sleeps(int side, Interest interest, std::size_t count) {
  std::unique_lock lock(mutex_);
  return slept_.wait_for(lock, std::chrono::seconds(10),
                         [&] { return bell(side, interest).sleeps() >= count; });
}

// ---- what the ends do ---------------------------------------------------------------------------

IoResult Link::read(int side, std::span<std::byte> into) {
  const std::lock_guard lock(mutex_);
  Way& way = ways_[index(1 - side)];
  if (way.is_reset) return IoResult::failed(std::make_error_code(std::errc::connection_reset));
  if (way.arrived.empty()) {
    if (way.has_end_arrived) return IoResult::end_of_stream();
    bells_[index(side)].read.lower();
    return IoResult::would_block();
  }
  const std::size_t count = std::min(into.size(), way.arrived.size());
  std::memcpy(into.data(), way.arrived.data(), count);
  way.arrived.erase(0, count);
  bells_[index(1 - side)].write.raise();
  return IoResult::bytes(count);
}

IoResult Link::write(int side, std::span<const iovec> from) {
  const std::lock_guard lock(mutex_);
  Way& way = ways_[index(side)];
  if (has_no_reader(side)) return IoResult::failed(std::make_error_code(std::errc::broken_pipe));
  std::size_t written = 0;
  for (const iovec& piece : from) {
    const std::size_t count = std::min(room(way), piece.iov_len);
    way.sent.append(static_cast<const char*>(piece.iov_base), count);
    written += count;
  }
  if (written == 0) {
    bells_[index(side)].write.lower();
    return IoResult::would_block();
  }
  if (manner_ != Manner::by_hand) deliver_locked(side, written);
  if (way.is_unread) way.sent.clear();
  return IoResult::bytes(written);
}

WaitAdvice Link::prepare_wait(int side, Interest interest) {
  const std::lock_guard lock(mutex_);
  Bell& mine = bell(side, interest);
  if (manner_ == Manner::announced && is_ready(side, interest)) {
    mine.lower();
    return WaitAdvice::ready_now();
  }
  slept_.notify_all();
  return mine.sleep();
}

void Link::finish(int side) noexcept {
  const std::lock_guard lock(mutex_);
  finish_locked(side);
}

void Link::leave(int side) noexcept {
  const std::lock_guard lock(mutex_);
  Way& in = ways_[index(1 - side)];
  in.is_unread = true;
  in.sent.clear();
  in.arrived.clear();
  in.has_end_arrived = true;
  finish_locked(side);
}

void Link::finish_locked(int side) noexcept {
  Way& out = ways_[index(side)];
  out.is_ended = true;
  out.has_end_arrived |= manner_ != Manner::by_hand;
  wake_all();
}

bool Link::is_ready(int side, Interest interest) const {
  if (interest == Interest::read) {
    const Way& way = ways_[index(1 - side)];
    return way.is_reset || way.has_end_arrived || !way.arrived.empty();
  }
  return has_no_reader(side) || room(ways_[index(side)]) > 0;
}

/// Whether writes of `side` fail. They are lost before, where the other one has left and its end is
/// on its way.
bool Link::has_no_reader(int side) const {
  const Way& way = ways_[index(side)];
  return way.is_ended || (way.is_unread && ways_[index(1 - side)].has_end_arrived);
}

std::size_t Link::room(const Way& way) const {
  return capacity_ - std::min(capacity_, way.sent.size() + way.arrived.size());
}

void Link::wake_all() noexcept {
  for (Bells& side : bells_) {
    side.read.raise();
    side.write.raise();
  }
}

Bell& Link::bell(int side, Interest interest) const noexcept {
  Bells& bells = bells_[index(side)];
  return interest == Interest::read ? bells.read : bells.write;
}

}  // namespace nearcall::test
