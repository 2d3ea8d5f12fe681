// SPDX-License-Identifier: Apache-2.0
// PipeTransport: one descriptor to read from and one to write to, as a Transport.
#pragma once

#include "base/fork_mark.hpp"
#include "base/unshared_fd.hpp"
#include "transport/abort_reason.hpp"

#include <nearcall/transport.hpp>

#include <memory>

namespace nearcall::inline v0::detail {

/// Two pipes, of which one is read and the other one is written; or two sockets, or one of each.
///
/// There is no shutdown(2) of a pipe. So whoever waits gets an epoll descriptor with the pipe in it
/// and an eventfd, which abort() makes ready. And to close a pipe, of which another thread may be
/// about to use the number, the number is given to something else.
/// Thread safety: as Transport says.
class PipeTransport final : public Transport {
 public:
  /// Takes both, each the end of a pipe or a stream socket, and makes pipes non-blocking, for all
  /// who share that end. `peer` is what peer() answers, and its address names the transport in
  /// errors: RESOURCE_EXHAUSTED if there are no descriptors to wait with. REQUIRES: they are not
  /// one socket.
  static Result<std::unique_ptr<Transport>> make(UniqueFd input,
                                                 UniqueFd output,
                                                 PeerIdentity peer);
  ~PipeTransport() override;
  PipeTransport(const PipeTransport&) = delete;
  PipeTransport& operator=(const PipeTransport&) = delete;

  IoResult try_read(std::span<std::byte> into) override;
  IoResult try_write(std::span<const iovec> from) override;
  WaitAdvice prepare_wait(Interest interest) override;
  /// The first reason given is the one that later reads and writes fail with.
  void abort(std::error_code reason) noexcept override;
  const PeerIdentity& peer() const noexcept override { return peer_; }
  void shutdown_write() noexcept override;
  bool writes_fail_after_close() const noexcept override { return fails_after_close_; }

 private:
  /// One direction, and how to wait for it.
  class End {
   public:
    explicit End(UniqueFd fd) noexcept;
    /// `events` of the descriptor, and `wake`, end waits. 0, or errno.
    int open(std::uint32_t events, int wake) noexcept;
    int fd() const noexcept { return fd_.get(); }
    bool is_socket() const noexcept { return is_socket_; }
    int poller() const noexcept { return poller_.get(); }
    /// The peer sees that it is closed; its number stays taken.
    void close() noexcept;

   private:
    const UnsharedFd fd_;
    const bool is_socket_;
    UniqueFd poller_;
  };

  PipeTransport(UniqueFd input, UniqueFd output, UniqueFd wake, PeerIdentity peer) noexcept;
  /// 0, or errno.
  int open() noexcept;
  IoResult unless_aborted(const IoResult& result) const noexcept;

  End input_;
  End output_;
  const UniqueFd wake_;
  const ForkMark made_in_;
  const bool fails_after_close_;
  bool is_write_closed_ = false;  // for who writes
  AbortReason abort_reason_;
  const PeerIdentity peer_;
};

}  // namespace nearcall::inline v0::detail
