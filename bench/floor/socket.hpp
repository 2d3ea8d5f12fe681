// SPDX-License-Identifier: Apache-2.0
// Bare Unix sockets for the floor: no RPC, no library, messages of a size that both sides know.
#pragma once

#include "common/options.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <system_error>
#include <vector>

namespace bench {

/// The buffers of a socket: large, so that a large message does not wait for its reader.
inline constexpr int socket_buffer_size = 4 << 20;

[[noreturn]] inline void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

inline int make_socket(bool non_blocking) {
  const int type = SOCK_STREAM | SOCK_CLOEXEC | (non_blocking ? SOCK_NONBLOCK : 0);
  const int fd = socket(AF_UNIX, type, 0);
  if (fd < 0) fail("socket");
  return fd;
}

inline void enlarge_buffers(int fd) {
  setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &socket_buffer_size, sizeof socket_buffer_size);
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &socket_buffer_size, sizeof socket_buffer_size);
}

inline sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) throw std::runtime_error("the path is too long");
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

inline int listen_at(const std::string& path) {
  const int fd = make_socket(/*non_blocking=*/false);
  const sockaddr_un address = address_of(path);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) fail("bind");
  if (listen(fd, 4096) != 0) fail("listen");
  return fd;
}

inline int connect_to(const std::string& path) {
  const int fd = make_socket(/*non_blocking=*/false);
  enlarge_buffers(fd);
  const sockaddr_un address = address_of(path);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    fail("connect");
  }
  return fd;
}

/// The bytes of a message: something has to go, where an RPC of an empty payload has a head.
inline std::size_t message_size(const Options& options) {
  return std::max<std::size_t>(options.size, 1);
}

/// How one side waits for bytes.
enum class Wait : std::uint8_t { spin, block };

inline int flags_of(Wait wait) {
  return MSG_NOSIGNAL | (wait == Wait::spin ? MSG_DONTWAIT : 0);
}

/// False when the peer has gone.
inline bool send_all(int fd, std::span<const std::byte> bytes, Wait wait) {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd, bytes.data(), bytes.size(), flags_of(wait));
    if (sent > 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(sent));
    } else if (errno != EAGAIN && errno != EINTR) {
      return false;
    }
  }
  return true;
}
inline bool receive_all(int fd, std::span<std::byte> bytes, Wait wait) {
  while (!bytes.empty()) {
    const ssize_t got = recv(fd, bytes.data(), bytes.size(), flags_of(wait));
    if (got > 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(got));
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
      return false;
    }
  }
  return true;
}

/// One direction of the bare ring: one writer, one reader, both spinning, bytes copied in and out.
///
/// Atomics: `head` is moved by the writer, `tail` by the reader, both only upwards.
struct Ring {
  static constexpr std::size_t capacity = std::size_t{4} << 20U;

  alignas(64) std::atomic<std::uint64_t> head;
  alignas(64) std::atomic<std::uint64_t> tail;
  alignas(64) std::byte bytes[capacity];

  void write(std::span<const std::byte> from) {
    std::uint64_t at = head.load(std::memory_order_relaxed);
    while (!from.empty()) {
      const std::size_t room = capacity - (at - tail.load(std::memory_order_acquire));
      const std::size_t step = std::min({room, from.size(), capacity - at % capacity});
      if (step == 0) continue;
      std::memcpy(bytes + at % capacity, from.data(), step);
      from = from.subspan(step);
      at += step;
      head.store(at, std::memory_order_release);
    }
  }
  /// False once `is_closed` and there is nothing more.
  bool read(std::span<std::byte> into, const std::atomic<bool>& is_closed) {
    std::uint64_t at = tail.load(std::memory_order_relaxed);
    while (!into.empty()) {
      const std::size_t there = head.load(std::memory_order_acquire) - at;
      const std::size_t step = std::min({there, into.size(), capacity - at % capacity});
      if (step == 0) {
        if (is_closed.load(std::memory_order_relaxed)) return false;
        continue;
      }
      std::memcpy(into.data(), bytes + at % capacity, step);
      into = into.subspan(step);
      at += step;
      tail.store(at, std::memory_order_release);
    }
    return true;
  }
};

/// What both processes map.
struct RingPair {
  std::atomic<bool> is_closed;  // set by the client, once
  Ring to_server;
  Ring to_client;
};

/// Maps the file at `path`, which is all zeros at first.
inline RingPair& map_rings(const std::string& path, int open_flags) {
  const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC | open_flags, 0600);
  if (fd < 0 || ftruncate(fd, sizeof(RingPair)) != 0) fail("the ring's file");
  void* memory = mmap(nullptr, sizeof(RingPair), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) fail("mmap");
  close(fd);
  return *static_cast<RingPair*>(memory);
}

}  // namespace bench
