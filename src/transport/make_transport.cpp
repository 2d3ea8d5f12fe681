// SPDX-License-Identifier: Apache-2.0
// Which class serves which kind of endpoint.
#include "transport/make_transport.hpp"

#include "transport/listen_access.hpp"
#include "transport/tcp_connector.hpp"
#include "transport/tcp_listener.hpp"
#include "transport/unix_connector.hpp"
#include "transport/unix_listener.hpp"

#include <string>
#include <utility>

namespace nearcall::inline v0 {
namespace detail {
namespace {

class RefusingConnector final : public Connector {
 public:
  explicit RefusingConnector(const Endpoint& endpoint) : target_(endpoint.to_string()) {}

  Task<Result<std::unique_ptr<Transport>>> connect(ConnectContext) override {
    co_return Status(StatusCode::failed_precondition,
                     target_ + ": such a target needs ChannelOptions::connector()");
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
                                                const ListenOptions& options) {
  if (endpoint.kind() == Endpoint::Kind::authority) {
    return Status(StatusCode::invalid_argument,
                  endpoint.to_string() + ": nobody can listen on such a target");
  }
  if (Result<void> allowed = check_access(endpoint, options); !allowed) {
    return std::move(allowed).error();
  }
  std::unique_ptr<Listener> listener;
  if (endpoint.kind() == Endpoint::Kind::ipv4 || endpoint.kind() == Endpoint::Kind::ipv6) {
    listener = std::make_unique<TcpListener>(endpoint, options);
  } else {
    listener = std::make_unique<UnixListener>(endpoint, options);
  }
  return listener;
}

}  // namespace detail

Result<std::unique_ptr<Connector>> make_connector(std::string_view target) {
  Result<detail::Endpoint> endpoint = detail::Endpoint::parse(target);
  if (!endpoint) return std::move(endpoint).error();
  return detail::make_connector(*endpoint);
}

Result<std::unique_ptr<Listener>> make_listener(std::string_view target,
                                                const ListenOptions& options) {
  Result<detail::Endpoint> endpoint = detail::Endpoint::parse(target);
  if (!endpoint) return std::move(endpoint).error();
  return detail::make_listener(*endpoint, options);
}

}  // namespace nearcall::inline v0
