// SPDX-License-Identifier: Apache-2.0
// Two rings of bytes, each with one reader and one writer, and the connections at their ends.
#include "transport/inproc_pipe.hpp"

#include "base/fork_mark.hpp"
#include "transport/abort_reason.hpp"
#include "transport/system_error.hpp"
#include "transport/wake_event.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>

namespace nearcall::inline v0::detail {
namespace {

/// One direction: a ring of bytes with one reader and one writer.
///
/// Invariants:
///  (1) read_ <= written_ <= read_ + capacity. Both only grow; only the reader moves read_, only
///      the writer moves written_.
///  (2) The bytes from read_ to written_ belong to the reader, all others to the writer.
///  (3) write_ended_ and read_ended_ only become true. Bytes written before the end stay readable.
///  (4) The byte at `position` lies (position - origin_) from the buffer's front, round its end.
///      Only the writer moves origin_, and only once its load of read_ has shown that the reader is
///      done with all there was; the reader looks at it only once its load of written_ has shown
///      that there is more. So an empty ring begins again at its front, and requests and answers go
///      over a few lines of the cache, not over all of the buffer in turn.
/// All of it is sequentially consistent: WakeEvent needs that.
class Ring {
 public:
  Ring(std::size_t capacity, UniqueFd readable, UniqueFd writable)
      : buffer_(new std::byte[capacity]),
        capacity_(capacity),
        readable_(std::move(readable)),
        writable_(std::move(writable)) {}

  IoResult read(std::span<std::byte> into) noexcept;
  IoResult write(std::span<const iovec> from) noexcept;
  WaitAdvice prepare_read() noexcept;
  WaitAdvice prepare_write() noexcept;
  /// Nothing more is written: the reader reads what is there, and then the end.
  void close_writing() noexcept { close(write_ended_); }
  /// Nothing more is read: writes fail.
  void close_reading() noexcept { close(read_ended_); }

 private:
  std::size_t readable_bytes() const noexcept { return written_.load() - read_.load(); }
  std::size_t writable_bytes() const noexcept { return capacity_ - readable_bytes(); }
  bool has_ended() const noexcept { return write_ended_.load() || read_ended_.load(); }
  void close(std::atomic<bool>& flag) noexcept {
    flag.store(true);
    readable_.signal();
    writable_.signal();
  }
  std::size_t offset_of(std::size_t position) const noexcept {
    return (position - origin_) & (capacity_ - 1);
  }
  std::size_t copy_in(std::size_t position, std::span<const std::byte> piece) noexcept;
  void copy_out(std::size_t position, std::span<std::byte> into) const noexcept;

  const std::unique_ptr<std::byte[]> buffer_;
  const std::size_t capacity_;  // a power of 2
  alignas(64) std::atomic<std::size_t> written_{0};
  std::size_t origin_ = 0;  // goes to the reader with what is written behind it
  alignas(64) std::atomic<std::size_t> read_{0};
  alignas(64) std::atomic<bool> write_ended_{false};
  std::atomic<bool> read_ended_{false};
  WakeEvent readable_;
  WakeEvent writable_;
};

IoResult Ring::read(std::span<std::byte> into) noexcept {
  std::size_t count = readable_bytes();
  if (count == 0) {
    readable_.consume();
    const bool has_writer_ended = write_ended_.load();  // before the last look at the bytes
    count = readable_bytes();
    if (count == 0) return has_writer_ended ? IoResult::end_of_stream() : IoResult::would_block();
  }
  const bool may_be_all = count < into.size();
  count = std::min(count, into.size());
  const std::size_t position = read_.load();
  copy_out(position, into.first(count));
  read_.store(position + count);
  writable_.signal();
  if (!may_be_all) return IoResult::bytes(count);
  readable_.consume();
  const bool is_all = !write_ended_.load() && readable_bytes() == 0;
  return is_all ? IoResult::all_bytes(count) : IoResult::bytes(count);
}

IoResult Ring::write(std::span<const iovec> from) noexcept {
  if (has_ended()) return IoResult::failed(system_error(EPIPE));
  std::size_t room = writable_bytes();
  if (room == 0) {
    writable_.consume();
    if (has_ended()) return IoResult::failed(system_error(EPIPE));
    room = writable_bytes();
    if (room == 0) return IoResult::would_block();
  }
  const std::size_t start = written_.load();
  if (room == capacity_) origin_ = start;
  std::size_t position = start;
  for (const iovec& piece : from) {
    const std::size_t count = std::min(piece.iov_len, room);
    if (count == 0) break;
    position += copy_in(position, {static_cast<const std::byte*>(piece.iov_base), count});
    room -= count;
  }
  written_.store(position);
  readable_.signal();
  return IoResult::bytes(position - start);
}

WaitAdvice Ring::prepare_read() noexcept {
  readable_.announce();
  if (readable_bytes() == 0 && !has_ended()) return WaitAdvice::poll(readable_.fd(), POLLIN);
  readable_.consume();
  return WaitAdvice::ready_now();
}

WaitAdvice Ring::prepare_write() noexcept {
  writable_.announce();
  if (writable_bytes() == 0 && !has_ended()) return WaitAdvice::poll(writable_.fd(), POLLIN);
  writable_.consume();
  return WaitAdvice::ready_now();
}

std::size_t Ring::copy_in(std::size_t position, std::span<const std::byte> piece) noexcept {
  const std::size_t offset = offset_of(position);
  const std::size_t until_wrap = std::min(piece.size(), capacity_ - offset);
  std::memcpy(buffer_.get() + offset, piece.data(), until_wrap);
  if (until_wrap < piece.size()) {
    std::memcpy(buffer_.get(), piece.data() + until_wrap, piece.size() - until_wrap);
  }
  return piece.size();
}

void Ring::copy_out(std::size_t position, std::span<std::byte> into) const noexcept {
  const std::size_t offset = offset_of(position);
  const std::size_t until_wrap = std::min(into.size(), capacity_ - offset);
  std::memcpy(into.data(), buffer_.get() + offset, until_wrap);
  if (until_wrap < into.size()) {
    std::memcpy(into.data() + until_wrap, buffer_.get(), into.size() - until_wrap);
  }
}

/// One end: reads from one ring and writes to the other. The rings live as long as either end.
class InprocTransport final : public Transport {
 public:
  InprocTransport(std::shared_ptr<Ring> incoming,
                  std::shared_ptr<Ring> outgoing,
                  std::string address)
      : incoming_(std::move(incoming)),
        outgoing_(std::move(outgoing)),
        peer_(PeerIdentity::own(std::move(address), ::getpid())) {}
  /// In a forked child the rings are copies, but the descriptors are the parent's: leave them.
  ~InprocTransport() override { close(); }
  InprocTransport(const InprocTransport&) = delete;
  InprocTransport& operator=(const InprocTransport&) = delete;

  IoResult try_read(std::span<std::byte> into) override {
    if (const auto* reason = abort_reason_.get()) return IoResult::failed(*reason);
    return incoming_->read(into);
  }
  IoResult try_write(std::span<const iovec> from) override {
    if (const auto* reason = abort_reason_.get()) return IoResult::failed(*reason);
    return outgoing_->write(from);
  }
  WaitAdvice prepare_wait(Interest interest) override {
    return interest == Interest::read ? incoming_->prepare_read() : outgoing_->prepare_write();
  }
  void abort(std::error_code reason) noexcept override {
    if (abort_reason_.set(reason)) close();
  }
  const PeerIdentity& peer() const noexcept override { return peer_; }
  void shutdown_write() noexcept override {
    if (made_in_.is_in_maker()) outgoing_->close_writing();
  }
  bool writes_fail_after_close() const noexcept override { return true; }

 private:
  void close() noexcept {
    if (!made_in_.is_in_maker()) return;
    outgoing_->close_writing();
    incoming_->close_reading();
  }

  const std::shared_ptr<Ring> incoming_;
  const std::shared_ptr<Ring> outgoing_;
  const ForkMark made_in_;
  AbortReason abort_reason_;
  const PeerIdentity peer_;
};

/// Null when there are no descriptors left; errno says so.
std::shared_ptr<Ring> make_ring(std::size_t capacity) {
  UniqueFd readable(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!readable) return nullptr;
  UniqueFd writable(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!writable) return nullptr;
  return std::make_shared<Ring>(capacity, std::move(readable), std::move(writable));
}

}  // namespace

Result<InprocPipe> make_inproc_pipe(std::size_t capacity, const std::string& address) {
  const std::size_t rounded = std::bit_ceil(std::max<std::size_t>(capacity, 1));
  const std::shared_ptr<Ring> there = make_ring(rounded);
  const std::shared_ptr<Ring> back = there ? make_ring(rounded) : nullptr;
  if (!back) return system_status(StatusCode::resource_exhausted, address, "eventfd", errno);
  auto first = std::make_unique<InprocTransport>(back, there, address);
  auto second = std::make_unique<InprocTransport>(there, back, address);
  return InprocPipe(std::move(first), std::move(second));
}

}  // namespace nearcall::inline v0::detail
