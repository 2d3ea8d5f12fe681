// SPDX-License-Identifier: Apache-2.0
// The floor's clients: the same exchanges as the RPC peers, with bare sockets or a bare ring.
#include "common/client_main.hpp"
#include "floor/socket.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <array>
#include <deque>

namespace {

using bench::Clock;
using bench::Meter;
using bench::Options;
using bench::Wait;

/// Tells the server the size of the messages.
int connect_and_say_size(const Options& options) {
  const int fd = bench::connect_to(options.path());
  const std::uint64_t size = bench::message_size(options);
  bench::require(bench::send_all(fd, std::as_bytes(std::span(&size, 1)), Wait::block), "no server");
  return fd;
}

void ping_pong(const Options& options, Wait wait) {
  const int fd = connect_and_say_size(options);
  std::vector<std::byte> message(bench::message_size(options));
  bench::measure_blocking(options, [&] {
    bench::require(bench::send_all(fd, message, wait) && bench::receive_all(fd, message, wait),
                   "the server has gone");
  });
}

void ping_pong_in_rings(const Options& options) {
  const int fd = bench::connect_to(options.path());
  std::array<std::byte, 1> is_ready{};
  bench::require(bench::receive_all(fd, is_ready, Wait::block), "no server");
  bench::RingPair& rings = bench::map_rings(options.path() + ".ring", 0);
  const std::uint64_t size = bench::message_size(options);
  bench::require(bench::send_all(fd, std::as_bytes(std::span(&size, 1)), Wait::block), "no server");
  std::vector<std::byte> message(bench::message_size(options));
  bench::measure_blocking(options, [&] {
    rings.to_server.write(message);
    rings.to_client.read(message, rings.is_closed);
  });
  rings.is_closed = true;
}

/// Parks as a blocking call of nearcall does: ppoll() on the socket and on what would cancel it.
/// The server parks in epoll_wait().
void ping_pong_polling(const Options& options) {
  const int fd = bench::connect_to(options.path());
  const int cancel = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  std::array<pollfd, 2> watched{pollfd{fd, POLLIN, 0}, pollfd{cancel, POLLIN, 0}};
  std::vector<std::byte> message(bench::message_size(options));
  bench::measure_blocking(options, [&] {
    bench::require(bench::send_all(fd, message, Wait::spin), "the server has gone");
    std::size_t got = 0;
    while (got < message.size()) {
      if (ppoll(watched.data(), watched.size(), nullptr, nullptr) < 0) bench::fail("ppoll");
      const ssize_t count = recv(fd, message.data() + got, message.size() - got, MSG_DONTWAIT);
      bench::require(count > 0, "the server has gone");
      got += static_cast<std::size_t>(count);
    }
  });
}

void unary(const Options& options) {
  // The epoll server echoes what it reads, at once: right only for what one read takes.
  const bool is_too_large = options.mode == "epoll" && options.size > (std::size_t{64} << 10U);
  if (options.threads != 1 || is_too_large) exit(bench::exit_no_such_case);
  if (options.mode == "ring") return ping_pong_in_rings(options);
  if (options.mode == "epoll") return ping_pong_polling(options);
  ping_pong(options, options.mode == "spin" ? Wait::spin : Wait::block);
}

/// The connections of a slot of `pipelined`, and the message that is under way on one of them.
struct Slot {
  std::size_t next = 0;
  Clock::time_point started;
};

/// `inflight` messages at a time over `connections` connections, with one epoll on either side.
class EpollCaller {
 public:
  explicit EpollCaller(const Options& options)
      : options_(options),
        message_(bench::message_size(options)),
        epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    for (std::size_t i = 0; i < options.connections; ++i) {
      connect(i);
    }
  }

  void run() {
    Meter meter(options_);
    for (std::size_t i = 0; i < options_.inflight; ++i) {
      begin(Slot{i % connections_.size(), Clock::now()});
    }
    flush();
    std::array<epoll_event, 256> events;
    while (!meter.is_over()) {
      const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
      for (int i = 0; i < count; ++i) {
        receive(connections_[events[static_cast<std::size_t>(i)].data.u64], meter);
      }
      flush();
    }
    meter.print();
  }

 private:
  struct Transport {
    int fd = -1;
    std::deque<Slot> waiting;  // in the order of their answers
    std::size_t unsent = 0;    // messages
    std::size_t got = 0;       // bytes of an unfinished answer
  };

  void connect(std::size_t index) {
    connections_.push_back(Transport{bench::connect_to(options_.path()), {}, 0, 0});
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = index;
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, connections_.back().fd, &event) != 0) {
      bench::fail("epoll_ctl");
    }
  }
  void begin(Slot slot) {
    Transport& connection = connections_[slot.next];
    if (connection.unsent++ == 0) to_flush_.push_back(slot.next);
    connection.waiting.push_back(slot);
  }
  /// What was begun on one connection leaves in one send().
  void flush() {
    for (const std::size_t index : to_flush_) {
      Transport& connection = connections_[index];
      buffer_.resize(std::max(buffer_.size(), connection.unsent * message_.size()));
      bench::send_all(connection.fd, std::span(buffer_).first(connection.unsent * message_.size()),
                      Wait::spin);
      connection.unsent = 0;
    }
    to_flush_.clear();
  }
  void receive(Transport& connection, Meter& meter) {
    const ssize_t count = recv(connection.fd, arrived_.data(), arrived_.size(), MSG_DONTWAIT);
    bench::require(count > 0, "the server has gone");
    connection.got += static_cast<std::size_t>(count);
    const Clock::time_point now = Clock::now();
    for (; connection.got >= message_.size(); connection.got -= message_.size()) {
      Slot slot = connection.waiting.front();
      connection.waiting.pop_front();
      meter.call_done(slot.started, now);
      const std::size_t following = slot.next + options_.inflight;
      slot.next = following < connections_.size()
                      ? following
                      : slot.next % options_.inflight % connections_.size();
      slot.started = now;
      begin(slot);
    }
  }

  const Options& options_;
  std::vector<std::byte> message_;
  std::vector<std::byte> buffer_;
  std::vector<std::byte> arrived_ = std::vector<std::byte>(std::size_t{64} << 10U);
  std::vector<Transport> connections_;
  std::vector<std::size_t> to_flush_;
  int epoll_;
};

void pipelined(const Options& options) {
  if (options.mode != "epoll") exit(bench::exit_no_such_case);
  EpollCaller(options).run();
}

void once(const Options& options) {
  ping_pong(options, Wait::block);
}

}  // namespace

int main(int argc, char** argv) {
  return bench::client_main(argc, argv,
                            {{"unary", unary}, {"pipelined", pipelined}, {"once", once}});
}
