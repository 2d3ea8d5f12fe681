// SPDX-License-Identifier: Apache-2.0
// Filling and reading of sockaddr structures.
#include "transport/socket_address.hpp"

#include "base/check.hpp"

#include <arpa/inet.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>

namespace nearcall::inline v0::detail {
namespace {

constexpr std::size_t path_offset = offsetof(sockaddr_un, sun_path);

using NameCall = int (*)(int, sockaddr*, socklen_t*);

/// Runs getsockname or getpeername. The size the kernel reports may exceed what it stored.
socklen_t ask(NameCall call, int fd, sockaddr_storage& storage) noexcept {
  socklen_t size = sizeof storage;
  if (call(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) {
    storage = {};
    return 0;
  }
  return std::min(size, static_cast<socklen_t>(sizeof storage));
}

std::string unix_target(const sockaddr_storage& storage, socklen_t size) {
  if (size <= path_offset) return "unix:";
  const char* const path = reinterpret_cast<const char*>(&storage) + path_offset;
  const std::size_t length = size - path_offset;
  if (path[0] == '\0') return abstract_target({path + 1, length - 1});
  return "unix:" + std::string(path, ::strnlen(path, length));
}

std::string vsock_target(const sockaddr_storage& storage) {
  sockaddr_vm address{};
  std::memcpy(&address, &storage, sizeof address);
  return "vsock:" + std::to_string(address.svm_cid) + ":" + std::to_string(address.svm_port);
}

template <class Address, class Binary>
std::string ip_target(const sockaddr_storage& storage,
                      Binary Address::*binary,
                      in_port_t Address::*port,
                      const char* prefix,
                      const char* separator) {
  Address address{};
  std::memcpy(&address, &storage, sizeof address);
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(storage.ss_family, &(address.*binary), text.data(), text.size());
  return prefix + std::string(text.data()) + separator + std::to_string(ntohs(address.*port));
}

}  // namespace

SocketAddress::SocketAddress(const Endpoint& endpoint) {
  switch (endpoint.kind()) {
    case Endpoint::Kind::unix_path:
      set_unix_name(endpoint.name(), /*is_abstract=*/false);
      return;
    case Endpoint::Kind::unix_abstract:
      set_unix_name(endpoint.name(), /*is_abstract=*/true);
      return;
    case Endpoint::Kind::ipv4: {
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_port = htons(static_cast<std::uint16_t>(endpoint.port()));
      CHECK(::inet_pton(AF_INET, endpoint.name().c_str(), &address.sin_addr) == 1, endpoint.name());
      std::memcpy(&storage_, &address, sizeof address);
      size_ = sizeof address;
      return;
    }
    case Endpoint::Kind::ipv6: {
      sockaddr_in6 address{};
      address.sin6_family = AF_INET6;
      address.sin6_port = htons(static_cast<std::uint16_t>(endpoint.port()));
      CHECK(::inet_pton(AF_INET6, endpoint.name().c_str(), &address.sin6_addr) == 1,
            endpoint.name());
      std::memcpy(&storage_, &address, sizeof address);
      size_ = sizeof address;
      return;
    }
    case Endpoint::Kind::vsock: {
      sockaddr_vm address{};
      address.svm_family = AF_VSOCK;
      address.svm_cid = static_cast<unsigned>(std::stoul(endpoint.name()));
      address.svm_port = endpoint.port();
      std::memcpy(&storage_, &address, sizeof address);
      size_ = sizeof address;
      return;
    }
    case Endpoint::Kind::descriptor:
    case Endpoint::Kind::inproc:
    case Endpoint::Kind::fifo:
    case Endpoint::Kind::dns:
    case Endpoint::Kind::unix_directory:
    case Endpoint::Kind::systemd:
    case Endpoint::Kind::inherited:
    case Endpoint::Kind::stdio:
    case Endpoint::Kind::command:
    case Endpoint::Kind::authority:
      break;
  }
  CHECK(false && "it has no socket address", endpoint.to_string());
}

SocketAddress SocketAddress::unix_path(std::string_view path) {
  SocketAddress address;
  address.set_unix_name(path, /*is_abstract=*/false);
  return address;
}

SocketAddress SocketAddress::unix_abstract(std::string_view name) {
  SocketAddress address;
  address.set_unix_name(name, /*is_abstract=*/true);
  return address;
}

SocketAddress SocketAddress::local(int fd) noexcept {
  SocketAddress address;
  address.size_ = ask(::getsockname, fd, address.storage_);
  return address;
}

SocketAddress SocketAddress::remote(int fd) noexcept {
  SocketAddress address;
  address.size_ = ask(::getpeername, fd, address.storage_);
  return address;
}

void SocketAddress::set_unix_name(std::string_view name, bool is_abstract) {
  // Either one NUL in front (an abstract name) or one behind (a path): counted in both cases.
  CHECK(name.size() < sizeof(sockaddr_un::sun_path), name.size());
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path + (is_abstract ? 1 : 0), name.data(), name.size());
  std::memcpy(&storage_, &address, sizeof address);
  size_ = static_cast<socklen_t>(path_offset + name.size() + 1);
}

std::string SocketAddress::to_string() const {
  switch (family()) {
    case AF_UNIX:
      return unix_target(storage_, size_);
    case AF_INET:
      return ip_target(storage_, &sockaddr_in::sin_addr, &sockaddr_in::sin_port, "ipv4:", ":");
    case AF_INET6:
      return ip_target(storage_, &sockaddr_in6::sin6_addr, &sockaddr_in6::sin6_port, "ipv6:[",
                       "]:");
    case AF_VSOCK:
      return vsock_target(storage_);
    default:
      return {};
  }
}

}  // namespace nearcall::inline v0::detail
