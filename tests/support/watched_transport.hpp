// SPDX-License-Identifier: Apache-2.0
// WatchedTransport: one that a test can count the steps of, and abort, while somebody else owns it.
#pragma once

#include <nearcall/transport.hpp>

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <span>
#include <system_error>
#include <utility>

namespace nearcall::test {

/// What a test keeps of a WatchedTransport. Thread safety: any thread.
class TransportWatch {
 public:
  /// Reads and writes that moved something.
  std::size_t moves() const noexcept { return moves_.load(); }
  /// Those that moved nothing, and waits: whoever drives it without end grows this.
  std::size_t vain_steps() const noexcept { return vain_steps_.load(); }
  /// Aborts the transport, if it is still there; whether it was.
  bool abort(std::error_code reason) {
    const std::lock_guard lock(mutex_);
    if (transport_ != nullptr) transport_->abort(reason);
    return transport_ != nullptr;
  }

 private:
  friend class WatchedTransport;

  void set(Transport* transport) {
    const std::lock_guard lock(mutex_);
    transport_ = transport;
  }

  std::atomic<std::size_t> moves_{0};
  std::atomic<std::size_t> vain_steps_{0};
  std::mutex mutex_;
  Transport* transport_ = nullptr;
};

/// Passes everything on.
class WatchedTransport final : public ForwardingTransport {
 public:
  WatchedTransport(std::unique_ptr<Transport> inner, std::shared_ptr<TransportWatch> watch)
      : ForwardingTransport(std::move(inner)), watch_(std::move(watch)) {
    watch_->set(this);
  }
  WatchedTransport(const WatchedTransport&) = delete;
  WatchedTransport& operator=(const WatchedTransport&) = delete;
  ~WatchedTransport() override { watch_->set(nullptr); }

  IoResult try_read(std::span<std::byte> into) override { return counted(inner().try_read(into)); }
  IoResult try_write(std::span<const iovec> from) override {
    return counted(inner().try_write(from));
  }
  WaitAdvice prepare_wait(Interest interest) override {
    watch_->vain_steps_.fetch_add(1);
    return inner().prepare_wait(interest);
  }

 private:
  IoResult counted(const IoResult& result) const noexcept {
    (result.count() > 0 ? watch_->moves_ : watch_->vain_steps_).fetch_add(1);
    return result;
  }

  const std::shared_ptr<TransportWatch> watch_;
};

}  // namespace nearcall::test
