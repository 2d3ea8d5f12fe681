// SPDX-License-Identifier: Apache-2.0
// Endpoint: where a server listens and a channel connects.
#pragma once

#include <nearcall/result.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace nearcall::inline v0::detail {

/// A parsed target; make_connector() in nearcall/transport.hpp says what there is. Paths are taken
/// as they are, byte for byte: "%20" stays "%20". In abstract names it is a space, as in gRPC. A
/// named pipe is the path of its socket: the endpoint depends on TMPDIR as it is when parsed.
///
/// A value. Thread safety: as a std::string.
class Endpoint {
 public:
  /// What the part before the first colon said.
  enum class Kind : std::uint8_t {
    unix_path,
    unix_abstract,
    ipv4,
    ipv6,
    vsock,
    descriptor,
    systemd,
    inproc,
    inherited,
    stdio,
    command,
    fifo,
    dns,
    unix_directory,
    authority
  };

  /// INVALID_ARGUMENT names the part that is wrong: an unknown scheme, an empty or over-long path
  /// (with its length in bytes and the limit), a malformed address or port.
  static Result<Endpoint> parse(std::string_view target);

  Kind kind() const noexcept { return kind_; }
  /// The path (of the directory, for fifo and unix-dir), the name of a host, the abstract name
  /// (without the leading NUL, and without escapes), the IP address, the number of the descriptor,
  /// the name of what systemd passes ("": all of it), the name within the process, the command as
  /// it was written, or the authority; "" for what has no name.
  const std::string& name() const noexcept { return name_; }
  /// 0 for everything but ipv4, ipv6, dns and vsock; 32 bits for the last one.
  std::uint32_t port() const noexcept { return port_; }
  /// The canonical target: "unix:/run/x.sock".
  std::string to_string() const;

  friend bool operator==(const Endpoint&, const Endpoint&) = default;

 private:
  Endpoint(Kind kind, std::string name, std::uint32_t port)
      : kind_(kind), port_(port), name_(std::move(name)) {}

  Kind kind_;
  std::uint32_t port_;
  std::string name_;
};

/// "unix-abstract:" and the name, with escapes where a URI needs them.
std::string abstract_target(std::string_view name);

}  // namespace nearcall::inline v0::detail
