// SPDX-License-Identifier: Apache-2.0
// CrossedPipe: a transport in memory whose reads wait for POLLOUT and whose writes wait for POLLIN.
#pragma once

#include "base/unique_fd.hpp"
#include "transport/abort_reason.hpp"

#include <nearcall/transport.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace nearcall::test {

/// A descriptor that is ready for writing from tell() until hide(): a pipe that is full meanwhile.
class WritableWhenTold {
 public:
  WritableWhenTold() {
    std::array<int, 2> ends{-1, -1};
    static_cast<void>(!::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK));
    read_ = detail::UniqueFd(ends[0]);
    write_ = detail::UniqueFd(ends[1]);
    ::fcntl(write_.get(), F_SETPIPE_SZ, 4096);
    hide();
  }
  int fd() const noexcept { return write_.get(); }
  void hide() const noexcept {
    std::array<char, 4096> block{};
    while (::write(write_.get(), block.data(), block.size()) > 0) {
    }
  }
  void tell() const noexcept {
    std::array<char, 4096> block{};
    while (::read(read_.get(), block.data(), block.size()) > 0) {
    }
  }

 private:
  detail::UniqueFd read_;
  detail::UniqueFd write_;
};

/// One direction. Thread safety: any thread.
class CrossedDirection {
 public:
  explicit CrossedDirection(std::size_t capacity) : capacity_(capacity) {}

  IoResult read(std::span<std::byte> into) {
    const std::lock_guard lock(mutex_);
    if (bytes_.empty() && has_ended_) return IoResult::end_of_stream();
    if (bytes_.empty()) {
      readable_.hide();
      return IoResult::would_block();
    }
    const std::size_t count = std::min(into.size(), bytes_.size());
    std::memcpy(into.data(), bytes_.data(), count);
    bytes_.erase(0, count);
    tell_writer();
    return IoResult::bytes(count);
  }
  IoResult write(std::span<const iovec> from) {
    const std::lock_guard lock(mutex_);
    if (has_ended_) return IoResult::failed(std::make_error_code(std::errc::broken_pipe));
    std::size_t count = 0;
    for (const iovec& piece : from) {
      const std::size_t fits = std::min(piece.iov_len, capacity_ - bytes_.size());
      bytes_.append(static_cast<const char*>(piece.iov_base), fits);
      count += fits;
    }
    if (count > 0) {
      readable_.tell();
      return IoResult::bytes(count);
    }
    std::uint64_t told = 0;
    static_cast<void>(!::read(writable_.get(), &told, sizeof told));
    return IoResult::would_block();
  }
  /// Nothing more is written.
  void end() noexcept {
    const std::lock_guard lock(mutex_);
    has_ended_ = true;
    readable_.tell();
    tell_writer();
  }
  WaitAdvice wait(Interest interest) const {
    return interest == Interest::read ? WaitAdvice::poll(readable_.fd(), POLLOUT)
                                      : WaitAdvice::poll(writable_.get(), POLLIN);
  }

 private:
  void tell_writer() const noexcept {
    const std::uint64_t one = 1;
    static_cast<void>(!::write(writable_.get(), &one, sizeof one));
  }

  const std::size_t capacity_;
  std::mutex mutex_;
  std::string bytes_;
  bool has_ended_ = false;
  const WritableWhenTold readable_;
  const detail::UniqueFd writable_{::eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK)};
};

/// One end.
class CrossedTransport final : public Transport {
 public:
  using Direction = std::shared_ptr<CrossedDirection>;

  CrossedTransport(Direction in, Direction out) : in_(std::move(in)), out_(std::move(out)) {}
  CrossedTransport(const CrossedTransport&) = delete;
  CrossedTransport& operator=(const CrossedTransport&) = delete;
  ~CrossedTransport() override {
    out_->end();
    in_->end();
  }

  IoResult try_read(std::span<std::byte> into) override {
    const std::error_code* const reason = reason_.get();
    return reason != nullptr ? IoResult::failed(*reason) : in_->read(into);
  }
  IoResult try_write(std::span<const iovec> from) override {
    const std::error_code* const reason = reason_.get();
    return reason != nullptr ? IoResult::failed(*reason) : out_->write(from);
  }
  WaitAdvice prepare_wait(Interest interest) override {
    return interest == Interest::read ? in_->wait(interest) : out_->wait(interest);
  }
  void abort(std::error_code reason) noexcept override {
    reason_.set(reason);
    in_->end();
    out_->end();
  }
  const PeerIdentity& peer() const noexcept override { return peer_; }
  void shutdown_write() noexcept override { out_->end(); }
  bool writes_fail_after_close() const noexcept override { return true; }

 private:
  const Direction in_;
  const Direction out_;
  detail::AbortReason reason_;
  const PeerIdentity peer_{"crossed:"};
};

inline std::pair<std::unique_ptr<Transport>, std::unique_ptr<Transport>> make_crossed_pipe(
    std::size_t capacity) {
  auto there = std::make_shared<CrossedDirection>(capacity);
  auto back = std::make_shared<CrossedDirection>(capacity);
  return {std::make_unique<CrossedTransport>(there, back),
          std::make_unique<CrossedTransport>(back, there)};
}

}  // namespace nearcall::test
