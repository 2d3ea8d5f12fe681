// SPDX-License-Identifier: Apache-2.0
// UnixListener: listens on a path or on an abstract name.
#pragma once

#include "transport/acceptor.hpp"
#include "transport/endpoint.hpp"
#include "transport/socket_file.hpp"

#include <nearcall/listen_options.hpp>
#include <nearcall/transport.hpp>

#include <memory>
#include <string>

namespace nearcall::inline v0::detail {

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
  Result<bool> check_name() override;
  std::string address() const override { return address_; }
  bool knows_credentials() const noexcept override { return true; }
  /// Against the mode and the group of its options.
  Result<void> check_policy(const PeerPolicy& policy) const override;

 private:
  Result<UniqueFd> make_socket() const;
  Result<UniqueFd> next_socket();

  const Endpoint endpoint_;
  const std::string address_;
  const ListenOptions options_;
  std::unique_ptr<SocketFile> file_;
  std::unique_ptr<Acceptor> acceptor_;
  /// Whose name was removed: some who had connected before may still wait there. It stays for one
  /// check longer, as its descriptor may be watched.
  std::unique_ptr<Acceptor> former_;
  bool is_unbound_ = false;
};

}  // namespace nearcall::inline v0::detail
