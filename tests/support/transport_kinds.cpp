// SPDX-License-Identifier: Apache-2.0
// The table of transports.
#include "support/transport_kinds.hpp"

#include "base/check.hpp"
#include "support/fragmenting_transport.hpp"
#include "support/handshaking_transport.hpp"
#include "support/io.hpp"
#include "support/link.hpp"
#include "support/passing_transport.hpp"
#include "support/scattered_transport.hpp"
#include "support/spurious_transport.hpp"
#include "support/temp_dir.hpp"
#include "transport/child_transport.hpp"
#include "transport/inproc_pipe.hpp"
#include "transport/pipe_transport.hpp"
#include "transport/socket_transport.hpp"

#include <nearcall/sync_wait.hpp>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <future>
#include <ostream>
#include <string>

namespace nearcall::test {
namespace {

TransportPair sockets() {
  auto pair = detail::make_socketpair();
  CHECK(pair);
  return {std::move(pair->first), std::move(pair->second)};
}

TransportPair pipe_of(std::size_t capacity) {
  auto pipe = detail::make_inproc_pipe(capacity);
  CHECK(pipe);
  return std::move(*pipe);
}

TransportPair pipe() {
  return pipe_of(std::size_t{64} * 1024);
}

std::unique_ptr<Transport> pipes(detail::UniqueFd input, detail::UniqueFd output) {
  auto made =
      detail::PipeTransport::make(std::move(input), std::move(output), PeerIdentity("pipes:"));
  CHECK(made, made.error().message());
  return *std::move(made);
}

TransportPair two_pipes() {
  std::array<int, 2> there{-1, -1};
  std::array<int, 2> back{-1, -1};
  CHECK(::pipe2(there.data(), O_CLOEXEC) == 0 && ::pipe2(back.data(), O_CLOEXEC) == 0);
  return {pipes(detail::UniqueFd(back[0]), detail::UniqueFd(there[1])),
          pipes(detail::UniqueFd(there[0]), detail::UniqueFd(back[1]))};
}

/// As some programs start others: a socket as standard input, and another one as output.
TransportPair two_socket_pairs() {
  std::array<int, 2> there{-1, -1};
  std::array<int, 2> back{-1, -1};
  constexpr int type = SOCK_STREAM | SOCK_CLOEXEC;
  CHECK(::socketpair(AF_UNIX, type, 0, there.data()) == 0);
  CHECK(::socketpair(AF_UNIX, type, 0, back.data()) == 0);
  return {pipes(detail::UniqueFd(back[0]), detail::UniqueFd(there[1])),
          pipes(detail::UniqueFd(there[0]), detail::UniqueFd(back[1]))};
}

/// A child that has no end of it: it lives on, whatever becomes of the connection.
TransportPair child() {
  std::array<int, 2> fds{-1, -1};
  CHECK(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) == 0);
  detail::UniqueFd ours(fds[0]);
  detail::UniqueFd theirs(fds[1]);
  detail::ProcessPlan plan;
  plan.command = {"sleep", "1000"};
  auto process = detail::StartedProcess::start(plan, "test");
  CHECK(process, process.error().message());
  auto made = detail::ChildTransport::make(std::move(ours), *std::move(process), "spawn:sleep");
  CHECK(made, made.error().message());
  return {*std::move(made),
          std::make_unique<detail::SocketTransport>(std::move(theirs), PeerIdentity("inherited:"))};
}

template <Link::Manner manner>
TransportPair link() {
  return Link::ends(std::make_shared<Link>(manner, std::size_t{64} * 1024));
}

std::unique_ptr<Transport> connect_with(Connector& connector) {
  ConnectContext context("test", std::chrono::steady_clock::time_point::max(), {});
  // A connector's task may be what asks, and no loop runs inside of another one.
  auto made = std::async(std::launch::async, [&] {
                return sync_wait(connector.connect(std::move(context)));
              }).get();
  CHECK(made, made.error().message());
  return *std::move(made);
}

/// Both ends of what connects to a listener of ours.
TransportPair connected(const std::string& target, const ListenOptions& options) {
  auto listener = make_listener(target, options);
  CHECK(listener);
  CHECK((*listener)->bind());
  auto connector = make_connector((*listener)->address());
  auto client = connect_with(**connector);
  const WaitAdvice advice = (*listener)->prepare_wait();
  pollfd watched{advice.fd(), advice.events(), 0};
  CHECK(::poll(&watched, 1, 10'000) == 1);
  auto server = (*listener)->try_accept();
  CHECK(server && *server);
  return {std::move(client), std::move(*server)};
}

TransportPair tcp() {
  return connected("ipv4:127.0.0.1:0", untrusted::anyone());
}

TransportPair unix_path() {
  const TempDir directory;
  return connected("unix:" + directory.file("s"), ListenOptions());
}

TransportPair named_pipe() {
  const TempDir directory;
  return connected("npipe:" + directory.file("p"), ListenOptions());
}

TransportPair fifo() {
  const TempDir directory;
  return connected("fifo:" + directory.file("f"), ListenOptions());
}

TransportPair inproc() {
  static std::atomic<int> count{0};
  return connected("inproc:kind-" + std::to_string(count++), ListenOptions());
}

TransportPair inherited() {
  std::array<int, 2> fds{-1, -1};
  CHECK(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) == 0);
  auto connector = adopt_connector(fds[0]);
  auto listener = adopt_listener(fds[1]);
  CHECK(connector && listener);
  CHECK((*listener)->bind());
  auto client = connect_with(**connector);
  auto server = (*listener)->try_accept();
  CHECK(server && *server);
  return {std::move(client), std::move(*server)};
}

TransportPair unix_abstract() {
  static std::atomic<int> count{0};
  const std::string number = std::to_string(::getpid()) + "%00" + std::to_string(count++);
  return connected("unix-abstract:nearcall%FF" + number, untrusted::anyone());
}

/// Both ends of `make`, each as a `Decorator` of itself.
template <class Decorator, TransportPair (*make)()>
TransportPair decorated() {
  TransportPair ends = make();
  return {std::make_unique<Decorator>(std::move(ends.first)),
          std::make_unique<Decorator>(std::move(ends.second))};
}

/// A handshake of three steps, each of which waits until it can write.
class ThreeSteps final : public ForwardingTransport {
 public:
  explicit ThreeSteps(std::unique_ptr<Transport> inner)
      : ForwardingTransport(std::make_unique<HandshakingTransport>(std::move(inner), script())) {}

 private:
  static std::shared_ptr<HandshakeScript> script() {
    auto script = std::make_shared<HandshakeScript>();
    script->steps = 3;
    script->is_ours_to_do = true;
    script->events = POLLOUT;
    return script;
  }
};

constexpr const char* vsock_target = "vsock:1:4294967295";  // any port of the loopback

TransportPair vsock() {
  return connected(vsock_target, untrusted::anyone());
}

}  // namespace

bool has_vsock_loopback() {
  const auto listener = make_listener(vsock_target, untrusted::anyone());
  return listener && (*listener)->bind();
}

std::vector<TransportKind> transport_kinds() {
  std::vector<TransportKind> kinds = {
      {.name = "Socket", .make = sockets},
      {.name = "Tcp",
       .make = tcp,
       .writes_fail_after_close = false,
       .keeps_input_of_closed = false},
      {.name = "UnixPath", .make = unix_path},
      {.name = "NamedPipe", .make = named_pipe},
      {.name = "Inherited", .make = inherited},
      {.name = "UnixAbstract", .make = unix_abstract},
      {.name = "Child", .make = child},
      {.name = "TwoPipes", .make = two_pipes},
      {.name = "TwoSocketPairs", .make = two_socket_pairs},
      {.name = "Fifo", .make = fifo},
      {.name = "Inproc", .make = inproc},
      {.name = "Pipe", .make = pipe},
      {.name = "PipeOfOneByte", .make = [] { return pipe_of(1); }},
      {.name = "FragmentedPipe", .make = decorated<FragmentingTransport, pipe>},
      {.name = "CrossedLink", .make = link<Link::Manner::crossed>},
      {.name = "AnnouncedLink", .make = link<Link::Manner::announced>},
      {.name = "ScatteredSocket", .make = decorated<ScatteredTransport, sockets>},
      {.name = "HandshakingSocket", .make = decorated<ThreeSteps, sockets>},
      {.name = "PassingSocket", .make = decorated<PassingTransport, sockets>},
  };
  if (has_vsock_loopback()) {
    kinds.push_back({.name = "Vsock",
                     .make = vsock,
                     .writes_fail_after_close = false,
                     .keeps_input_of_closed = false});
  }
  return kinds;
}

std::vector<TransportKind> driven_kinds() {
  std::vector<TransportKind> kinds = transport_kinds();
  kinds.push_back({.name = "SpuriousPipe", .make = decorated<SpuriousTransport, pipe>});
  return kinds;
}

}  // namespace nearcall::test

namespace nearcall::inline v0::testing {

void PrintTo(const TransportKind& kind, std::ostream* to) {
  *to << kind.name;
}

}  // namespace nearcall::inline v0::testing
