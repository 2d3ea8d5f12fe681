// SPDX-License-Identifier: Apache-2.0
// SocketTransport: a connected stream socket, Unix or TCP, as a Transport.
#pragma once

#include "base/fork_mark.hpp"
#include "base/unshared_fd.hpp"
#include "transport/abort_reason.hpp"

#include <nearcall/transport.hpp>

#include <memory>
#include <utility>

namespace nearcall::inline v0::detail {

/// A connected stream socket.
///
/// A write that fails (EPIPE: the peer has closed) leaves reading alone: what the peer said before
/// it left, a GOAWAY most of all, can still be read up to the end of the stream. Descriptors that
/// a peer sends along are never received; the kernel drops them.
/// Thread safety: as Transport says.
class SocketTransport final : public Transport {
 public:
  /// Takes over a connected socket. `peer` is what peer() answers.
  SocketTransport(UniqueFd fd, PeerIdentity peer) noexcept;
  /// In the process that made it: ends the connection, even if a copy of the descriptor is left
  /// somewhere. In a forked child, which has no copy: nothing.
  ~SocketTransport() override;
  SocketTransport(const SocketTransport&) = delete;
  SocketTransport& operator=(const SocketTransport&) = delete;

  IoResult try_read(std::span<std::byte> into) override;
  IoResult try_write(std::span<const iovec> from) override;
  WaitAdvice prepare_wait(Interest interest) override;
  /// The first reason given is the one that later reads and writes fail with.
  void abort(std::error_code reason) noexcept override;
  const PeerIdentity& peer() const noexcept override { return peer_; }
  void shutdown_write() noexcept override;
  bool writes_fail_after_close() const noexcept override { return is_unix_; }

  int fd() const noexcept { return fd_.get(); }

 private:
  /// shutdown(2), but not from a forked child, where it would end the parent's connection.
  void shutdown(int how) noexcept;

  const detail::UnsharedFd fd_;
  const ForkMark made_in_;
  const bool is_unix_;
  bool has_large_buffer_ = false;  // the first large write asks for it
  AbortReason abort_reason_;
  const PeerIdentity peer_;
};

using SocketPair = std::pair<std::unique_ptr<SocketTransport>, std::unique_ptr<SocketTransport>>;

/// Two Unix sockets connected to each other, each with the credentials of this process.
Result<SocketPair> make_socketpair();

}  // namespace nearcall::inline v0::detail
