// SPDX-License-Identifier: Apache-2.0
// UnixListener: listens on a path or on an abstract name.
#pragma once

#include "transport/acceptor.hpp"
#include "transport/socket_file.hpp"

#include <nearcall/endpoint.hpp>
#include <nearcall/listen_options.hpp>
#include <nearcall/transport.hpp>

#include <memory>
#include <optional>
#include <string>

namespace nearcall {

/// Listens on a Unix stream socket; SocketFile says how a path is taken. An abstract name has no
/// file, hence no permissions: whoever shares the network namespace may connect.
/// Checks nobody: who may stay is decided from connection->peer().
/// Thread safety: as Listener says.
class UnixListener final : public Listener {
 public:
  /// REQUIRES: a Unix endpoint.
  explicit UnixListener(const Endpoint& endpoint, ListenOptions options = ListenOptions());

  Result<void> bind() override;
  Result<std::unique_ptr<Transport>> try_accept() override;
  WaitAdvice prepare_wait() override;
  void unbind() noexcept override;
  std::string address() const override { return address_; }
  bool knows_credentials() const noexcept override { return true; }

 private:
  const Endpoint endpoint_;
  const std::string address_;
  const ListenOptions options_;
  /// The name outlives the listening socket, from unbind() to destruction.
  std::unique_ptr<SocketFile> file_;
  std::optional<Acceptor> acceptor_;
};

}  // namespace nearcall
