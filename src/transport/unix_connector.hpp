// SPDX-License-Identifier: Apache-2.0
// UnixConnector: connects to a path or to an abstract name.
#pragma once

#include "transport/endpoint.hpp"

#include <nearcall/transport.hpp>

#include <memory>
#include <string>

namespace nearcall::inline v0::detail {

/// Connects a Unix stream socket.
///
/// Usually done at once, without a suspension. Where the server's backlog is full (EAGAIN: Unix
/// sockets have no connect in progress) it tries again, after 1 ms doubling to 50 ms, until the
/// deadline or the cancellation. peer() has the credentials of whoever called listen().
/// Thread safety: as Connector says.
class UnixConnector final : public Connector {
 public:
  /// REQUIRES: a Unix endpoint.
  explicit UnixConnector(const Endpoint& endpoint);

  Task<Result<std::unique_ptr<Transport>>> connect(ConnectContext context) override;

 private:
  Status failure(int number) const;

  /// 0, or errno.
  int connect_once(int socket) const;

  const Endpoint endpoint_;
  const std::string target_;
};

}  // namespace nearcall::inline v0::detail
