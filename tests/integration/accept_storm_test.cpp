// SPDX-License-Identifier: Apache-2.0
// More clients than the server has descriptors for: who is served stays so, and the rest passes.
#include "integration/server_process.hpp"
#include "transport/listening.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

ServerSetup with_few_descriptors() {
  ServerSetup setup;
  setup.prepare = [] {
    const rlimit few{64, 64};
    ::setrlimit(RLIMIT_NOFILE, &few);
  };
  return setup;
}

class AcceptStorm : public ServerProcessTest {
 protected:
  AcceptStorm() : ServerProcessTest(with_few_descriptors()) {}

  std::vector<detail::UniqueFd> storm() const {
    std::vector<detail::UniqueFd> clients(200);
    for (detail::UniqueFd& client : clients)
      client = connected_to(server_.path());
    return clients;
  }
  int lines_of_accept() const {
    std::istringstream lines(server_.log());
    int count = 0;
    for (std::string line; std::getline(lines, line);)
      count += line.find(": accept") != std::string::npos ? 1 : 0;
    return count;
  }
};

TEST_F(AcceptStorm, LeavesTheLivingAloneAndIsFollowedByNewClients) {
  const Channel channel(server_.target());
  auto chat = Echo::Client(channel).Chat(CallOptions().timeout(60s));
  const auto talk = [&chat] { return chat.write(request_of("x", 1)) && chat.read().has_value(); };
  ASSERT_TRUE(talk());
  const Clock::time_point begin = Clock::now();
  std::vector<detail::UniqueFd> clients = storm();

  while (lines_of_accept() == 0 && Clock::now() < begin + 10s)
    ASSERT_TRUE(talk());
  EXPECT_GE(lines_of_accept(), 1) << "the limit was not reached";
  for (int i = 0; i < 100; ++i)
    ASSERT_TRUE(talk()) << i;

  const auto seconds = std::chrono::ceil<std::chrono::seconds>(Clock::now() - begin).count();
  EXPECT_LE(lines_of_accept(), 1 + seconds) << server_.log();
  clients.clear();
  const Channel newcomer(server_.target());
  Status served;
  do {  // it may be turned away as long as the server has not seen that they have gone
    served = Echo::Client(newcomer).Unary(request_of("x"), CallOptions().timeout(20s)).status();
  } while (!served.ok() && Clock::now() < begin + 20s);
  EXPECT_TRUE(served.ok()) << served.to_string();
  EXPECT_TRUE(talk());
  chat.cancel();
}

}  // namespace
}  // namespace nearcall::test
