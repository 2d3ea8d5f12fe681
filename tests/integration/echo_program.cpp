// SPDX-License-Identifier: Apache-2.0
// A server that is started as a program is: echo_program [--anyone | --keep] [--threads=2] TARGET…
// until SIGTERM.
#include "integration/echo_server.hpp"

#include <nearcall/service_manager.hpp>

#include <string_view>

int main(int argc, char** argv) {
  using namespace nearcall;
  test::EchoService service;
  int next = 1;
  const auto is_said = [&](std::string_view flag) {
    const bool is_next = next < argc && argv[next] == flag;
    if (is_next) ++next;
    return is_next;
  };
  ListenOptions options;
  if (is_said("--anyone")) options.policy(untrusted::anyone());
  if (is_said("--keep")) options.keep_in_store(true);
  Server server(ServerOptions().threads(is_said("--threads=2") ? 2 : 1));
  server.add_service(service);
  for (; next < argc; ++next)
    server.listen(argv[next], options);
  if (!server.addresses().empty()) static_cast<void>(service_manager::notify_ready());
  return server.run();
}
