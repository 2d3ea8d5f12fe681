// SPDX-License-Identifier: Apache-2.0
// A server and a client in GLib's main loop, which is GTK's, too.
#include "guest.hpp"

#include <glib-unix.h>

int main(int argc, char** argv) {
  if (argc != 2) return usage(argv[0]);
  nearcall::EventLoop loop;
  const nearcall::EventLoop::Binding binding(loop);
  Guest guest(loop, argv[1]);
  if (const auto started = guest.start_server(); !started) return report(started.error());

  const auto on_readable = [](int, GIOCondition, void* readable) -> gboolean {
    static_cast<nearcall::EventLoop*>(readable)->poll();
    return G_SOURCE_CONTINUE;
  };
  const guint source = g_unix_fd_add(loop.fd(), G_IO_IN, on_readable, &loop);

  GMainLoop* const main_loop = g_main_loop_new(nullptr, FALSE);
  guest.call([main_loop] { g_main_loop_quit(main_loop); });
  g_main_loop_run(main_loop);
  g_main_loop_unref(main_loop);
  g_source_remove(source);  // before the EventLoop goes
  return guest.exit_status();
}
