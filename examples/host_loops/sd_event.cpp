// SPDX-License-Identifier: Apache-2.0
// A server and a client in libsystemd's loop.
#include "guest.hpp"

#include <sys/epoll.h>
#include <systemd/sd-event.h>

#include <cstdint>

int main(int argc, char** argv) {
  if (argc != 2) return usage(argv[0]);
  nearcall::EventLoop loop;
  const nearcall::EventLoop::Binding binding(loop);
  Guest guest(loop, argv[1]);
  if (const auto started = guest.start_server(); !started) return report(started.error());

  sd_event* main_loop = nullptr;
  sd_event_new(&main_loop);
  const auto on_readable = [](sd_event_source*, int, std::uint32_t, void* readable) {
    static_cast<nearcall::EventLoop*>(readable)->poll();
    return 0;
  };
  sd_event_source* source = nullptr;
  sd_event_add_io(main_loop, &source, loop.fd(), EPOLLIN, on_readable, &loop);

  guest.call([main_loop] { sd_event_exit(main_loop, 0); });
  sd_event_loop(main_loop);
  sd_event_source_unref(source);  // before the EventLoop goes
  sd_event_unref(main_loop);
  return guest.exit_status();
}
