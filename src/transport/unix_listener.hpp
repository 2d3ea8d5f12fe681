// SPDX-License-Identifier: Apache-2.0
// UnixListener: listens on a path or on an abstract name.
#pragma once

#include "base/fork_mark.hpp"
#include "transport/acceptor.hpp"
#include "transport/endpoint.hpp"
#include "transport/socket_file.hpp"
#include "transport/takeover_offer.hpp"
#include "transport/takeover_request.hpp"

#include <nearcall/listen_options.hpp>
#include <nearcall/transport.hpp>

#include <memory>
#include <optional>
#include <string>

namespace nearcall::inline v0::detail {

/// Listens on a Unix stream socket; SocketFile says how a path is taken. An abstract name has no
/// file, hence no permissions: whoever shares the network namespace may connect.
/// Checks nobody: who may stay is decided from connection->peer().
///
/// With ListenOptions::take_over() a path goes from one process to the next together with the
/// socket that listens there (decision 016): bind() asks the one that listens, the first
/// check_name(), which is that of a server that accepts now, says so to it, and from its answer on
/// the path is ours. Then the same is offered to the next.
///
/// With ListenOptions::keep_in_store() the service manager has a copy of the socket, and bind()
/// begins with what it passed. unbind() leaves the path and those who wait to the next process.
/// Thread safety: as Listener says.
class UnixListener final : public Listener {
 public:
  /// REQUIRES: a Unix endpoint.
  explicit UnixListener(const Endpoint& endpoint, ListenOptions options = ListenOptions());
  ~UnixListener() override;

  Result<void> bind() override;
  Result<std::unique_ptr<Transport>> try_accept() override;
  WaitAdvice prepare_wait() override;
  void unbind() noexcept override;
  Result<bool> check_name() override;
  bool is_over() const noexcept override { return is_over_; }
  std::string address() const override { return address_; }
  bool knows_credentials() const noexcept override { return true; }
  /// Against the mode and the group of its options.
  Result<void> check_policy(const PeerPolicy& policy) const override;

 private:
  Result<UniqueFd> make_socket() const;
  Result<UniqueFd> next_socket();
  Result<void> bind_path();
  /// What the service manager has kept, or nothing was: false.
  Result<bool> bind_kept();
  /// Has the service manager keep the socket that listens now.
  void keep();
  void drop_kept() noexcept;
  /// Stays where it is for the next process: names, socket, and who waits.
  void put_back() noexcept;
  Result<void> bind_or_take_over();
  Result<void> take_over(std::unique_ptr<TakeoverRequest> request);
  /// The socket and its name are ours alone, as far as others are told.
  void own();
  Result<void> offer_takeover();
  /// RESOURCE_EXHAUSTED: somebody asks, and there is no descriptor for him.
  Result<void> look_at_takeover();
  Result<void> look_at_offer();
  bool watch(int fd) const noexcept;
  void unwatch(int fd) const noexcept;

  const Endpoint endpoint_;
  const std::string address_;
  const ListenOptions options_;
  std::unique_ptr<SocketFile> file_;
  std::unique_ptr<Acceptor> acceptor_;
  /// Whose name was removed: some who had connected before may still wait there. It stays for one
  /// check longer, as its descriptor may be watched.
  std::unique_ptr<Acceptor> former_;
  /// In the service manager's store; empty if it is not there.
  std::string stored_name_;
  /// Where a takeover may come: what it waits for, and the socket that listens.
  UniqueFd poller_;
  /// Forked children take no part.
  std::optional<ForkMark> bound_in_;
  /// Until the path is ours.
  std::unique_ptr<TakeoverRequest> request_;
  bool has_said_take_ = false;
  std::unique_ptr<TakeoverOffer> offer_;
  /// Another process has the socket now, and we have not.
  bool is_over_ = false;
  /// Since somebody was offered it.
  int checks_of_offer_ = 0;
  bool is_unbound_ = false;
};

}  // namespace nearcall::inline v0::detail
