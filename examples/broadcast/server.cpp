// SPDX-License-Identifier: Apache-2.0
// A daemon whose standard input all watchers get; a slow one holds up nobody. `tail -f log | …`
#include "broadcast/broadcaster.hpp"
#include "feed.nearcall.hpp"
#include "program.hpp"

#include <nearcall/server.hpp>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

using namespace std::chrono_literals;

using Lines = Broadcaster<feed::Event>;

/// The device's thread: it blocks, and knows of no loop. Until the input ends, or `stop` is
/// readable.
void read_lines(Lines& lines, int stop) {
  std::uint64_t number = 0;
  std::string line;
  const auto publish = [&lines, &number, &line] {
    feed::Event event;
    event.mutable_line()->set_number(++number);
    event.mutable_line()->set_text(std::exchange(line, {}));
    lines.publish(std::move(event));
  };
  std::array<pollfd, 2> polled{{{STDIN_FILENO, POLLIN, 0}, {stop, POLLIN, 0}}};
  while (polled[1].revents == 0) {
    if (::poll(polled.data(), polled.size(), -1) < 0 || polled[0].revents == 0) continue;
    std::array<char, 65536> bytes;
    const ssize_t size = ::read(STDIN_FILENO, bytes.data(), bytes.size());
    if (size <= 0) break;
    for (const char byte : std::string_view(bytes.data(), static_cast<std::size_t>(size))) {
      if (byte == '\n') {
        publish();
      } else {
        line += byte;
      }
    }
  }
  if (!line.empty()) publish();
}

class FeedService final : public feed::Feed::Service {
 public:
  explicit FeedService(Lines& lines) : lines_(lines) {}

 private:
  Task<Status> Watch(ServerContext& call,
                     feed::WatchRequest request,
                     ServerWriter<feed::Event>& replies) override {
    Lines::Watcher watcher(
        lines_, 64, request.when_slow() == feed::END ? WhenFull::end : WhenFull::drop_oldest);
    const auto end = [&watcher] { watcher.end(); };
    const std::stop_callback when_it_leaves(call.cancellation(), end);
    const std::stop_callback when_we_stop(call.server_stopping(), end);
    say("a watcher comes");

    std::uint64_t last = watcher.began_after();
    while (const auto event = co_await watcher.next()) {
      const std::uint64_t number = (*event)->line().number();
      if (number != last + 1) {
        feed::Event gap;
        gap.set_dropped(number - last - 1);
        if (!co_await replies.write(gap)) break;
      }
      if (!co_await replies.write(**event)) break;
      last = number;
    }
    say("a watcher goes");
    if (watcher.was_too_slow()) co_return Status::resource_exhausted("the watcher is too slow");
    co_return Status();
  }

  void say(const char* what) const {
    std::printf("%s (%zu)\n", what, lines_.watchers());
    std::fflush(stdout);
  }

  Lines& lines_;
};

int main(int argc, char** argv) {
  if (argc != 2) return usage(argv[0]);
  Lines lines;
  FeedService service(lines);
  nearcall::ConnectionLimits limits;
  limits.max_buffered_output_stream = 65'536;  // what waits behind the queue is old
  nearcall::Server server(nearcall::ServerOptions().limits(limits).drain_timeout(500ms));
  server.add_service(service);
  const auto listening = server.try_listen(argv[1]);
  if (!listening) return report(listening.error());
  std::printf("listening on %s\n", argv[1]);
  std::fflush(stdout);

  const int stop = ::eventfd(0, EFD_CLOEXEC);
  std::thread device([&lines, stop] { read_lines(lines, stop); });
  const int status = server.run();
  ::eventfd_write(stop, 1);
  device.join();
  ::close(stop);
  return status;
}
