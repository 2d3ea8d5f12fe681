// SPDX-License-Identifier: Apache-2.0
// A daemon whose standard input all watchers get; a slow one holds up nobody. `tail -f log | …`
#include "broadcast/broadcaster.hpp"
#include "feed.nearcall.hpp"
#include "program.hpp"

#include <nearcall/server.hpp>

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>

using namespace std::chrono_literals;

using Lines = Broadcaster<feed::Event>;

/// What a thread of the device does, which blocks and knows of no loop.
void read_lines(const std::stop_token& stop, Lines& lines) {
  std::string input;  // up to the end of a line
  std::uint64_t number = 0;
  pollfd polled{STDIN_FILENO, POLLIN, 0};
  while (!stop.stop_requested()) {
    if (::poll(&polled, 1, /*milliseconds=*/100) <= 0) continue;
    std::array<char, 65536> bytes;
    const ssize_t size = ::read(STDIN_FILENO, bytes.data(), bytes.size());
    if (size <= 0) return;
    for (std::size_t i = 0; i < static_cast<std::size_t>(size); ++i) {
      if (bytes[i] != '\n') {
        input += bytes[i];
        continue;
      }
      feed::Event event;
      event.mutable_line()->set_number(++number);
      event.mutable_line()->set_text(std::exchange(input, {}));
      lines.publish(std::move(event));
    }
  }
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

    std::uint64_t last = 0;
    while (const auto event = co_await watcher.next()) {
      const std::uint64_t number = (*event)->line().number();
      if (last != 0 && number != last + 1) {
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
  limits.max_buffered_output_stream = 64 * 1024;  // what waits behind the queue is old
  nearcall::Server server(nearcall::ServerOptions().limits(limits).drain_timeout(500ms));
  server.add_service(service);
  const auto listening = server.try_listen(argv[1]);
  if (!listening) return report(listening.error());
  std::printf("listening on %s\n", argv[1]);
  std::fflush(stdout);

  const std::jthread device([&lines](const std::stop_token& stop) { read_lines(stop, lines); });
  return server.run();
}
