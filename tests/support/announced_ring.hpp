// SPDX-License-Identifier: Apache-2.0
// AnnouncedRing: a transport in memory that wakes only those who announced that they will sleep.
#pragma once

#include "base/unique_fd.hpp"

#include <nearcall/transport.hpp>

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <utility>

namespace nearcall::test {

/// One direction of the pair. A driver that sleeps without prepare_wait(), or sleeps a second time
/// on an old announcement, is never woken: that is what it is for.
/// Thread safety: any thread.
class AnnouncedRing {
 public:
  explicit AnnouncedRing(std::size_t capacity);

  IoResult read(std::span<std::byte> into);
  IoResult write(std::span<const iovec> from);
  WaitAdvice prepare_wait(Interest interest);
  void end() noexcept;

  /// How often somebody was told to sleep, and how often a sleeper was woken.
  std::size_t sleeps(Interest interest) const;
  std::size_t wakes(Interest interest) const;
  /// Waits until sleeps() is at least `count`, for ten seconds at most; whether it is.
  bool reaches_sleeps(Interest interest, std::size_t count);

 private:
  struct Side {
    detail::UniqueFd event;
    bool is_announced = false;
    std::size_t sleeps = 0;
    std::size_t wakes = 0;
  };

  static void wake(Side& side) noexcept;
  static void calm(Side& side) noexcept;
  bool is_ready(Interest interest) const;
  Side& side(Interest interest) { return interest == Interest::read ? reader_ : writer_; }
  const Side& side(Interest interest) const {
    return interest == Interest::read ? reader_ : writer_;
  }

  mutable std::mutex mutex_;
  std::condition_variable slept_;
  const std::size_t capacity_;
  std::deque<std::byte> bytes_;
  bool has_ended_ = false;
  Side reader_;
  Side writer_;
};

/// One end of two rings.
class AnnouncedTransport final : public Transport {
 public:
  AnnouncedTransport(std::shared_ptr<AnnouncedRing> incoming,
                     std::shared_ptr<AnnouncedRing> outgoing)
      : incoming_(std::move(incoming)), outgoing_(std::move(outgoing)) {}
  ~AnnouncedTransport() override { abort({}); }
  AnnouncedTransport(const AnnouncedTransport&) = delete;
  AnnouncedTransport& operator=(const AnnouncedTransport&) = delete;

  IoResult try_read(std::span<std::byte> into) override { return incoming_->read(into); }
  IoResult try_write(std::span<const iovec> from) override { return outgoing_->write(from); }
  WaitAdvice prepare_wait(Interest interest) override {
    return (interest == Interest::read ? incoming_ : outgoing_)->prepare_wait(interest);
  }
  void abort(std::error_code /*reason*/) noexcept override {
    incoming_->end();
    outgoing_->end();
  }
  const PeerIdentity& peer() const noexcept override { return peer_; }

 private:
  const std::shared_ptr<AnnouncedRing> incoming_;
  const std::shared_ptr<AnnouncedRing> outgoing_;
  const PeerIdentity peer_{"ring:"};
};

}  // namespace nearcall::test
