// SPDX-License-Identifier: Apache-2.0
// A server that is started as a program is: echo_program TARGET… serves until SIGTERM.
#include "integration/echo_server.hpp"

int main(int argc, char** argv) {
  nearcall::test::EchoService service;
  nearcall::Server server;
  server.add_service(service);
  for (int i = 1; i < argc; ++i)
    server.listen(argv[i]);
  return server.run();
}
