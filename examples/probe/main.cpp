// SPDX-License-Identifier: Apache-2.0
// What a service manager runs to see whether a server serves: exits with 0 if so.
#include "program.hpp"

#include <nearcall/channel.hpp>
#include <nearcall/health.hpp>

#include <chrono>
#include <cstdio>
#include <string>

int main(int argc, char** argv) {
  if (argc != 2) return usage(argv[0]);
  const nearcall::Channel channel(argv[1]);
  const auto soon = nearcall::CallOptions().timeout(std::chrono::seconds(1));
  const auto health = nearcall::check_health(channel, "", soon);  // the server as a whole
  if (!health) return report(health.error());
  std::puts(std::string(to_string(*health)).c_str());
  return *health == nearcall::ServingStatus::serving ? 0 : 1;
}
