// SPDX-License-Identifier: Apache-2.0
// Parsing of targets. Nothing but the target counts (and TMPDIR, for npipe:): proxy variables are
// never read.
#include "transport/endpoint.hpp"

#include "base/percent_encoding.hpp"
#include "base/quote.hpp"
#include "transport/command_line.hpp"
#include "transport/named_pipe.hpp"
#include "transport/socket_path.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <array>
#include <charconv>
#include <optional>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

/// sun_path has 108 bytes. A path needs its NUL at the end, an abstract name one in front.
constexpr std::size_t max_unix_name = max_path_in_address;

Status malformed(std::string_view target, std::string_view why) {
  std::string message = quote("target", target);
  message.append(": ").append(why);
  return Status::invalid_argument(std::move(message)).with_reason(StatusReason::bad_target);
}

/// What is left of `text` after `prefix`, if it starts with that.
std::optional<std::string_view> after(std::string_view prefix, std::string_view text) {
  if (!text.starts_with(prefix)) return std::nullopt;
  return text.substr(prefix.size());
}

/// Why `name` cannot be a Unix socket's name; empty if it can.
std::string unix_name_problem(std::string_view name, std::string_view what) {
  if (name.empty()) return "the " + std::string(what) + " is empty";
  if (name.size() > max_unix_name) {
    return "the " + std::string(what) + " has " + std::to_string(name.size()) +
           " bytes, the limit is " + std::to_string(max_unix_name);
  }
  return {};
}

/// What a target says, or what is wrong with it.
struct Parts {
  Endpoint::Kind kind;
  std::string name;
  std::uint32_t port;
};
using ParseResult = Result<Parts, std::string>;

Failure<std::string> wrong(std::string why) {
  return Failure{std::move(why)};
}

ParseResult parse_path(Endpoint::Kind kind, std::string_view path) {
  if (const auto hierarchical = after("//", path)) {
    path = *hierarchical;
    if (!path.starts_with('/')) {
      return wrong("after // the path must be absolute (unix:///path)");
    }
  }
  if (path.empty()) return wrong("the path is empty");
  if (std::string problem = socket_path_problem(path); !problem.empty()) {
    return wrong(std::move(problem));
  }
  if (path.find('\0') != std::string_view::npos) return wrong("the path contains a NUL byte");
  return Parts{kind, std::string(path), 0};
}

ParseResult parse_unix_path(std::string_view path) {
  return parse_path(Endpoint::Kind::unix_path, path);
}

/// gRPC takes the name from a URI, which would end before a '?' or '#'.
ParseResult parse_unix_abstract(std::string_view text) {
  if (text.find_first_of("?#") != std::string_view::npos) {
    return wrong("in an abstract name '?' is written %3F, and '#' %23");
  }
  std::string name = percent_decode(text);
  std::string problem = unix_name_problem(name, "abstract name");
  if (!problem.empty()) return wrong(std::move(problem));
  return Parts{Endpoint::Kind::unix_abstract, std::move(name), 0};
}

ParseResult parse_named_pipe(std::string_view name) {
  const Result<std::string> path = named_pipe_path(name);
  if (!path) return wrong(path.error().message());
  // .NET reaches no other.
  std::string problem = unix_name_problem(*path, "path");
  if (!problem.empty()) return wrong(std::move(problem));
  return parse_unix_path(*path);
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, port);
  if (text.empty() || text.size() > 5 || error != std::errc() || stop != end) return std::nullopt;
  return port;
}

/// The address in its canonical spelling, if it is a literal one of that family.
std::optional<std::string> canonical_address(int family, std::string_view text) {
  std::array<unsigned char, sizeof(in6_addr)> binary{};
  if (text.find('\0') != std::string_view::npos) return std::nullopt;
  if (::inet_pton(family, std::string(text).c_str(), binary.data()) != 1) return std::nullopt;
  std::array<char, INET6_ADDRSTRLEN> spelled{};
  if (::inet_ntop(family, binary.data(), spelled.data(), spelled.size()) == nullptr) {
    return std::nullopt;
  }
  return std::string(spelled.data());
}

struct HostAndPort {
  std::string_view host;
  std::string_view port;
};

/// "a:p" or, bracketed, "[a]:p".
std::optional<HostAndPort> split_host_and_port(std::string_view text, bool bracketed) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  if (bracketed) {
    if (!host.starts_with('[') || !host.ends_with(']') || host.size() < 2) return std::nullopt;
    host = host.substr(1, host.size() - 2);
  }
  return HostAndPort{host, text.substr(colon + 1)};
}

ParseResult parse_ip(Endpoint::Kind kind, std::string_view rest) {
  const bool is_ipv6 = kind == Endpoint::Kind::ipv6;
  const auto parts = split_host_and_port(rest, /*bracketed=*/is_ipv6);
  if (!parts) return wrong(is_ipv6 ? "not [address]:port" : "not address:port");
  auto address = canonical_address(is_ipv6 ? AF_INET6 : AF_INET, parts->host);
  if (!address) return wrong("the address is not a literal one of its family");
  const auto port = parse_port(parts->port);
  if (!port) return wrong("the port is not a number up to 65535");
  return Parts{kind, std::move(*address), *port};
}

bool is_authority(std::string_view text);

/// A name of DNS has at most 253 bytes. "dns:///host:port" is how gRPC spells it, too.
ParseResult parse_dns(std::string_view rest) {
  constexpr std::size_t longest = 253;
  if (const auto hierarchical = after("///", rest)) rest = *hierarchical;
  const bool is_bracketed = rest.starts_with('[');
  const auto parts = split_host_and_port(rest, is_bracketed);
  if (!parts) return wrong("not host:port");
  if (parts->host.empty() || parts->host.size() > longest) {
    return wrong("the host has no name, or one of more than 253 bytes");
  }
  const bool has_colon = parts->host.find(':') != std::string_view::npos;
  if (!is_authority(parts->host) || has_colon != is_bracketed) {
    return wrong("the host is neither a name nor an address; one of IPv6 is written [address]");
  }
  const auto port = parse_port(parts->port);
  if (!port || *port == 0) return wrong("the port is not a number from 1 to 65535");
  return Parts{Endpoint::Kind::dns, std::string(parts->host), *port};
}

std::optional<std::uint32_t> parse_number(std::string_view text) {
  std::uint32_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || stop != end) return std::nullopt;
  return number;
}

ParseResult parse_vsock(std::string_view rest) {
  const auto parts = split_host_and_port(rest, /*bracketed=*/false);
  if (!parts) return wrong("not cid:port");
  const auto cid = parse_number(parts->host);
  const auto port = parse_number(parts->port);
  if (!cid || !port) return wrong("the cid and the port are not numbers up to 4294967295");
  return Parts{Endpoint::Kind::vsock, std::to_string(*cid), *port};
}

ParseResult parse_descriptor(std::string_view text) {
  int fd = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, fd);
  if (error != std::errc() || stop != end || fd < 0) {
    return wrong("the descriptor is not a number of one");
  }
  return Parts{Endpoint::Kind::descriptor, std::to_string(fd), 0};
}

ParseResult parse_systemd(std::string_view name) {
  if (name.find(':') != std::string_view::npos) return wrong("such a name has no colon");
  return Parts{Endpoint::Kind::systemd, std::string(name), 0};
}

ParseResult parse_inproc(std::string_view name) {
  if (name.empty()) return wrong("the name is empty");
  return Parts{Endpoint::Kind::inproc, std::string(name), 0};
}

ParseResult parse_nameless(Endpoint::Kind kind, std::string_view rest) {
  if (!rest.empty()) return wrong("nothing may follow the colon");
  return Parts{kind, std::string(), 0};
}

ParseResult parse_command(std::string_view text) {
  const auto command = split_command(text);
  if (!command) return wrong(command.error());
  return Parts{Endpoint::Kind::command, std::string(text), 0};
}

bool is_authority(std::string_view text) {
  if (text.empty()) return false;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte >= 0x7f || c == '/' || c == '?' || c == '#' || c == '@') return false;
  }
  return true;
}

ParseResult parse_authority(std::string_view rest) {
  if (rest.ends_with('/')) rest.remove_suffix(1);
  if (!is_authority(rest)) return wrong("the authority is not host or host:port");
  return Parts{Endpoint::Kind::authority, std::string(rest), 0};
}

ParseResult parse_target(std::string_view target) {
  if (const auto rest = after("unix:", target)) return parse_unix_path(*rest);
  if (const auto rest = after("unix-abstract:", target)) return parse_unix_abstract(*rest);
  if (const auto rest = after("npipe:", target)) return parse_named_pipe(*rest);
  if (const auto rest = after("ipv4:", target)) return parse_ip(Endpoint::Kind::ipv4, *rest);
  if (const auto rest = after("ipv6:", target)) return parse_ip(Endpoint::Kind::ipv6, *rest);
  if (const auto rest = after("vsock:", target)) return parse_vsock(*rest);
  if (const auto rest = after("fd:", target)) return parse_descriptor(*rest);
  if (const auto rest = after("systemd:", target)) return parse_systemd(*rest);
  if (const auto rest = after("inproc:", target)) return parse_inproc(*rest);
  if (const auto rest = after("inherited:", target)) {
    return parse_nameless(Endpoint::Kind::inherited, *rest);
  }
  if (const auto rest = after("stdio:", target)) {
    return parse_nameless(Endpoint::Kind::stdio, *rest);
  }
  if (const auto rest = after("exec:", target)) return parse_command(*rest);
  if (const auto rest = after("fifo:", target)) return parse_path(Endpoint::Kind::fifo, *rest);
  if (const auto rest = after("unix-dir:", target)) {
    return parse_path(Endpoint::Kind::unix_directory, *rest);
  }
  if (const auto rest = after("dns:", target)) return parse_dns(*rest);
  if (const auto rest = after("http://", target)) return parse_authority(*rest);
  if (const auto rest = after("https://", target)) return parse_authority(*rest);
  return wrong(
      "unknown scheme; known are unix:path, unix-abstract:name, npipe:name, ipv4:address:port, "
      "ipv6:[address]:port, vsock:cid:port, fd:number, systemd:name, inproc:name, inherited:, "
      "stdio:, exec:command, fifo:directory, unix-dir:directory, dns:host:port, http://authority "
      "and https://authority");
}

}  // namespace

Result<Endpoint> Endpoint::parse(std::string_view target) {
  auto parts = parse_target(target);
  if (!parts) return malformed(target, parts.error());
  return Endpoint(parts->kind, std::move(parts->name), parts->port);
}

std::string abstract_target(std::string_view name) {
  return "unix-abstract:" + percent_encode_path(name);
}

std::string Endpoint::to_string() const {
  switch (kind_) {
    case Kind::unix_path:
      return "unix:" + name_;
    case Kind::unix_abstract:
      return abstract_target(name_);
    case Kind::ipv4:
      return "ipv4:" + name_ + ":" + std::to_string(port_);
    case Kind::ipv6:
      return "ipv6:[" + name_ + "]:" + std::to_string(port_);
    case Kind::vsock:
      return "vsock:" + name_ + ":" + std::to_string(port_);
    case Kind::descriptor:
      return "fd:" + name_;
    case Kind::systemd:
      return "systemd:" + name_;
    case Kind::inproc:
      return "inproc:" + name_;
    case Kind::inherited:
      return "inherited:";
    case Kind::stdio:
      return "stdio:";
    case Kind::command:
      return "exec:" + name_;
    case Kind::fifo:
      return "fifo:" + name_;
    case Kind::unix_directory:
      return "unix-dir:" + name_;
    case Kind::dns:
      return "dns:" + (name_.find(':') == std::string::npos ? name_ : "[" + name_ + "]") + ":" +
             std::to_string(port_);
    case Kind::authority:
      return "http://" + name_;
  }
  return {};
}

}  // namespace nearcall::inline v0::detail
