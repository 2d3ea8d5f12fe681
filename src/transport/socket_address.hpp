// SPDX-License-Identifier: Apache-2.0
// SocketAddress: what the socket calls take, made from an Endpoint and turned back into a target.
#pragma once

#include "transport/endpoint.hpp"

#include <nearcall/result.hpp>

#include <sys/socket.h>

#include <string>

namespace nearcall::inline v0::detail {

/// An address of a stream socket, with its exact length.
///
/// The length matters: abstract names have no terminating NUL, and every byte counts.
/// A value. Thread safety: as an int.
class SocketAddress {
 public:
  /// No address; what the kernel gives for an unbound Unix socket.
  SocketAddress() noexcept = default;
  /// REQUIRES: not Kind::descriptor, systemd or authority.
  explicit SocketAddress(const Endpoint& endpoint);
  /// A Unix path outside the target syntax. REQUIRES: at most 107 bytes, none of them NUL.
  static SocketAddress unix_path(std::string_view path);
  /// An abstract name. REQUIRES: at most 107 bytes.
  static SocketAddress unix_abstract(std::string_view name);
  /// The address a socket is bound to, or an unset one if it cannot be told.
  static SocketAddress local(int fd) noexcept;
  /// The address a socket is connected to, or an unset one if it cannot be told.
  static SocketAddress remote(int fd) noexcept;

  int family() const noexcept { return storage_.ss_family; }
  const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&storage_); }
  socklen_t size() const noexcept { return size_; }
  /// In target form: "ipv4:127.0.0.1:4711"; "unix:" for an unnamed Unix socket.
  std::string to_string() const;

 private:
  void set_unix_name(std::string_view name, bool is_abstract);

  sockaddr_storage storage_{};
  socklen_t size_ = 0;
};

}  // namespace nearcall::inline v0::detail
