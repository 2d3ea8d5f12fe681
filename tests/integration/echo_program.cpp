// SPDX-License-Identifier: Apache-2.0
// A server that is started as a program is: echo_program [--anyone] TARGET… serves until SIGTERM.
#include "integration/echo_server.hpp"

#include <string_view>

int main(int argc, char** argv) {
  using namespace nearcall;
  test::EchoService service;
  Server server;
  server.add_service(service);
  const bool is_for_anyone = argc > 1 && std::string_view(argv[1]) == "--anyone";
  const ListenOptions options = is_for_anyone ? untrusted::anyone() : ListenOptions();
  for (int i = is_for_anyone ? 2 : 1; i < argc; ++i)
    server.listen(argv[i], options);
  return server.run();
}
