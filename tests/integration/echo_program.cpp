// SPDX-License-Identifier: Apache-2.0
// A server that is started as a program is: echo_program [--anyone | --keep] TARGET… until SIGTERM.
#include "integration/echo_server.hpp"

#include <nearcall/service_manager.hpp>

#include <string_view>

int main(int argc, char** argv) {
  using namespace nearcall;
  test::EchoService service;
  Server server;
  server.add_service(service);
  const std::string_view flag = argc > 1 ? argv[1] : "";
  ListenOptions options;
  if (flag == "--anyone") options.policy(untrusted::anyone());
  if (flag == "--keep") options.keep_in_store(true);
  for (int i = flag.starts_with("--") ? 2 : 1; i < argc; ++i)
    server.listen(argv[i], options);
  if (!server.addresses().empty()) static_cast<void>(service_manager::notify_ready());
  return server.run();
}
