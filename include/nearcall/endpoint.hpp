// SPDX-License-Identifier: Apache-2.0
// Endpoint: where a server listens and a channel connects.
#pragma once

#include <nearcall/result.hpp>

#include <cstdint>
#include <string>
#include <string_view>

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0 {

/// A parsed target (gRPC: doc/naming.md), one of
///
///     unix:relative/or/absolute/path     unix:///absolute/path      a path of at most 107 bytes
///     unix-abstract:name                                            a name of at most 107 bytes
///     ipv4:127.0.0.1:50051               ipv6:[::1]:50051           a literal address and a port
///     http://authority                                              only with a connect callback
///
/// Paths and names are taken as they are, byte for byte: "%20" stays "%20". https:// means http://:
/// encryption is the business of the connect callback.
///
/// A value. Thread safety: as a std::string.
class Endpoint {
 public:
  /// What the part before the first colon said.
  enum class Kind : std::uint8_t { unix_path, unix_abstract, ipv4, ipv6, authority };

  /// INVALID_ARGUMENT names the part that is wrong: an unknown scheme, an empty or over-long path
  /// (with its length in bytes and the limit), a malformed address or port.
  static Result<Endpoint> parse(std::string_view target);

  Kind kind() const noexcept { return kind_; }
  /// The path, the abstract name (without the leading NUL), the IP address, or the authority.
  const std::string& name() const noexcept { return name_; }
  /// 0 for everything but ipv4 and ipv6.
  std::uint16_t port() const noexcept { return port_; }
  /// The canonical target: "unix:/run/x.sock".
  std::string to_string() const;

  friend bool operator==(const Endpoint&, const Endpoint&) = default;

 private:
  Endpoint(Kind kind, std::string name, std::uint16_t port)
      : kind_(kind), port_(port), name_(std::move(name)) {}

  Kind kind_;
  std::uint16_t port_;
  std::string name_;
};

}  // namespace nearcall::inline v0

#pragma GCC visibility pop
