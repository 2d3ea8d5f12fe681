// SPDX-License-Identifier: Apache-2.0
// nearcall's server in the comparison.
#include "common/options.hpp"
#include "nearcall/echo_service.hpp"
#include "nearcall/filler.hpp"

#include <nearcall/server.hpp>

#include <chrono>
#include <memory>

namespace {

/// Echo's unary method as a function that may block.
class EchoFunctions final : public bench::Echo::BlockingService {
  Result<bench::Message> Unary(ServerContext&, const bench::Message& request) override {
    return request;
  }
};

nearcall::ServerOptions server_options(const bench::Options& options) {
  nearcall::ConnectionLimits limits;
  limits.max_concurrent_streams = 100'000;
  nearcall::ServerOptions result;
  result.max_receive_message_size(std::size_t{64} << 20U)
      .max_connections(100'000)
      .max_connections_per_uid(100'000)
      .limits(limits)
      .drain_timeout(std::chrono::seconds(1))
      .threads(options.threads);
  if (options.mode == "park") result.spin(nearcall::SpinPolicy::off());
  if (options.has_gzip) result.compression(nearcall::Codec::gzip());
  return result;
}

}  // namespace

int main(int argc, char** argv) {
  bench::raise_descriptor_limit();
  const bench::Options options = bench::parse_options(argc, argv);
  std::shared_ptr<nearcall::Service> echo;
  if (options.has_functions) {
    echo = std::make_shared<EchoFunctions>();
  } else {
    echo = std::make_shared<bench::EchoService>();
  }
  std::vector<std::unique_ptr<bench::FillerService>> fillers;
  nearcall::Server server(server_options(options));
  server.add_service(echo);
  for (std::size_t i = 0; i < options.methods; ++i) {
    fillers.push_back(std::make_unique<bench::FillerService>(i));
    server.add_service(*fillers.back());
  }
  server.listen(options.address);
  if (!server.addresses().empty()) bench::say_ready();
  return server.run();
}
