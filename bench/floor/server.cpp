// SPDX-License-Identifier: Apache-2.0
// The floor's servers: --mode spin, block, epoll or ring. They echo bytes, and know no more than
// the size of a message, which the client says first.
#include "common/options.hpp"
#include "floor/socket.hpp"

#include <sys/epoll.h>

#include <array>

namespace {

using bench::Options;
using bench::Wait;

/// Answers each whole message of one client after the other.
void serve_one_by_one(int listener, Wait wait) {
  std::vector<std::byte> message;
  for (;;) {
    const int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) bench::fail("accept");
    bench::enlarge_buffers(fd);
    std::uint64_t size = 0;
    if (bench::receive_all(fd, std::as_writable_bytes(std::span(&size, 1)), Wait::block)) {
      message.resize(size);
      while (bench::receive_all(fd, message, wait) && bench::send_all(fd, message, wait)) {
      }
    }
    close(fd);
  }
}

void serve_rings(int listener, const std::string& path) {
  std::vector<std::byte> message;
  for (;;) {
    const int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) bench::fail("accept");
    bench::RingPair& rings = bench::map_rings(path + ".ring", O_CREAT | O_TRUNC);
    std::uint64_t size = 0;
    const bool is_client =
        bench::send_all(fd, std::array<std::byte, 1>(), Wait::block) &&
        bench::receive_all(fd, std::as_writable_bytes(std::span(&size, 1)), Wait::block);
    message.resize(size);
    while (is_client && rings.to_server.read(message, rings.is_closed)) {
      rings.to_client.write(message);
    }
    munmap(&rings, sizeof rings);
    close(fd);
  }
}

/// Sends back what came, with one read and one write a wake-up and connection.
void echo_once(int fd, std::span<std::byte> buffer) {
  const ssize_t got = recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0 || !bench::send_all(fd, buffer.first(static_cast<std::size_t>(got)), Wait::spin)) {
    close(fd);
  }
}

void serve_epoll(int listener) {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  const auto watch = [&](int fd) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) bench::fail("epoll_ctl");
  };
  watch(listener);
  std::vector<std::byte> buffer(std::size_t{64} << 10U);
  std::array<epoll_event, 256> events;
  for (;;) {
    const int count = epoll_wait(epoll, events.data(), static_cast<int>(events.size()), -1);
    if (count < 0 && errno != EINTR) bench::fail("epoll_wait");
    for (int i = 0; i < count; ++i) {
      const int fd = events[static_cast<std::size_t>(i)].data.fd;
      if (fd != listener) {
        echo_once(fd, buffer);
        continue;
      }
      const int accepted = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
      if (accepted < 0) bench::fail("accept");
      watch(accepted);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    bench::raise_descriptor_limit();
    const Options options = bench::parse_options(argc, argv);
    const int listener = bench::listen_at(options.path());
    bench::say_ready();
    if (options.mode == "epoll") serve_epoll(listener);
    if (options.mode == "ring") serve_rings(listener, options.path());
    serve_one_by_one(listener, options.mode == "spin" ? Wait::spin : Wait::block);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
    return 1;
  }
}
