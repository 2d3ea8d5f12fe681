// SPDX-License-Identifier: Apache-2.0
// Which class serves which kind of endpoint.
#include "transport/make_transport.hpp"

#include "transport/tcp_connector.hpp"
#include "transport/tcp_listener.hpp"
#include "transport/unix_connector.hpp"
#include "transport/unix_listener.hpp"

#include <string>
#include <utility>

namespace nearcall {
namespace {

class RefusingConnector final : public Connector {
 public:
  explicit RefusingConnector(const Endpoint& endpoint) : target_(endpoint.to_string()) {}

  Task<Result<std::unique_ptr<Transport>>> connect(ConnectContext) override {
    co_return Status(StatusCode::failed_precondition,
                     target_ + ": such a target needs a connect callback");
  }

 private:
  const std::string target_;
};

}  // namespace

std::unique_ptr<Connector> make_connector(const Endpoint& endpoint) {
  switch (endpoint.kind()) {
    case Endpoint::Kind::unix_path:
    case Endpoint::Kind::unix_abstract:
      return std::make_unique<UnixConnector>(endpoint);
    case Endpoint::Kind::ipv4:
    case Endpoint::Kind::ipv6:
      return std::make_unique<TcpConnector>(endpoint);
    case Endpoint::Kind::authority:
      break;
  }
  return std::make_unique<RefusingConnector>(endpoint);
}

Result<std::unique_ptr<Listener>> make_listener(const Endpoint& endpoint,
                                                const ListenerOptions& options) {
  if ((options.mode & ~static_cast<mode_t>(0777)) != 0) {
    return Status(StatusCode::invalid_argument,
                  endpoint.to_string() + ": a mode has permission bits only (0777)");
  }
  switch (endpoint.kind()) {
    case Endpoint::Kind::unix_path:
    case Endpoint::Kind::unix_abstract:
      return std::unique_ptr<Listener>(std::make_unique<UnixListener>(endpoint, options));
    case Endpoint::Kind::ipv4:
    case Endpoint::Kind::ipv6:
      return std::unique_ptr<Listener>(std::make_unique<TcpListener>(endpoint, options));
    case Endpoint::Kind::authority:
      break;
  }
  return Status(StatusCode::invalid_argument,
                endpoint.to_string() + ": nobody can listen on such a target");
}

}  // namespace nearcall
