// SPDX-License-Identifier: Apache-2.0
// Bytes on their way, and what the two sides learn of them.
#include "simulation/link.hpp"

#include "base/check.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace nearcall::test {
namespace {

void raise(const detail::UniqueFd& event) noexcept {
  const std::uint64_t one = 1;
  static_cast<void>(!::write(event.get(), &one, sizeof one));
}

void lower(const detail::UniqueFd& event) noexcept {
  std::uint64_t count = 0;
  static_cast<void>(!::read(event.get(), &count, sizeof count));
}

}  // namespace

class Link::End final : public Transport {
 public:
  End(std::shared_ptr<Link> link, int side) : link_(std::move(link)), side_(side) {}
  End(const End&) = delete;
  End& operator=(const End&) = delete;
  ~End() override { link_->leave(side_); }

  IoResult try_read(std::span<std::byte> into) override { return link_->read(side_, into); }
  IoResult try_write(std::span<const iovec> from) override { return link_->write(side_, from); }
  WaitAdvice prepare_wait(Interest interest) override {
    return link_->prepare_wait(side_, interest);
  }
  void abort(std::error_code /*reason*/) noexcept override { link_->leave(side_); }
  const PeerIdentity& peer() const noexcept override { return peer_; }

 private:
  const std::shared_ptr<Link> link_;
  const int side_;
  const PeerIdentity peer_{"simulated:"};
};

Link::Link(std::size_t capacity) : capacity_(capacity) {
  for (Way& way : ways_) {
    way.readable = detail::UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    way.writable = detail::UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    CHECK(way.readable && way.writable);
  }
}

std::pair<std::unique_ptr<Transport>, std::unique_ptr<Transport>> Link::ends(
    const std::shared_ptr<Link>& link) {
  return {std::make_unique<End>(link, 0), std::make_unique<End>(link, 1)};
}

std::size_t Link::size() const noexcept {
  std::size_t size = 0;
  for (const Way& way : ways_)
    size += way.sent.size() + way.arrived.size();
  return size;
}

void Link::deliver(int side, std::size_t count) {
  Way& way = ways_[index(side)];
  count = std::min(count, way.sent.size());
  way.arrived.append(way.sent, 0, count);
  way.sent.erase(0, count);
  if (way.is_ended && way.sent.empty()) way.has_end_arrived = true;
  if (count > 0) raise(way.writable);
  if (count > 0 || way.has_end_arrived) raise(way.readable);
}

void Link::cut(Cut how) {
  for (Way& way : ways_) {
    way.is_ended = true;
    if (how == Cut::reset) {
      way.is_reset = true;
      way.sent.clear();
      way.arrived.clear();
    }
    raise(way.readable);
    raise(way.writable);
  }
}

void Link::set_capacity(std::size_t capacity) noexcept {
  capacity_ = capacity;
  for (const Way& way : ways_)
    raise(way.writable);
}

void Link::leave(int side) noexcept {
  Way& out = ways_[index(side)];
  Way& in = ways_[index(1 - side)];
  out.is_ended = true;
  // Nobody reads any more what the other side wrote: its writes fail, as on a Unix socket.
  in.is_ended = true;
  in.sent.clear();
  in.arrived.clear();
  in.has_end_arrived = true;
  for (const Way& way : ways_) {
    raise(way.readable);
    raise(way.writable);
  }
}

IoResult Link::read(int side, std::span<std::byte> into) {
  Way& way = ways_[index(1 - side)];
  if (way.is_reset) return IoResult::failed(std::make_error_code(std::errc::connection_reset));
  if (way.arrived.empty()) {
    if (way.has_end_arrived) return IoResult::end_of_stream();
    lower(way.readable);
    return IoResult::would_block();
  }
  const std::size_t count = std::min(into.size(), way.arrived.size());
  std::memcpy(into.data(), way.arrived.data(), count);
  way.arrived.erase(0, count);
  raise(way.writable);
  return IoResult::bytes(count);
}

IoResult Link::write(int side, std::span<const iovec> from) {
  Way& way = ways_[index(side)];
  if (way.is_ended) return IoResult::failed(std::make_error_code(std::errc::broken_pipe));
  std::size_t room = capacity_ - std::min(capacity_, way.sent.size() + way.arrived.size());
  if (room == 0) {
    lower(way.writable);
    return IoResult::would_block();
  }
  std::size_t written = 0;
  for (const iovec& piece : from) {
    const std::size_t count = std::min(room, piece.iov_len);
    way.sent.append(static_cast<const char*>(piece.iov_base), count);
    written += count;
    room -= count;
  }
  return IoResult::bytes(written);
}

WaitAdvice Link::prepare_wait(int side, Interest interest) const {
  const bool is_read = interest == Interest::read;
  const Way& way = ways_[index(is_read ? 1 - side : side)];
  return WaitAdvice::poll(is_read ? way.readable.get() : way.writable.get(), POLLIN);
}

}  // namespace nearcall::test
