// SPDX-License-Identifier: Apache-2.0
// ChildTransport: a socket to a child of ours, which says how the child ended.
#pragma once

#include "base/unique_fd.hpp"
#include "transport/started_process.hpp"

#include <nearcall/transport.hpp>

#include <cstdint>
#include <memory>
#include <string>

namespace nearcall::inline v0::detail {

/// Our end of a socket pair, of which a child has the other one. It is broken when the child ends,
/// also where others have inherited its end, and the error says how the child ended.
///
/// A child that closes its end and lives on has only closed the connection.
/// Thread safety: as Transport says.
class ChildTransport final : public ForwardingTransport {
 public:
  /// UNAVAILABLE if there are no descriptors to wait with; `address` names it in errors.
  static Result<std::unique_ptr<Transport>> make(UniqueFd socket,
                                                 std::shared_ptr<StartedProcess> child,
                                                 const std::string& address);
  /// The child sees the end of the connection first, and then has its time to end.
  ~ChildTransport() override;

  IoResult try_read(std::span<std::byte> into) override;
  IoResult try_write(std::span<const iovec> from) override;
  WaitAdvice prepare_wait(Interest interest) override;

 private:
  ChildTransport(std::unique_ptr<Transport> socket,
                 std::shared_ptr<StartedProcess> child,
                 UniqueFd poller) noexcept
      : ForwardingTransport(std::move(socket)),
        child_(std::move(child)),
        poller_(std::move(poller)) {}
  /// Whether it is time to ask, and the child has ended.
  bool is_end_seen() noexcept;
  /// What the child's end makes of a failure of the socket, or of its end.
  IoResult explained(const IoResult& of_socket);

  /// When to ask for the child's end, which takes a system call: at the first read after a wait
  /// that would block, and not at all that follow while somebody spins. Before the next wait then:
  /// an edge of the poller may have come meanwhile, and does not come again.
  enum class Look : std::uint8_t { due, done, skipped };

  const std::shared_ptr<StartedProcess> child_;
  Look look_ = Look::due;  // for who reads
  /// Readable when the socket is, or when the child has ended.
  const UniqueFd poller_;
};

}  // namespace nearcall::inline v0::detail
