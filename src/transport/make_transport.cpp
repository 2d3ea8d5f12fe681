// SPDX-License-Identifier: Apache-2.0
// Which class serves which kind of endpoint.
#include "transport/make_transport.hpp"

#include "transport/fifo_connector.hpp"
#include "transport/fifo_listener.hpp"
#include "transport/inherited_connector.hpp"
#include "transport/inherited_listener.hpp"
#include "transport/inproc_connector.hpp"
#include "transport/inproc_listener.hpp"
#include "transport/listen_access.hpp"
#include "transport/listener_group.hpp"
#include "transport/single_listener.hpp"
#include "transport/standard_streams.hpp"
#include "transport/systemd_sockets.hpp"
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
  RefusingConnector(const Endpoint& endpoint, std::string_view why)
      : why_(endpoint.to_string() + ": such a target " + std::string(why)) {}

  Task<Result<std::unique_ptr<Transport>>> connect(ConnectContext) override {
    co_return Status::failed_precondition(why_).with_reason(StatusReason::misuse);
  }

 private:
  const std::string why_;
};

std::string descriptor_target(int fd) {
  return "fd:" + std::to_string(fd);
}

/// A descriptor that is a target: not one that this process opened, which some part of it uses.
Result<InheritedSocket> inspect_inherited(int fd, const std::string& target) {
  Result<InheritedSocket> socket = InheritedSocket::inspect(fd, target);
  if (!socket || !socket->is_close_on_exec()) return socket;
  return Status::failed_precondition(
             target +
             ": it is close-on-exec, so it was not inherited; adopt_listener() and "
             "adopt_connector() take what the program itself opened or received")
      .with_reason(StatusReason::misuse);
}

Result<InheritedSocket> inspect_inherited(const Endpoint& endpoint) {
  return inspect_inherited(std::stoi(endpoint.name()), endpoint.to_string());
}

/// What Channel::spawn() gives a child.
Result<std::unique_ptr<Listener>> make_inherited_listener(const Endpoint& endpoint,
                                                          const PeerPolicy& policy) {
  const std::string target = endpoint.to_string();
  const std::string descriptor = target + " descriptor " + std::to_string(inherited_descriptor);
  const Result<InheritedSocket> socket = inspect_inherited(inherited_descriptor, descriptor);
  if (!socket) return socket.error();
  if (socket->is_listening()) {
    return Status::failed_precondition(descriptor +
                                       ": it listens, and a spawned child has one that is "
                                       "connected; fd:3 takes it")
        .with_reason(StatusReason::misuse);
  }
  if (Result<void> allowed = check_inherited_access(*socket, policy); !allowed) {
    return std::move(allowed).error();
  }
  const bool is_unix = socket->is_unix();
  std::unique_ptr<Transport> transport = make_socket_transport(socket->take(), is_unix, target);
  return std::unique_ptr<Listener>(
      std::make_unique<SingleListener>(std::move(transport), target, is_unix));
}

Result<std::unique_ptr<Listener>> make_stdio_listener(const Endpoint& endpoint,
                                                      const PeerPolicy& policy) {
  const std::string target = endpoint.to_string();
  const Result<StandardStreams> streams = StandardStreams::inspect();
  if (!streams) return streams.error();
  const bool is_unix = streams->is_unix();
  if (Result<void> allowed = check_access_without_path(target, is_unix, policy); !allowed) {
    return std::move(allowed).error();
  }
  Result<std::unique_ptr<Transport>> transport = streams->take();
  if (!transport) return std::move(transport).error();
  return std::unique_ptr<Listener>(
      std::make_unique<SingleListener>(*std::move(transport), target, is_unix));
}

Result<std::unique_ptr<Listener>> make_descriptor_listener(const Endpoint& endpoint,
                                                           const PeerPolicy& policy) {
  const Result<InheritedSocket> socket = inspect_inherited(endpoint);
  if (!socket) return socket.error();
  if (Result<void> allowed = check_inherited_access(*socket, policy); !allowed) {
    return std::move(allowed).error();
  }
  return std::unique_ptr<Listener>(std::make_unique<InheritedListener>(*socket));
}

Result<std::unique_ptr<Listener>> make_systemd_listener(const Endpoint& endpoint,
                                                        const PeerPolicy& policy) {
  SystemdSockets& passed = SystemdSockets::of_process();
  const Result<std::vector<InheritedSocket>> sockets = passed.find(endpoint.name());
  if (!sockets) return sockets.error();
  for (const InheritedSocket& socket : *sockets) {
    if (Result<void> allowed = check_inherited_access(socket, policy); !allowed) {
      return std::move(allowed).error();
    }
  }
  if (!passed.mark_used(*sockets)) {
    return Status::failed_precondition(endpoint.to_string() + ": another thread took it just now")
        .with_reason(StatusReason::misuse);
  }
  std::vector<std::unique_ptr<Listener>> listeners;
  for (const InheritedSocket& socket : *sockets)
    listeners.push_back(std::make_unique<InheritedListener>(socket));
  if (listeners.size() == 1) return std::move(listeners.front());
  return std::unique_ptr<Listener>(std::make_unique<ListenerGroup>(std::move(listeners)));
}

/// Of a target that the options are checked against before anything is made.
template <class Made, class... Arguments>
Result<std::unique_ptr<Listener>> make_checked(const Endpoint& endpoint,
                                               const ListenOptions& options,
                                               const Arguments&... arguments) {
  if (Result<void> allowed = check_access(endpoint, options); !allowed) {
    return std::move(allowed).error();
  }
  return std::unique_ptr<Listener>(std::make_unique<Made>(endpoint, arguments...));
}

Result<std::unique_ptr<Connector>> make_connector_of(const InheritedSocket& socket) {
  if (socket.is_listening()) {
    return Status::failed_precondition(socket.address() +
                                       ": it listens, and a channel needs one "
                                       "that is connected")
        .with_reason(StatusReason::misuse);
  }
  return std::unique_ptr<Connector>(std::make_unique<InheritedConnector>(socket));
}

}  // namespace

std::unique_ptr<Connector> make_connector(const Endpoint& endpoint) {
  switch (endpoint.kind()) {
    case Endpoint::Kind::unix_path:
    case Endpoint::Kind::unix_abstract:
      return std::make_unique<UnixConnector>(endpoint);
    case Endpoint::Kind::ipv4:
    case Endpoint::Kind::ipv6:
    case Endpoint::Kind::vsock:
      return std::make_unique<TcpConnector>(endpoint);
    case Endpoint::Kind::descriptor:
      return std::make_unique<RefusingConnector>(endpoint, "needs ChannelOptions::allow_fd()");
    case Endpoint::Kind::command:
      return std::make_unique<RefusingConnector>(endpoint, "needs ChannelOptions::allow_exec()");
    case Endpoint::Kind::systemd:
    case Endpoint::Kind::inherited:
    case Endpoint::Kind::stdio:
      return std::make_unique<RefusingConnector>(endpoint, "is for servers");
    case Endpoint::Kind::inproc:
      return std::make_unique<InprocConnector>(endpoint);
    case Endpoint::Kind::fifo:
      return std::make_unique<FifoConnector>(endpoint);
    case Endpoint::Kind::dns:
    case Endpoint::Kind::unix_directory:
      return std::make_unique<RefusingConnector>(endpoint, "is for a Channel");
    case Endpoint::Kind::authority:
      break;
  }
  return std::make_unique<RefusingConnector>(endpoint, "needs ChannelOptions::connector()");
}

Result<std::unique_ptr<Connector>> make_descriptor_connector(const Endpoint& endpoint) {
  const Result<InheritedSocket> socket = inspect_inherited(endpoint);
  if (!socket) return socket.error();
  return make_connector_of(*socket);
}

Result<std::unique_ptr<Listener>> make_listener(const Endpoint& endpoint,
                                                const ListenOptions& options) {
  const PeerPolicy& policy = options.policy();
  const bool goes_on = options.takes_over() || options.keeps_in_store();
  if (goes_on && endpoint.kind() != Endpoint::Kind::unix_path) {
    return Status::failed_precondition(
               endpoint.to_string() +
               ": ListenOptions::" + (options.takes_over() ? "take_over()" : "keep_in_store()") +
               " is for unix: and npipe:; what systemd: gives stays with the service manager "
               "anyway")
        .with_reason(StatusReason::misuse);
  }
  switch (endpoint.kind()) {
    case Endpoint::Kind::descriptor:
      return make_descriptor_listener(endpoint, policy);
    case Endpoint::Kind::systemd:
      return make_systemd_listener(endpoint, policy);
    case Endpoint::Kind::inherited:
      return make_inherited_listener(endpoint, policy);
    case Endpoint::Kind::stdio:
      return make_stdio_listener(endpoint, policy);
    case Endpoint::Kind::unix_path:
    case Endpoint::Kind::unix_abstract:
      return make_checked<UnixListener>(endpoint, options, options);
    case Endpoint::Kind::ipv4:
    case Endpoint::Kind::ipv6:
    case Endpoint::Kind::vsock:
      return make_checked<TcpListener>(endpoint, options, options);
    case Endpoint::Kind::inproc:
      return make_checked<InprocListener>(endpoint, options, options.backlog());
    case Endpoint::Kind::fifo:
      return make_checked<FifoListener>(endpoint, options);
    case Endpoint::Kind::command:
    case Endpoint::Kind::dns:
    case Endpoint::Kind::unix_directory:
    case Endpoint::Kind::authority:
      break;
  }
  return Status(StatusCode::invalid_argument,
                endpoint.to_string() + ": nobody can listen on such a target");
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

Result<std::unique_ptr<Listener>> adopt_listener(int fd) {
  const auto socket = detail::InheritedSocket::inspect(fd, detail::descriptor_target(fd));
  if (!socket) return socket.error();
  return std::unique_ptr<Listener>(std::make_unique<detail::InheritedListener>(*socket));
}

Result<std::unique_ptr<Connector>> adopt_connector(int fd) {
  const auto socket = detail::InheritedSocket::inspect(fd, detail::descriptor_target(fd));
  if (!socket) return socket.error();
  return detail::make_connector_of(*socket);
}

}  // namespace nearcall::inline v0
