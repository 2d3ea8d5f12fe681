// SPDX-License-Identifier: Apache-2.0
// nearcall's client in the comparison; --mode inproc: the server, too, on the loop of the calls;
// --mode spawn: a server of its own, as its child.
#include "common/client_main.hpp"
#include "common/payload.hpp"
#include "nearcall/echo_service.hpp"

#include <nearcall/channel.hpp>
#include <nearcall/event_loop.hpp>
#include <nearcall/server.hpp>
#include <nearcall/spawn_options.hpp>

#include <filesystem>
#include <memory>
#include <optional>

namespace {

using bench::Clock;
using bench::Meter;
using bench::Options;
using nearcall::Result;
using nearcall::Status;
using nearcall::Task;

nearcall::SpinPolicy spin_policy(const Options& options) {
  return options.mode == "park" ? nearcall::SpinPolicy::off() : nearcall::SpinPolicy::adaptive();
}

constexpr const char* address_of_own_server = "inproc:bench";

bool has_own_server(const Options& options) {
  return options.mode == "inproc";
}

nearcall::ChannelOptions channel_options(const Options& options) {
  nearcall::ChannelOptions result;
  result.spin(spin_policy(options)).max_receive_message_size(std::size_t{64} << 20U);
  if (options.has_gzip) result.compression(nearcall::Codec::gzip());
  return result;
}

/// The server of the comparison, which lies beside this program, as a child at a socket pair.
nearcall::Channel spawn_server(const Options& options) {
  const auto program = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  nearcall::Result<nearcall::Channel> channel =
      nearcall::Channel::spawn({program / "nearcall_server", "--address", "inherited:"},
                               nearcall::SpawnOptions().drop_output(), channel_options(options));
  bench::require(channel.ok(), "no server was started");
  return *std::move(channel);
}

nearcall::Channel open_channel(const Options& options) {
  if (options.mode == "spawn") return spawn_server(options);
  return nearcall::Channel(has_own_server(options) ? address_of_own_server : options.address,
                           channel_options(options));
}

/// A channel and the client of the service on it.
struct Peer {
  explicit Peer(const Options& options) : channel(open_channel(options)), echo(channel) {}
  nearcall::Channel channel;
  bench::Echo::Client echo;
};

bench::Message message_of(std::size_t size) {
  bench::Message message;
  message.set_payload(std::string(size, 'x'));
  return message;
}

bench::ExpandRequest expand_request(const Options& options) {
  bench::ExpandRequest request;
  request.set_messages(options.messages);
  request.set_size(static_cast<std::uint32_t>(options.size));
  return request;
}

pid_t pid_of_server(const Peer& peer) {
  bench::Message reply;
  auto call = peer.echo.Chat();
  bench::require(call.write(message_of(0)) && call.read(reply), "the server does not answer");
  return call.peer().pid();
}

void check(const Status& status) {
  if (!status.ok()) bench::require(false, status.to_string());
}

void check(const Result<bench::Message>& reply, std::size_t size) {
  check(reply.status());
  bench::require(reply->payload().size() == size, "the reply has another size");
}

/// The server in this process, on the loop that makes the calls.
class OwnServer {
 public:
  explicit OwnServer(nearcall::EventLoop& loop)
      : server_(loop, nearcall::ServerOptions().max_receive_message_size(std::size_t{64} << 20U)) {
    server_.add_service(echo_).listen(address_of_own_server);
    check(server_.start().status());
  }

 private:
  bench::EchoService echo_;
  nearcall::Server server_;
};

/// Tasks on an EventLoop of their own; ends with the last of them.
class TaskGroup {
 public:
  explicit TaskGroup(const Options& options) : loop_(spin_policy(options)) {
    if (has_own_server(options)) own_server_.emplace(loop_);
  }
  void add(Task<void> task) {
    ++running_;
    nearcall::spawn(loop_, run(std::move(task)));
  }
  void wait() { loop_.run(); }

 private:
  Task<void> run(Task<void> task) {
    co_await std::move(task);
    if (--running_ == 0) loop_.stop();
  }

  nearcall::EventLoop loop_;
  std::optional<OwnServer> own_server_;
  std::size_t running_ = 0;
};

// ---- blocking ----------------------------------------------------------------------------------

void unary_blocking(Options options) {
  Peer peer(options);
  if (options.mode == "spawn") options.server_pid = pid_of_server(peer);
  bench::Message request;
  request.set_payload(bench::payload_of(options));
  bench::measure_blocking(options, [&] { check(peer.echo.Unary(request), options.size); });
}

void once(const Options& options) {
  Peer peer(options);
  check(peer.echo.Unary(message_of(options.size)), options.size);
}

void call_after_return(const Options& options) {
  Peer peer(options);
  bench::call_when_told([&] {
    check(peer.echo.Unary(message_of(options.size), nearcall::CallOptions().wait_for_ready()),
          options.size);
  });
}

void expand(const Options& options) {
  Peer peer(options);
  Meter meter(options);
  bench::Message reply;
  std::uint64_t seen = 0;
  while (!meter.is_over()) {
    auto call = peer.echo.Expand(expand_request(options));
    while (call.read(reply)) {
      if (++seen % 64 == 0 && !meter.messages_done(64)) call.cancel();
    }
    const Status status = call.finish();
    if (!meter.is_over()) check(status);
  }
  meter.print();
}

void collect(const Options& options) {
  Peer peer(options);
  Meter meter(options);
  const bench::Message request = message_of(options.size);
  while (!meter.is_over()) {
    auto call = peer.echo.Collect();
    for (std::uint64_t i = 1; i <= options.messages && !meter.is_over(); ++i) {
      bench::require(call.write(request), "a write was refused");
      if (i % 64 == 0) meter.messages_done(64);
    }
    check(call.finish(), 0);
  }
  meter.print();
}

void chat(const Options& options) {
  Peer peer(options);
  const bench::Message request = message_of(options.size);
  bench::Message reply;
  auto call = peer.echo.Chat();
  bench::measure_blocking(options, [&] {
    bench::require(call.write(request) && call.read(reply), "the stream ended");
    bench::require(reply.payload().size() == options.size, "the reply has another size");
  });
  check(call.finish());
}

void hold(const Options& options) {
  std::vector<std::unique_ptr<Peer>> peers;
  for (std::size_t i = 0; i < options.connections; ++i) {
    peers.push_back(std::make_unique<Peer>(options));
    check(peers.back()->echo.Unary(message_of(options.size)), options.size);
  }
  bench::hold_until_told();
}

// ---- awaited -----------------------------------------------------------------------------------

/// One call after the other, over the connections `first`, `first` + `step`, …
Task<void> call_again_and_again(const std::vector<std::unique_ptr<Peer>>& peers,
                                std::size_t first,
                                std::size_t step,
                                Meter& meter,
                                const Options& options) {
  const bench::Message request = message_of(options.size);
  std::size_t next = first % peers.size();
  Clock::time_point started = Clock::now();
  Clock::time_point now = started;
  do {
    started = now;
    auto call = peers[next]->echo.UnaryAsync(request);
    const Result<bench::Message> reply = co_await call;
    check(reply, options.size);
    next = next + step < peers.size() ? next + step : first % peers.size();
    now = Clock::now();
  } while (meter.call_done(started, now));
}

/// Opens the connections `first`, `first` + `step`, …
Task<void> connect(const std::vector<std::unique_ptr<Peer>>& peers,
                   std::size_t first,
                   std::size_t step) {
  const bench::Message request;
  for (std::size_t i = first; i < peers.size(); i += step) {
    auto call = peers[i]->echo.UnaryAsync(request);
    const Result<bench::Message> reply = co_await call;
    check(reply, 0);
  }
}

Task<void> connect_all_then_call(const std::vector<std::unique_ptr<Peer>>& peers,
                                 TaskGroup& group,
                                 std::unique_ptr<Meter>& meter,
                                 const Options& options) {
  if (options.calls == 0) co_await connect(peers, 0, 1);
  meter = std::make_unique<Meter>(options);
  for (std::size_t i = 0; i < options.inflight; ++i) {
    group.add(call_again_and_again(peers, i, options.inflight, *meter, options));
  }
}

/// `inflight` calls at a time over `connections` connections, on one loop.
void pipelined(const Options& options) {
  std::vector<std::unique_ptr<Peer>> peers;
  for (std::size_t i = 0; i < options.connections; ++i) {
    peers.push_back(std::make_unique<Peer>(options));
  }
  TaskGroup group(options);
  std::unique_ptr<Meter> meter;
  group.add(connect_all_then_call(peers, group, meter, options));
  group.wait();
  meter->print();
}

/// Where the server is on this thread, too, nobody may block.
void unary(const Options& options) {
  has_own_server(options) ? pipelined(options) : unary_blocking(options);
}

using ChatCall = nearcall::AsyncBidiStreamingCall<bench::Message, bench::Message>;

/// Opens streams, each of which has had one exchange, then measures calls beside them.
Task<void> calls_beside_streams(const Options& options) {
  std::vector<std::unique_ptr<Peer>> peers;
  peers.push_back(std::make_unique<Peer>(options));
  std::vector<ChatCall> streams;
  bench::Message message = message_of(options.size);
  for (std::size_t i = 0; i < options.streams; ++i) {
    streams.push_back(peers.front()->echo.ChatAsync());
    const bool is_written = co_await streams.back().write(message);
    bench::require(is_written, "a write was refused");
    const bool is_read = co_await streams.back().read(message);
    bench::require(is_read, "a stream ended");
  }
  Meter meter(options);
  co_await call_again_and_again(peers, 0, 1, meter, options);
  meter.print();
}

void open_streams(const Options& options) {
  TaskGroup group(options);
  group.add(calls_beside_streams(options));
  group.wait();
}

Task<void> write_until_over(ChatCall& call, const Meter& meter, const Options& options) {
  const bench::Message request = message_of(options.size);
  while (!meter.is_over()) {
    const bool is_taken = co_await call.write(request);
    bench::require(is_taken, "a write was refused");
  }
  call.writes_done();
}

Task<void> flood_both_ways(TaskGroup& group, const Options& options) {
  Peer peer(options);
  Meter meter(options);
  ChatCall call = peer.echo.ChatAsync();
  group.add(write_until_over(call, meter, options));
  bench::Message reply;
  std::uint64_t seen = 0;
  while (co_await call.read(reply)) {
    if (++seen % 64 == 0) meter.messages_done(64);
  }
  const Status status = co_await call.finish();
  check(status);
  meter.print();
}

void flood(const Options& options) {
  TaskGroup group(options);
  group.add(flood_both_ways(group, options));
  group.wait();
}

}  // namespace

int main(int argc, char** argv) {
  return bench::client_main(argc, argv,
                            {{"unary", unary},
                             {"once", once},
                             {"return", call_after_return},
                             {"pipelined", pipelined},
                             {"expand", expand},
                             {"collect", collect},
                             {"flood", flood},
                             {"chat", chat},
                             {"open_streams", open_streams},
                             {"hold", hold}});
}
