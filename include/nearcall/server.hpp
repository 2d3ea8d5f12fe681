// SPDX-License-Identifier: Apache-2.0
// Server: listens, runs the handlers of its services, and stops in good order.
#pragma once

#include <nearcall/codec.hpp>
#include <nearcall/connection_limits.hpp>
#include <nearcall/event_loop.hpp>
#include <nearcall/listen_options.hpp>
#include <nearcall/result.hpp>
#include <nearcall/service.hpp>
#include <nearcall/spin_policy.hpp>
#include <nearcall/transport.hpp>

#include <chrono>
#include <cstddef>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0 {

class ServerInterceptor;
class Observer;
class ThreadPool;

/// How a server behaves. A value; fluent.
class ServerOptions {
 public:
  ServerOptions() = default;

  /// How many event loops, each on a thread of its own, share the connections; 1 by default, which
  /// is the thread that calls run(). 1 to 64.
  ServerOptions& threads(std::size_t count) & {
    threads_ = count < 1 ? 1 : (count > 64 ? 64 : count);
    return *this;
  }
  ServerOptions threads(std::size_t count) && { return std::move(threads(count)); }
  /// The largest message that is taken from a client, in bytes; 4 MiB by default.
  ServerOptions& max_receive_message_size(std::size_t bytes) & {
    max_receive_ = bytes;
    return *this;
  }
  ServerOptions max_receive_message_size(std::size_t bytes) && {
    return std::move(max_receive_message_size(bytes));
  }
  /// The largest message that is sent, in bytes before compression; protobuf's 2 GiB by
  /// default. A larger one ends its call with RESOURCE_EXHAUSTED.
  ServerOptions& max_send_message_size(std::size_t bytes) & {
    max_send_ = bytes;
    return *this;
  }
  ServerOptions max_send_message_size(std::size_t bytes) && {
    return std::move(max_send_message_size(bytes));
  }
  /// One more codec that messages from the client may have, and that replies may be compressed
  /// with. gzip and deflate are there without; 30 more, and the rest is not used. Outlives whatever
  /// is made with these options.
  ServerOptions& codec(const Codec& codec) & {
    codecs_.push_back(&codec);
    return *this;
  }
  ServerOptions codec(const Codec& codec) && { return std::move(this->codec(codec)); }
  /// What replies are compressed with, where that makes them smaller, to clients that say that they
  /// take it; Codec::identity(), the default: they are not. A codec() of these options too. A
  /// handler may choose another one: ServerContext::set_compression().
  ServerOptions& compression(const Codec& codec) & {
    compression_ = &codec == &Codec::identity() ? nullptr : &codec;
    return this->codec(codec);
  }
  ServerOptions compression(const Codec& codec) && { return std::move(compression(codec)); }
  /// Messages of fewer bytes are not compressed, 1,024 by default: docs/guides/compression.md has
  /// what that is measured by.
  ServerOptions& compression_threshold(std::size_t bytes) & {
    compression_threshold_ = bytes;
    return *this;
  }
  ServerOptions compression_threshold(std::size_t bytes) && {
    return std::move(compression_threshold(bytes));
  }
  /// How long running calls may go on once the server stops; 30 s by default.
  ServerOptions& drain_timeout(std::chrono::nanoseconds duration) & {
    drain_timeout_ = duration < duration.zero() ? duration.zero() : duration;
    return *this;
  }
  ServerOptions drain_timeout(std::chrono::nanoseconds duration) && {
    return std::move(drain_timeout(duration));
  }
  /// How long a client may say nothing before it is asked whether it is there (a PING; gRFC A9),
  /// from 1 s; nanoseconds::max(): never. By default 2 hours, and never where the kernel tells of
  /// its end: over Unix sockets and inproc:. A blocking client of this library answers only while a
  /// call of its waits: one that works on a reply for longer than this and keepalive_timeout()
  /// loses its connection.
  ServerOptions& keepalive_time(std::chrono::nanoseconds duration) & {
    keepalive_time_ = duration < min_keepalive_time ? min_keepalive_time : duration;
    has_keepalive_time_ = true;
    return *this;
  }
  ServerOptions keepalive_time(std::chrono::nanoseconds duration) && {
    return std::move(keepalive_time(duration));
  }
  /// How long it has to say something then, before it is closed, from 10 ms; 20 s by default.
  ServerOptions& keepalive_timeout(std::chrono::nanoseconds duration) & {
    keepalive_timeout_ = duration < min_timeout ? min_timeout : duration;
    return *this;
  }
  ServerOptions keepalive_timeout(std::chrono::nanoseconds duration) && {
    return std::move(keepalive_timeout(duration));
  }
  /// How old a connection may become, a tenth more or less, before its client is told to make
  /// another one (GOAWAY "max_age"; gRFC A9), from 10 ms; any age by default.
  ServerOptions& max_connection_age(std::chrono::nanoseconds duration) & {
    max_connection_age_ = duration < min_timeout ? min_timeout : duration;
    return *this;
  }
  ServerOptions max_connection_age(std::chrono::nanoseconds duration) && {
    return std::move(max_connection_age(duration));
  }
  /// How long the calls of such a connection may go on before they end with UNAVAILABLE, from 10
  /// ms; for ever by default.
  ServerOptions& max_connection_age_grace(std::chrono::nanoseconds duration) & {
    max_connection_age_grace_ = duration < min_timeout ? min_timeout : duration;
    return *this;
  }
  ServerOptions max_connection_age_grace(std::chrono::nanoseconds duration) && {
    return std::move(max_connection_age_grace(duration));
  }
  /// How long a connection may be without a call before it is closed (GOAWAY "max_idle"), from
  /// 10 ms; for ever by default (gRFC A9).
  ServerOptions& max_connection_idle(std::chrono::nanoseconds duration) & {
    max_connection_idle_ = duration < min_timeout ? min_timeout : duration;
    return *this;
  }
  ServerOptions max_connection_idle(std::chrono::nanoseconds duration) && {
    return std::move(max_connection_idle(duration));
  }
  /// Open connections in all; 1,024 by default. For one more the connection gives way that has had
  /// no call for longest, of the user with most connections, if that has more than the newcomer;
  /// where none is idle, the newcomer is closed at accept.
  ServerOptions& max_connections(std::size_t count) & {
    max_connections_ = count;
    return *this;
  }
  ServerOptions max_connections(std::size_t count) && { return std::move(max_connections(count)); }
  /// Open connections of one uid; 256 by default. For one more the user's own gives way that has
  /// had no call for longest. Peers without credentials (TCP) count as one user.
  ServerOptions& max_connections_per_uid(std::size_t count) & {
    max_connections_per_uid_ = count;
    return *this;
  }
  ServerOptions max_connections_per_uid(std::size_t count) && {
    return std::move(max_connections_per_uid(count));
  }
  /// Bytes that all connections together have received and no handler has read, and what they have
  /// become that handlers have: requests until they return, of a stream the last message. With
  /// them the metadata of open calls, and 1.6 KiB for each such call; 256 MiB by default, from 1
  /// MiB. Beyond it the connection ends that holds most, of the user whose connections hold most.
  ServerOptions& max_total_buffered_input(std::size_t bytes) & {
    max_total_input_ = bytes < min_total ? min_total : bytes;
    return *this;
  }
  ServerOptions max_total_buffered_input(std::size_t bytes) && {
    return std::move(max_total_buffered_input(bytes));
  }
  /// The same of bytes that wait to be sent.
  ServerOptions& max_total_buffered_output(std::size_t bytes) & {
    max_total_output_ = bytes < min_total ? min_total : bytes;
    return *this;
  }
  ServerOptions max_total_buffered_output(std::size_t bytes) && {
    return std::move(max_total_buffered_output(bytes));
  }
  /// What each client's connection may cost, `max_concurrent_streams` among them; each number is
  /// moved into its range.
  ServerOptions& limits(const ConnectionLimits& limits) & {
    limits_ = limits.within_range();
    return *this;
  }
  ServerOptions limits(const ConnectionLimits& limits) && {
    return std::move(this->limits(limits));
  }
  /// What keeps a loop from everything else for as long is logged, with the method whose handler it
  /// was; 100 ms by default.
  ServerOptions& busy_handler_warning(std::chrono::nanoseconds duration) & {
    busy_handler_warning_ = duration;
    return *this;
  }
  ServerOptions busy_handler_warning(std::chrono::nanoseconds duration) && {
    return std::move(busy_handler_warning(duration));
  }
  /// How many calls are under way at a time, from 1, in the whole server: their handlers have begun
  /// and have not returned. `queued` more wait for that, whoever came first, and beyond them a call
  /// is RESOURCE_EXHAUSTED at once. Without limit by default. Requests that are on their way do not
  /// count, nor do those whose client has gone while they waited. Nobody has a share: one client's
  /// calls may have all places.
  ServerOptions& max_concurrent_calls(std::size_t count, std::size_t queued = 0) & {
    call_bounds_.push_back({{}, count, queued});
    return *this;
  }
  ServerOptions max_concurrent_calls(std::size_t count, std::size_t queued = 0) && {
    return std::move(max_concurrent_calls(count, queued));
  }
  /// The same of one method, "/package.Service/Method"; its calls count among those of the server
  /// too. start() is FAILED_PRECONDITION where there is no such method.
  ServerOptions& max_concurrent_calls(std::string method,
                                      std::size_t count,
                                      std::size_t queued = 0) & {
    call_bounds_.push_back({std::move(method), count, queued});
    return *this;
  }
  ServerOptions max_concurrent_calls(std::string method,
                                     std::size_t count,
                                     std::size_t queued = 0) && {
    return std::move(max_concurrent_calls(std::move(method), count, queued));
  }
  /// Where functions of BlockingServices run; outlives the server, and may be shared. By default
  /// the server has a ThreadPool(32) of its own, whose threads begin with the first calls. A call
  /// for which the pool has neither a thread nor room in its queue is RESOURCE_EXHAUSTED at once.
  ServerOptions& handler_pool(ThreadPool& pool) & {
    handler_pool_ = &pool;
    return *this;
  }
  ServerOptions handler_pool(ThreadPool& pool) && { return std::move(handler_pool(pool)); }
  /// Adds code around every call (server_interceptor.hpp). The first one that is added is
  /// outermost: it sees a call first, and its end last. Null is none.
  ServerOptions& interceptor(std::shared_ptr<ServerInterceptor> interceptor) & {
    if (interceptor != nullptr) interceptors_.push_back(std::move(interceptor));
    return *this;
  }
  ServerOptions interceptor(std::shared_ptr<ServerInterceptor> interceptor) && {
    return std::move(this->interceptor(std::move(interceptor)));
  }
  /// Adds one who is told what happens to the server and its calls (observer.hpp).
  ServerOptions& observer(std::shared_ptr<Observer> observer) & {
    observers_.push_back(std::move(observer));
    return *this;
  }
  ServerOptions observer(std::shared_ptr<Observer> observer) && {
    return std::move(this->observer(std::move(observer)));
  }
  /// Whether its own loops spin before they sleep.
  ServerOptions& spin(SpinPolicy policy) & {
    spin_ = policy;
    return *this;
  }
  ServerOptions spin(SpinPolicy policy) && { return std::move(spin(policy)); }

  std::size_t threads() const noexcept { return threads_; }
  std::size_t max_receive_message_size() const noexcept { return max_receive_; }
  std::size_t max_send_message_size() const noexcept { return max_send_; }
  /// Those that were added.
  const std::vector<const Codec*>& codecs() const noexcept { return codecs_; }
  /// Null: nothing is compressed.
  const Codec* compression() const noexcept { return compression_; }
  std::size_t compression_threshold() const noexcept { return compression_threshold_; }
  std::chrono::nanoseconds drain_timeout() const noexcept { return drain_timeout_; }
  std::chrono::nanoseconds keepalive_time() const noexcept { return keepalive_time_; }
  /// Whether it was set, and so counts over all transports.
  bool has_keepalive_time() const noexcept { return has_keepalive_time_; }
  std::chrono::nanoseconds keepalive_timeout() const noexcept { return keepalive_timeout_; }
  std::chrono::nanoseconds max_connection_age() const noexcept { return max_connection_age_; }
  std::chrono::nanoseconds max_connection_age_grace() const noexcept {
    return max_connection_age_grace_;
  }
  std::chrono::nanoseconds max_connection_idle() const noexcept { return max_connection_idle_; }
  std::size_t max_connections() const noexcept { return max_connections_; }
  std::size_t max_connections_per_uid() const noexcept { return max_connections_per_uid_; }
  std::size_t max_total_buffered_input() const noexcept { return max_total_input_; }
  std::size_t max_total_buffered_output() const noexcept { return max_total_output_; }
  const ConnectionLimits& limits() const noexcept { return limits_; }
  std::chrono::nanoseconds busy_handler_warning() const noexcept { return busy_handler_warning_; }
  /// What max_concurrent_calls() said.
  struct CallBound {
    std::string method;  // empty: all
    std::size_t most;
    std::size_t most_queued;
  };
  const std::vector<CallBound>& call_bounds() const noexcept { return call_bounds_; }
  /// Null: the server's own.
  ThreadPool* handler_pool() const noexcept { return handler_pool_; }
  const std::vector<std::shared_ptr<ServerInterceptor>>& interceptors() const noexcept {
    return interceptors_;
  }
  const std::vector<std::shared_ptr<Observer>>& observers() const noexcept { return observers_; }
  SpinPolicy spin() const noexcept { return spin_; }

 private:
  std::size_t threads_ = 1;
  std::size_t max_receive_ = std::size_t{4} * 1024 * 1024;
  std::size_t max_send_ = std::numeric_limits<std::size_t>::max();
  std::vector<const Codec*> codecs_;
  const Codec* compression_ = nullptr;
  std::size_t compression_threshold_ = 1024;
  std::chrono::nanoseconds drain_timeout_ = std::chrono::seconds(30);
  static constexpr std::chrono::nanoseconds min_keepalive_time = std::chrono::seconds(1);
  static constexpr std::chrono::nanoseconds min_timeout = std::chrono::milliseconds(10);
  std::chrono::nanoseconds keepalive_time_ = std::chrono::hours(2);
  bool has_keepalive_time_ = false;
  std::chrono::nanoseconds keepalive_timeout_ = std::chrono::seconds(20);
  std::chrono::nanoseconds max_connection_age_ = std::chrono::nanoseconds::max();
  std::chrono::nanoseconds max_connection_age_grace_ = std::chrono::nanoseconds::max();
  std::chrono::nanoseconds max_connection_idle_ = std::chrono::nanoseconds::max();
  std::size_t max_connections_ = 1024;
  std::size_t max_connections_per_uid_ = 256;
  static constexpr std::size_t min_total = std::size_t{1024} * 1024;
  std::size_t max_total_input_ = 256 * min_total;
  std::size_t max_total_output_ = 256 * min_total;
  ConnectionLimits limits_;
  std::chrono::nanoseconds busy_handler_warning_ = std::chrono::milliseconds(100);
  std::vector<CallBound> call_bounds_;
  ThreadPool* handler_pool_ = nullptr;
  std::vector<std::shared_ptr<ServerInterceptor>> interceptors_;
  std::vector<std::shared_ptr<Observer>> observers_;
  SpinPolicy spin_ = SpinPolicy::adaptive();
};

/// Listens, runs the handlers of its services, and stops in good order.
///
///     Server server;
///     server.add_service(greeter);
///     server.listen("unix:/run/user/1000/greeter.sock");
///     return server.run();
///
/// On an EventLoop of the caller's: `Server server(loop); …; server.start();` then nothing here
/// blocks and no thread is added.
///
/// Stopping: each client is told (GOAWAY in two phases), running calls go on until the drain
/// timeout, then they are cancelled; connections close when their calls are over. In run() a first
/// SIGINT or SIGTERM stops the server, a second one cancels the calls, a third ends the program.
///
/// Thread safety: stop() from any thread; the rest, where it says nothing else, from one thread,
/// that of the loop where there is one.
class Server {
 public:
  explicit Server(ServerOptions options = ServerOptions());
  /// Everything runs on `loop`, which outlives the server; ServerOptions::threads() is ignored.
  explicit Server(EventLoop& loop, ServerOptions options = ServerOptions());
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  /// Ends what still runs: calls are cancelled, connections closed, socket files removed. Waits for
  /// handlers on other threads. In a forked child, whose parent started it, nothing; nor do stop(),
  /// wait() and cancel_calls() there.
  ~Server();

  /// `service` outlives the server. REQUIRES: not started, and no service of that name was added.
  Server& add_service(Service& service);
  /// The same, and the server keeps it: `server.add_service(std::make_unique<Greeter>())`.
  Server& add_service(std::shared_ptr<Service> service);
  /// The full names of the services that were added, in the order of the alphabet. From any thread
  /// once it was started.
  std::vector<std::string> services() const;

  /// Listens on a target (make_listener()); clients can connect from now on, and are served once
  /// the server runs. What goes wrong is reported by run() or start(). Without a loop of the user's
  /// it keeps the first SIGINT or SIGTERM from now on, for run(): start() raises it again, and so
  /// does the destructor; a second one ends the program.
  Server& listen(std::string_view target, const ListenOptions& options = ListenOptions());
  /// Takes connections from a listener of the user's own, under the same rule of who may connect
  /// as from ours. Of the options only the policy counts.
  Server& listen(std::unique_ptr<Listener> listener,
                 const ListenOptions& options = ListenOptions());
  /// The same, and returns what went wrong: UNAVAILABLE with the path and the reason ("address in
  /// use"), INVALID_ARGUMENT for a bad target, FAILED_PRECONDITION for a policy that does not go
  /// with the target (an abstract or TCP one without `untrusted::anyone()`) or with the file mode.
  Result<void> try_listen(std::string_view target, const ListenOptions& options = ListenOptions());
  /// The same, and returns what its bind() did. FAILED_PRECONDITION for a policy that the listener
  /// cannot go by (Listener::check_policy()).
  Result<void> try_listen(std::unique_ptr<Listener> listener,
                          const ListenOptions& options = ListenOptions());

  /// Where the server listens, in order, as targets; a port of 0 is replaced by the real one.
  std::vector<std::string> addresses() const;

  /// Serves on the calling thread (and threads() − 1 more) until SIGINT, SIGTERM or stop(), then
  /// drains. Returns what main() should: 0, or 1 after logging the error of listen() or start().
  /// Only run() acts on signals, on one that listen() kept too: the first drains, the second
  /// cancels the calls, a third ends the program. Those that the program handles itself are left to
  /// it. REQUIRES: made without a loop, and not started.
  int run();

  /// Begins to serve: on the loop, or without one on threads() new threads. Reports the first error
  /// of listen(). RESOURCE_EXHAUSTED if there are no descriptors or no threads for the loops.
  /// FAILED_PRECONDITION if nothing listens, or in a forked child of the process that listens:
  /// daemon() comes first. REQUIRES: not started.
  Result<void> start();
  /// Begins to drain. From any thread; once is enough.
  void stop() noexcept;
  /// As stop(), but the calls under way are cancelled now. From any thread. REQUIRES: started.
  void cancel_calls() noexcept;
  /// Waits until all is drained. REQUIRES: made without a loop (with one: co_await stopped()), and
  /// not in a handler.
  void wait();
  /// `co_await server.stopped()` on the server's loop: until all is drained.
  Task<void> stopped();

 private:
  friend detail::Access;
  std::unique_ptr<detail::ServerCore> core_;
};

}  // namespace nearcall::inline v0

#pragma GCC visibility pop
