// SPDX-License-Identifier: Apache-2.0
// A server and a client in a loop of poll(2).
#include "guest.hpp"

#include <poll.h>

int main(int argc, char** argv) {
  if (argc != 2) return usage(argv[0]);
  nearcall::EventLoop loop;
  const nearcall::EventLoop::Binding binding(loop);
  // If the system has no descriptors left, fd() is -1: then this says so.
  if (const auto opened = loop.open(); !opened) return report(opened.error());
  Guest guest(loop, argv[1]);
  if (const auto started = guest.start_server(); !started) return report(started.error());

  bool is_over = false;
  guest.call([&is_over] { is_over = true; });
  pollfd polled{loop.fd(), POLLIN, 0};  // beside the program's own
  while (!is_over) {
    ::poll(&polled, 1, -1);
    if (polled.revents != 0) loop.poll();
  }
  // No timer of the library wakes a program that has nothing to do.
  int wakeups = 0;
  while (::poll(&polled, 1, 100) > 0 && ++wakeups < 10)
    loop.poll();
  return wakeups < 10 ? guest.exit_status() : 1;
}
