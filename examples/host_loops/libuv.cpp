// SPDX-License-Identifier: Apache-2.0
// A server and a client in libuv's loop.
#include "guest.hpp"

#include <uv.h>

int main(int argc, char** argv) {
  if (argc != 2) return usage(argv[0]);
  nearcall::EventLoop loop;
  const nearcall::EventLoop::Binding binding(loop);
  Guest guest(loop, argv[1]);
  if (const auto started = guest.start_server(); !started) return report(started.error());

  uv_loop_t main_loop;
  uv_loop_init(&main_loop);
  uv_poll_t watcher;
  watcher.data = &loop;
  uv_poll_init(&main_loop, &watcher, loop.fd());
  uv_poll_start(&watcher, UV_READABLE, [](uv_poll_t* readable, int, int) {
    static_cast<nearcall::EventLoop*>(readable->data)->poll();
  });

  guest.call([&watcher] { uv_close(reinterpret_cast<uv_handle_t*>(&watcher), nullptr); });
  uv_run(&main_loop, UV_RUN_DEFAULT);  // until the watcher is closed: before the EventLoop goes
  uv_loop_close(&main_loop);
  return guest.exit_status();
}
