// SPDX-License-Identifier: Apache-2.0
// The smallest server, with one of the services or without: how large it is, is what is tested.
#include <google/protobuf/wrappers.pb.h>
#ifdef WITH_CHANNELZ
#include <nearcall/channelz.hpp>
#endif
#ifdef WITH_HEALTH
#include <nearcall/health.hpp>
#endif
#ifdef WITH_METRICS
#include <nearcall/metrics.hpp>

#include <memory>
#endif
#ifdef WITH_REFLECTION
#include <nearcall/reflection.hpp>
#endif
#ifdef WITH_RICH_ERRORS
#include <nearcall/rich_status.hpp>
#endif
#include <nearcall/server.hpp>
#include <nearcall/service.hpp>

namespace {

constexpr nearcall::Method method = {"/test.Echo/Echo", nearcall::MethodKind::unary};

class EchoService final : public nearcall::Service {
 public:
  EchoService()
      : Service("test.Echo",
                {nearcall::detail::unary_handler<EchoService,
                                                 google::protobuf::StringValue,
                                                 google::protobuf::StringValue,
                                                 &EchoService::echo>(method)}) {}

 private:
  Task<Result<google::protobuf::StringValue>> echo(ServerContext& /*call*/,
                                                   google::protobuf::StringValue request) {
#ifdef WITH_RICH_ERRORS
    if (request.value().empty()) {
      co_return nearcall::RichStatus(StatusCode::invalid_argument, "empty")
          .add(request)
          .to_status();
    }
#endif
    co_return request;
  }
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  EchoService echo;
#ifdef WITH_METRICS
  const auto metrics = std::make_shared<nearcall::Metrics>();
  nearcall::Server server(nearcall::ServerOptions().observer(metrics));
  nearcall::add_metrics(server, metrics);
#else
  nearcall::Server server;
#endif
  server.add_service(echo);
#ifdef WITH_CHANNELZ
  nearcall::Channelz channelz;
  server.add_service(channelz);
  channelz.add(server);
#endif
#ifdef WITH_HEALTH
  nearcall::Health health;
  server.add_service(health);
#endif
#ifdef WITH_REFLECTION
  nearcall::add_reflection(server);
#endif
  server.listen(argv[1]);
  return server.run();
}
