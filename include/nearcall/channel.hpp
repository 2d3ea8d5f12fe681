// SPDX-License-Identifier: Apache-2.0
// Channel: a client's way to one server, over however many connections.
#pragma once

#include <nearcall/access.hpp>
#include <nearcall/codec.hpp>
#include <nearcall/connection_limits.hpp>
#include <nearcall/connectivity_state.hpp>
#include <nearcall/peer_policy.hpp>
#include <nearcall/result.hpp>
#include <nearcall/spawn_options.hpp>
#include <nearcall/spin_policy.hpp>
#include <nearcall/transport.hpp>
#include <nearcall/unique_function.hpp>

#include <chrono>
#include <cstddef>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0 {

/// Makes a connection of the user's own: SocketsHttpHandler.ConnectCallback of .NET. It is run as a
/// task on an EventLoop (EventLoop::current()), from several threads at once; see
/// Connector::connect().
using ConnectCallback = UniqueFunction<Task<Result<std::unique_ptr<Transport>>>(ConnectContext)>;

class ClientInterceptor;
class Observer;
class Picker;

namespace detail {
std::shared_ptr<Connector> make_connector(ConnectCallback callback);
}  // namespace detail

/// How a channel behaves. A value; fluent.
class ChannelOptions {
 public:
  ChannelOptions() = default;

  /// Connections come from `connector` instead of the target; null: from the target.
  ChannelOptions& connector(std::shared_ptr<Connector> connector) & {
    connector_ = std::move(connector);
    return *this;
  }
  ChannelOptions connector(std::shared_ptr<Connector> connector) && {
    return std::move(this->connector(std::move(connector)));
  }
  /// The same with a function, such as a lambda. With an empty one calls are FAILED_PRECONDITION.
  ChannelOptions& connector(ConnectCallback callback) & {
    return connector(detail::make_connector(std::move(callback)));
  }
  ChannelOptions connector(ConnectCallback callback) && {
    return std::move(connector(std::move(callback)));
  }
  /// Who the server has to be; no byte is sent to another one, and its calls fail with UNAVAILABLE
  /// and StatusReason::wrong_server. By default whoever may make the socket is believed, except
  /// where others may choose it too: at an abstract name, and at a path through a directory that
  /// they may write to (/tmp, and what others made there), it is this process's user or root.
  /// Judged by the user that listens, as it was when it began to; over TCP nobody is known, so that
  /// only untrusted::anyone() fits. PeerPolicy::by_file_mode() is no policy for this side.
  ChannelOptions& expect_server(PeerPolicy policy) & {
    expected_server_ = std::move(policy);
    return *this;
  }
  ChannelOptions expect_server(PeerPolicy policy) && {
    return std::move(expect_server(std::move(policy)));
  }
  /// Whether a target `fd:3` counts: the connected socket that this process has inherited as its
  /// descriptor 3, taken when the channel is made. Not by default: whoever chooses the target would
  /// choose among the program's descriptors. It is one connection: see max_connections().
  ChannelOptions& allow_fd() & {
    allows_fd_ = true;
    return *this;
  }
  ChannelOptions allow_fd() && { return std::move(allow_fd()); }
  /// Whether a target `exec:command` counts: each connection runs the command, without a shell, and
  /// speaks to its standard input and output. It ends with the connection, after SIGTERM and
  /// SIGKILL if it has to (SpawnOptions::grace() has the times, which a loop waits for). Not by
  /// default: whoever chooses the target would choose a program. Blocking calls share one
  /// connection, whatever max_connections() is.
  ChannelOptions& allow_exec() & {
    allows_exec_ = true;
    return *this;
  }
  ChannelOptions allow_exec() && { return std::move(allow_exec()); }
  /// What is sent as `:authority`; "localhost" by default, which every server accepts.
  ChannelOptions& authority(std::string authority) & {
    authority_ = std::move(authority);
    return *this;
  }
  ChannelOptions authority(std::string authority) && {
    return std::move(this->authority(std::move(authority)));
  }
  /// How many connections blocking calls open before they share: 1 to 256, 32 by default. Awaited
  /// calls use one connection for each EventLoop besides.
  ChannelOptions& max_connections(std::size_t count) & {
    max_connections_ = count < 1 ? 1 : (count > 256 ? 256 : count);
    return *this;
  }
  ChannelOptions max_connections(std::size_t count) && { return std::move(max_connections(count)); }
  /// How long one attempt to connect may take, if the call's deadline is not earlier, and then the
  /// server's first word (SETTINGS); 20 s by default.
  ChannelOptions& connect_timeout(std::chrono::nanoseconds duration) & {
    connect_timeout_ = duration < duration.zero() ? duration.zero() : duration;
    return *this;
  }
  ChannelOptions connect_timeout(std::chrono::nanoseconds duration) && {
    return std::move(connect_timeout(duration));
  }
  /// How long the server may say nothing before it is asked whether it is there (a PING; gRFC A8),
  /// from 10 s; never by default. A server that is told too often says GOAWAY "too_many_pings", and
  /// connections that are made then take twice the time: agree with whoever runs it. Over a Unix
  /// socket the kernel tells of its end at once; this is for networks, and for a server that hangs.
  /// Connections for blocking calls are looked at only while a call waits.
  ChannelOptions& keepalive_time(std::chrono::nanoseconds duration) & {
    keepalive_time_ = duration < min_keepalive_time ? min_keepalive_time : duration;
    return *this;
  }
  ChannelOptions keepalive_time(std::chrono::nanoseconds duration) && {
    return std::move(keepalive_time(duration));
  }
  /// How long it has to say something then, before the connection is lost and its calls are
  /// UNAVAILABLE, from 10 ms; 20 s by default.
  ChannelOptions& keepalive_timeout(std::chrono::nanoseconds duration) & {
    keepalive_timeout_ = duration < min_keepalive_timeout ? min_keepalive_timeout : duration;
    return *this;
  }
  ChannelOptions keepalive_timeout(std::chrono::nanoseconds duration) && {
    return std::move(keepalive_timeout(duration));
  }
  /// Whether it is asked while there are no calls, too; not by default, and servers of gRPC do not
  /// like it.
  ChannelOptions& keepalive_without_calls(bool is_wanted) & {
    keepalive_without_calls_ = is_wanted;
    return *this;
  }
  ChannelOptions keepalive_without_calls(bool is_wanted) && {
    return std::move(keepalive_without_calls(is_wanted));
  }
  /// Whether blocking calls spin before they sleep.
  ChannelOptions& spin(SpinPolicy policy) & {
    spin_ = policy;
    return *this;
  }
  ChannelOptions spin(SpinPolicy policy) && { return std::move(spin(policy)); }
  /// The largest message that is taken from the server, in bytes; 4 MiB by default.
  ChannelOptions& max_receive_message_size(std::size_t bytes) & {
    max_receive_ = bytes;
    return *this;
  }
  ChannelOptions max_receive_message_size(std::size_t bytes) && {
    return std::move(max_receive_message_size(bytes));
  }
  /// The largest message that is sent, in bytes before compression; protobuf's 2 GiB by
  /// default. A larger one ends its call with RESOURCE_EXHAUSTED.
  ChannelOptions& max_send_message_size(std::size_t bytes) & {
    max_send_ = bytes;
    return *this;
  }
  ChannelOptions max_send_message_size(std::size_t bytes) && {
    return std::move(max_send_message_size(bytes));
  }
  /// One more codec that messages from the server may have, and that requests may be compressed
  /// with. gzip and deflate are there without; 30 more, and the rest is not used. Outlives whatever
  /// is made with these options.
  ChannelOptions& codec(const Codec& codec) & {
    codecs_.push_back(&codec);
    return *this;
  }
  ChannelOptions codec(const Codec& codec) && { return std::move(this->codec(codec)); }
  /// What requests are compressed with, where that makes them smaller; Codec::identity(), the
  /// default: they are not. A codec() of these options too.
  ChannelOptions& compression(const Codec& codec) & {
    compression_ = &codec == &Codec::identity() ? nullptr : &codec;
    return this->codec(codec);
  }
  ChannelOptions compression(const Codec& codec) && { return std::move(compression(codec)); }
  /// Messages of fewer bytes are not compressed, 1,024 by default: docs/guides/compression.md has
  /// what that is measured by.
  ChannelOptions& compression_threshold(std::size_t bytes) & {
    compression_threshold_ = bytes;
    return *this;
  }
  ChannelOptions compression_threshold(std::size_t bytes) && {
    return std::move(compression_threshold(bytes));
  }
  /// What the server may cost on each connection; each number is moved into its range.
  ChannelOptions& limits(const ConnectionLimits& limits) & {
    limits_ = limits.within_range();
    return *this;
  }
  ChannelOptions limits(const ConnectionLimits& limits) && {
    return std::move(this->limits(limits));
  }
  /// Adds code around every call (client_interceptor.hpp). The first one that is added is
  /// outermost: it sees a call first, and its end last. Null is none.
  ChannelOptions& interceptor(std::shared_ptr<ClientInterceptor> interceptor) & {
    if (interceptor != nullptr) interceptors_.push_back(std::move(interceptor));
    return *this;
  }
  ChannelOptions interceptor(std::shared_ptr<ClientInterceptor> interceptor) && {
    return std::move(this->interceptor(std::move(interceptor)));
  }
  /// Adds one who is told what happens to the channel and its calls (observer.hpp).
  ChannelOptions& observer(std::shared_ptr<Observer> observer) & {
    observers_.push_back(std::move(observer));
    return *this;
  }
  ChannelOptions observer(std::shared_ptr<Observer> observer) && {
    return std::move(this->observer(std::move(observer)));
  }

  /// Which backend each attempt of a call goes to, on a channel to several: picker.hpp. By default
  /// as the service config's loadBalancingConfig says, and else Picker::pick_first(). Several
  /// channels may share one.
  ChannelOptions& picker(std::shared_ptr<Picker> picker) & {
    picker_ = std::move(picker);
    return *this;
  }
  ChannelOptions picker(std::shared_ptr<Picker> picker) && {
    return std::move(this->picker(std::move(picker)));
  }

  /// gRPC's service config, as JSON: for the methods that its `methodConfig` names their timeout,
  /// message limits, retries, hedging; for a channel to several backends which ones calls go to
  /// (loadBalancingConfig: pick_first, round_robin), and what they have to serve
  /// (healthCheckConfig; gRFC A17). Fields that are not known are ignored. What is wrong with it
  /// stands, with the field's path, in misuse(), and each call fails with that. At most 1 MiB.
  ChannelOptions& service_config(const std::string& json) &;
  ChannelOptions service_config(const std::string& json) && {
    return std::move(service_config(json));
  }
  /// How many bytes of requests a call with a retryPolicy, or a hedgingPolicy, keeps to send them
  /// again: 1 MiB by default. One that sends more, or that comes when all calls of the channel keep
  /// max_retry_buffer(), goes on with the attempt that it has.
  ChannelOptions& max_call_retry_buffer(std::size_t bytes) & {
    max_call_retry_buffer_ = bytes;
    return *this;
  }
  ChannelOptions max_call_retry_buffer(std::size_t bytes) && {
    return std::move(max_call_retry_buffer(bytes));
  }
  /// The same of all calls of the channel together: 16 MiB by default.
  ChannelOptions& max_retry_buffer(std::size_t bytes) & {
    max_retry_buffer_ = bytes;
    return *this;
  }
  ChannelOptions max_retry_buffer(std::size_t bytes) && {
    return std::move(max_retry_buffer(bytes));
  }

  const std::shared_ptr<Connector>& connector() const noexcept { return connector_; }
  const std::optional<PeerPolicy>& expect_server() const noexcept { return expected_server_; }
  /// Null: that of the service config, or Picker::pick_first().
  const std::shared_ptr<Picker>& picker() const noexcept { return picker_; }
  bool allows_fd() const noexcept { return allows_fd_; }
  bool allows_exec() const noexcept { return allows_exec_; }
  const std::string& authority() const noexcept { return authority_; }
  std::size_t max_connections() const noexcept { return max_connections_; }
  std::chrono::nanoseconds connect_timeout() const noexcept { return connect_timeout_; }
  std::chrono::nanoseconds keepalive_time() const noexcept { return keepalive_time_; }
  std::chrono::nanoseconds keepalive_timeout() const noexcept { return keepalive_timeout_; }
  bool keepalive_without_calls() const noexcept { return keepalive_without_calls_; }
  SpinPolicy spin() const noexcept { return spin_; }
  std::size_t max_receive_message_size() const noexcept {
    return max_receive_.value_or(std::size_t{4} * 1024 * 1024);
  }
  std::size_t max_send_message_size() const noexcept { return max_send_; }
  /// Those that were added.
  const std::vector<const Codec*>& codecs() const noexcept { return codecs_; }
  /// Null: nothing is compressed.
  const Codec* compression() const noexcept { return compression_; }
  std::size_t compression_threshold() const noexcept { return compression_threshold_; }
  const ConnectionLimits& limits() const noexcept { return limits_; }
  std::size_t max_call_retry_buffer() const noexcept { return max_call_retry_buffer_; }
  std::size_t max_retry_buffer() const noexcept { return max_retry_buffer_; }
  /// What is wrong with service_config(), or OK: FAILED_PRECONDITION, and each call fails with it.
  const Status& misuse() const noexcept { return misuse_; }
  const std::vector<std::shared_ptr<ClientInterceptor>>& interceptors() const noexcept {
    return interceptors_;
  }
  const std::vector<std::shared_ptr<Observer>>& observers() const noexcept { return observers_; }

 private:
  friend detail::Access;

  std::shared_ptr<Connector> connector_;
  std::optional<PeerPolicy> expected_server_;
  bool allows_fd_ = false;
  bool allows_exec_ = false;
  std::string authority_ = "localhost";
  std::size_t max_connections_ = 32;
  std::chrono::nanoseconds connect_timeout_ = std::chrono::seconds(20);
  static constexpr std::chrono::nanoseconds min_keepalive_time = std::chrono::seconds(10);
  static constexpr std::chrono::nanoseconds min_keepalive_timeout = std::chrono::milliseconds(10);
  std::chrono::nanoseconds keepalive_time_ = std::chrono::nanoseconds::max();
  std::chrono::nanoseconds keepalive_timeout_ = std::chrono::seconds(20);
  bool keepalive_without_calls_ = false;
  SpinPolicy spin_ = SpinPolicy::adaptive();
  std::optional<std::size_t> max_receive_;
  std::size_t max_send_ = std::numeric_limits<std::size_t>::max();
  std::vector<const Codec*> codecs_;
  const Codec* compression_ = nullptr;
  std::size_t compression_threshold_ = 1024;
  ConnectionLimits limits_;
  std::shared_ptr<Picker> picker_;
  std::shared_ptr<const detail::HostResolver> resolver_;
  std::shared_ptr<const detail::ServiceConfig> service_config_;
  std::size_t max_call_retry_buffer_ = std::size_t{1024} * 1024;
  std::size_t max_retry_buffer_ = std::size_t{16} * 1024 * 1024;
  Status misuse_;
  std::vector<std::shared_ptr<ClientInterceptor>> interceptors_;
  std::vector<std::shared_ptr<Observer>> observers_;
};

/// A client's way to one server, or to several that are alike. Makes no connection before the first
/// call, or connect(); replaces those that die.
///
/// Blocking calls take a connection from a pool, and the calling thread drives it. Awaited calls
/// use one connection for each EventLoop. There is no thread behind a channel, but for one that
/// looks up the name of `dns:host:port`, and lives only as long as that takes.
///
/// A handle: copies are cheap and lead to the same connections, and so do clients made with it,
/// which may outlive it. When the last of them goes, connections that carry no call are closed.
///
/// Thread safety: any thread.
class Channel {
 public:
  /// `target`: see make_connector(). `dns:host:port` and `unix-dir:directory` stand for several
  /// backends, as to_any() has them. One that is wrong (an unknown scheme, a path
  /// that is too long) fails each call with UNAVAILABLE and says what is wrong with it. So does
  /// a wrong one of `options`, with FAILED_PRECONDITION: ChannelOptions::misuse().
  explicit Channel(std::string_view target, ChannelOptions options = ChannelOptions());
  /// To several backends, in that order: each call goes to one of them, by
  /// ChannelOptions::picker(). One that cannot be reached is passed over, at once; a call fails
  /// when all have failed, or waits for whichever comes first (CallOptions::wait_for_ready()). At
  /// most 1,000; one that stands twice counts once. Options count for each: max_connections(),
  /// connect_timeout() and the others. A target that is wrong fails each call, as it does alone.
  static Channel to_any(const std::vector<std::string>& targets,
                        ChannelOptions options = ChannelOptions());
  /// Starts a child and speaks to it over a socket that the child has as its descriptor 3:
  /// `server.listen("inherited:")` serves there. `command` is the program, looked for as by
  /// execvp(3), and its arguments. Its standard input is /dev/null, it has no other descriptors of
  /// this process, and no signal is blocked or ignored.
  ///
  /// When the child ends, calls fail with UNAVAILABLE, and how it ended; no other one is started.
  /// It has one connection, for blocking calls or for those that one EventLoop awaits, whichever
  /// come first; close_idle() closes it for good. The child goes with the channel (and its last
  /// call): the connection is closed, after a grace it gets SIGTERM, and then SIGKILL, as do all of
  /// its process group. The channel's destructor waits for that.
  ///
  /// UNAVAILABLE, with the program and the reason: it cannot be run.
  static Result<Channel> spawn(const std::vector<std::string>& command,
                               const SpawnOptions& spawn_options = SpawnOptions(),
                               ChannelOptions options = ChannelOptions());
  Channel(const Channel&) = default;
  Channel& operator=(const Channel&) = default;
  ~Channel();

  /// Makes a connection now, if there is none, so that the first blocking call need not. Where the
  /// server cannot be reached it is tried again, as for a call that waits for it
  /// (CallOptions::wait_for_ready()), as long as `patience` lasts; the last attempt's status if
  /// that was not enough, or if trying again would not help: PERMISSION_DENIED with
  /// StatusReason::refused, or StatusReason::wrong_server or not_grpc. OK says
  /// that the server was heard and takes calls of this user. connect_timeout() bounds each attempt,
  /// and then the server's first word. Blocks: FAILED_PRECONDITION on a thread that runs an
  /// EventLoop.
  Status connect(std::chrono::nanoseconds patience = std::chrono::nanoseconds::zero()) const;
  /// `Status status = co_await channel.connect_async(5s);` the same, for the awaited calls of
  /// EventLoop::current().
  Task<Status> connect_async(
      std::chrono::nanoseconds patience = std::chrono::nanoseconds::zero()) const;
  /// Whether the server can be reached, as the channel's connections and attempts of this process
  /// tell, those of blocking calls and of all EventLoops together: ready if it was heard on one of
  /// them that takes calls, else connecting if one is being made, else transient_failure if the
  /// last attempt failed, else idle. Makes no attempt itself, as nobody does but calls and
  /// connect(): a state other than connecting may last. shutdown: the target is wrong.
  ///
  /// Of several backends: ready if one is, else connecting if one is, else idle if one was not
  /// tried yet, else transient_failure. One that failed counts as failing until it is ready.
  ///
  /// A connection of blocking calls that carries none has nobody who hears of its end: it is looked
  /// at here, and where one waits for a change ten times a second. That of a loop is heard of when
  /// the loop turns.
  ConnectivityState state() const;
  /// Waits until state() is another one than `from`: false if it is not at `deadline`. It may have
  /// changed again since. Blocks: not on a thread that runs an EventLoop.
  bool wait_for_state_change(ConnectivityState from,
                             std::chrono::steady_clock::time_point deadline =
                                 std::chrono::steady_clock::time_point::max()) const;
  /// `bool changed = co_await channel.wait_for_state_change_async(from);` the same, on
  /// EventLoop::current().
  Task<bool> wait_for_state_change_async(ConnectivityState from,
                                         std::chrono::steady_clock::time_point deadline =
                                             std::chrono::steady_clock::time_point::max()) const;
  /// Closes the connections that carry no call; the next call makes new ones. Those of an EventLoop
  /// go in its next turn. Without it a channel that makes no calls keeps what it has, until the
  /// server closes that.
  void close_idle() const;

 private:
  friend detail::Access;
  Channel(const std::vector<std::string>& targets, ChannelOptions options);

  std::shared_ptr<detail::ChannelCore> core_;
};

}  // namespace nearcall::inline v0

#pragma GCC visibility pop
