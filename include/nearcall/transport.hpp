// SPDX-License-Identifier: Apache-2.0
// Transport, Listener, Connector: to bring another transport. Any reliable byte stream will do.
#pragma once

#include <nearcall/listen_options.hpp>
#include <nearcall/peer.hpp>
#include <nearcall/result.hpp>
#include <nearcall/task.hpp>
#include <nearcall/wait.hpp>

#include <sys/uio.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0 {

/// What one non-blocking read or write did. A value.
class IoResult {
 public:
  enum class Kind : std::uint8_t { bytes, would_block, end_of_stream, failed };

  /// `count` bytes were moved. REQUIRES: count > 0, and no more than were given or had room.
  static IoResult bytes(std::size_t count) noexcept { return {Kind::bytes, count, {}}; }
  /// Reads only: the same, and there was no more. A hint that spares a read which would block.
  /// REQUIRES: what comes later makes the descriptor of prepare_wait() ready anew, also where it is
  /// registered edge-triggered. Of the end of the stream it may have told before, by EPOLLRDHUP.
  static IoResult all_bytes(std::size_t count) noexcept { return {Kind::bytes, count, {}, true}; }
  /// Nothing now; prepare_wait() says how to learn of more.
  static IoResult would_block() noexcept { return {Kind::would_block, 0, {}}; }
  /// Reads only: the peer will send no more.
  static IoResult end_of_stream() noexcept { return {Kind::end_of_stream, 0, {}}; }
  /// The connection is broken for this direction.
  static IoResult failed(std::error_code error) noexcept { return {Kind::failed, 0, error}; }
  /// What recv(2), sendmsg(2) or the like has just returned, with the errno that it left. REQUIRES:
  /// that is not EINTR, after which the call is made again, and no write returned 0.
  static IoResult of_call(ssize_t returned) noexcept {
    if (returned > 0) return bytes(static_cast<std::size_t>(returned));
    if (returned == 0) return end_of_stream();
    if (errno == EAGAIN) return would_block();
    return failed(std::error_code(errno, std::system_category()));
  }

  Kind kind() const noexcept { return kind_; }
  /// How many bytes were moved: 0 for all kinds but `bytes`.
  std::size_t count() const noexcept { return count_; }
  /// What failed: no error for all kinds but `failed`.
  std::error_code error() const noexcept { return error_; }
  /// Whether a read took all that there was, as far as is known.
  bool is_all() const noexcept { return is_all_; }

 private:
  IoResult(Kind kind, std::size_t count, std::error_code error, bool is_all = false) noexcept
      : count_(count), error_(error), kind_(kind), is_all_(is_all) {}

  std::size_t count_;
  std::error_code error_;
  Kind kind_;
  bool is_all_;
};

/// One direction of a connection, for waiting.
enum class Interest : std::uint8_t { read, write };

/// How to wait for one direction: it is ready now, or a descriptor will say so. A value.
class WaitAdvice {
 public:
  /// Do not wait: look again.
  static WaitAdvice ready_now() noexcept { return {-1, 0}; }
  /// Poll `fd` for `events` (POLLIN, POLLOUT of poll(2)). The descriptor lives as long as the
  /// connection, and its readiness must follow the state: an event that arrives after
  /// prepare_wait() returned makes it ready, and try_read()/try_write() take the readiness away
  /// before they answer would_block (an eventfd is read empty). It may be registered
  /// edge-triggered.
  static WaitAdvice poll(int fd, short events) noexcept { return {fd, events}; }

  /// Whether there is nothing to wait for.
  bool is_ready() const noexcept { return fd_ < 0; }
  /// The descriptor to poll; -1 if is_ready().
  int fd() const noexcept { return fd_; }
  /// What to poll it for; 0 if is_ready().
  short events() const noexcept { return events_; }

 private:
  WaitAdvice(int fd, short events) noexcept : fd_(fd), events_(events) {}

  int fd_;
  short events_;
};

/// How far the handshake of a transport is.
enum class Handshake : std::uint8_t { pending, done };

/// Passing of open descriptors along with bytes (SCM_RIGHTS of unix(7)): what a transport that can
/// do so answers from Transport::descriptor_passing(). The library does not use it yet.
///
/// Lives as long as the transport. Thread safety: as try_read() and try_write() of the transport,
/// in whose place these are called.
class DescriptorPassing {
 public:
  /// As Transport::try_write(). Copies of the descriptors go with the first byte: all have gone if
  /// any byte has. Failed, and the connection is as it was: more than 253 of them (unix(7)), or one
  /// that is not open.
  virtual IoResult try_write_with(std::span<const iovec> from,
                                  std::span<const int> descriptors) = 0;
  /// As Transport::try_read(); the descriptors that came with these bytes are added to the list,
  /// and are the caller's, close-on-exec. A read takes those of one write at most, and with them
  /// perhaps bytes of writes before. More than `most`, or than the process has room for, are
  /// closed; Transport::try_read() closes all.
  virtual IoResult try_read_with(std::span<std::byte> into,
                                 std::vector<int>& descriptors,
                                 std::size_t most) = 0;

 protected:
  ~DescriptorPassing() = default;
};

/// A reliable, ordered stream of bytes to one peer: a socket, a pipe pair, a ring, a TLS session.
///
/// Whoever waits tries both directions at every wake-up, whichever direction it waited for, with
/// whichever descriptor and events: a TLS session may have to write before it can read. Each wait
/// may name another descriptor.
///
/// The library closes it by destroying it. What one of its members throws ends the program. Thread
/// safety: one thread reads and one writes at a time (they may be two); abort() may be called from
/// any thread at any time, and so may peer() once the handshake is done. Members that later
/// versions add have defaults.
class Transport {
 public:
  virtual ~Transport() = default;

  /// What both sides settle before the first byte, such as a TLS handshake. Called first, by both
  /// sides, and again at each wake-up after a wait that prepare_wait(Interest::read) named, until
  /// it is done (and answers that for ever); nothing is read or written before. A server gives it
  /// ConnectionLimits::handshake_timeout, a client the time that it has to connect.
  virtual Result<Handshake, std::error_code> handshake() { return Handshake::done; }
  /// Reads at most into.size() bytes (> 0) without blocking.
  virtual IoResult try_read(std::span<std::byte> into) = 0;
  /// Writes a prefix of the given pieces (at least one, none empty) without blocking, and without
  /// raising SIGPIPE.
  virtual IoResult try_write(std::span<const iovec> from) = 0;
  /// Called before a thread parks, after the direction answered would_block. A transport whose
  /// writer must be told that somebody sleeps (a ring) announces it here and looks once more.
  virtual WaitAdvice prepare_wait(Interest interest) = 0;
  /// Ends both directions at once: reads and writes fail or end from now on, and whoever waits on
  /// the descriptor wakes up. Keeps every resource alive: the destructor frees them.
  virtual void abort(std::error_code reason) noexcept = 0;
  /// Who is on the other side. Fixed from the moment that the handshake is done: policies ask then.
  virtual const PeerIdentity& peer() const noexcept = 0;
  /// Sends nothing more; the peer reads the end of the stream after what was written. Optional.
  virtual void shutdown_write() noexcept {}
  /// Whether a write fails, and nothing of it is sent, once the peer has closed both directions: so
  /// it is on a Unix domain socket (EPIPE, unix(7)), not over TCP. A pooled connection of such a
  /// transport need not be read from before the next call is written. Fixed for the life of the
  /// connection.
  virtual bool writes_fail_after_close() const noexcept { return false; }
  /// Null where descriptors cannot be passed. Fixed from the moment that the handshake is done.
  virtual DescriptorPassing* descriptor_passing() noexcept { return nullptr; }
};

/// A base for transports that change something about another one: it passes everything on, members
/// that later versions add included. It passes no descriptors, which would go round what is
/// changed.
class ForwardingTransport : public Transport {
 public:
  /// REQUIRES: not null.
  explicit ForwardingTransport(std::unique_ptr<Transport> inner) noexcept
      : inner_(std::move(inner)) {}

  Result<Handshake, std::error_code> handshake() override { return inner_->handshake(); }
  IoResult try_read(std::span<std::byte> into) override { return inner_->try_read(into); }
  IoResult try_write(std::span<const iovec> from) override { return inner_->try_write(from); }
  WaitAdvice prepare_wait(Interest interest) override { return inner_->prepare_wait(interest); }
  void abort(std::error_code reason) noexcept override { inner_->abort(reason); }
  const PeerIdentity& peer() const noexcept override { return inner_->peer(); }
  void shutdown_write() noexcept override { inner_->shutdown_write(); }
  bool writes_fail_after_close() const noexcept override {
    return inner_->writes_fail_after_close();
  }

 protected:
  Transport& inner() noexcept { return *inner_; }
  const Transport& inner() const noexcept { return *inner_; }

 private:
  const std::unique_ptr<Transport> inner_;
};

/// Hands over connections that peers made. Driven by the server's loop.
///
/// Life: bind(), then try_accept() as often as prepare_wait() says, then unbind(), and try_accept()
/// until it says null.
/// Thread safety: none; one thread at a time.
class Listener {
 public:
  virtual ~Listener() = default;

  /// Starts to listen: when it returns OK, peers can connect. Called once.
  virtual Result<void> bind() = 0;
  /// The next connection, or null when none waits now. After unbind() those who had connected
  /// before are still handed over, or lost; then it says null for ever. An error is logged and
  /// retried after a pause (10 ms, doubling to 1 s).
  virtual Result<std::unique_ptr<Transport>> try_accept() = 0;
  /// How to wait for the next connection; level-triggered.
  virtual WaitAdvice prepare_wait() = 0;
  /// Nobody can connect from now on, and the name that it listened under is free for a successor;
  /// connections that were handed over live on.
  virtual void unbind() noexcept = 0;
  /// Looks whether clients still find it, and mends that where it can: somebody may have removed
  /// the name of a socket. Called after bind() and every five seconds until unbind(), as long as it
  /// answers true: look again. ABORTED: a successor has the name, and the server stops as by
  /// stop(). Any other error is logged, and it looks again.
  virtual Result<bool> check_name() { return false; }
  /// Whether no connection will come any more, and those that were handed over have ended: asked
  /// after try_accept() said null, and the server stops then, as by stop(). What prepare_wait()
  /// names becomes ready when it changes.
  virtual bool is_over() const noexcept { return false; }
  /// In target form, for logs: "unix:/run/x.sock".
  virtual std::string address() const = 0;
  /// The same, each for itself where it listens at several (Server::addresses()).
  virtual std::vector<std::string> addresses() const { return {address()}; }
  /// Whether its transports know the credentials of their peers. Where they do not, a server
  /// listens only with `untrusted::anyone()`. Fixed for its life.
  virtual bool knows_credentials() const noexcept { return false; }
  /// Whether a server can go by this policy here; FAILED_PRECONDITION says why not. Unless it is
  /// overridden: not by one that needs credentials which the listener does not know, and not by
  /// PeerPolicy::by_file_mode(), which a listener around one of ours can pass on.
  virtual Result<void> check_policy(const PeerPolicy& policy) const;
};

/// A base for listeners that change something about another one: it passes everything on, members
/// that later versions add included. Whoever overrides address() overrides addresses(), too.
class ForwardingListener : public Listener {
 public:
  /// REQUIRES: not null.
  explicit ForwardingListener(std::unique_ptr<Listener> inner) noexcept
      : inner_(std::move(inner)) {}

  Result<void> bind() override { return inner_->bind(); }
  Result<std::unique_ptr<Transport>> try_accept() override { return inner_->try_accept(); }
  WaitAdvice prepare_wait() override { return inner_->prepare_wait(); }
  void unbind() noexcept override { inner_->unbind(); }
  Result<bool> check_name() override { return inner_->check_name(); }
  bool is_over() const noexcept override { return inner_->is_over(); }
  std::string address() const override { return inner_->address(); }
  std::vector<std::string> addresses() const override { return inner_->addresses(); }
  bool knows_credentials() const noexcept override { return inner_->knows_credentials(); }
  Result<void> check_policy(const PeerPolicy& policy) const override {
    return inner_->check_policy(policy);
  }

 protected:
  Listener& inner() noexcept { return *inner_; }
  const Listener& inner() const noexcept { return *inner_; }

 private:
  const std::unique_ptr<Listener> inner_;
};

/// What a connector is told of the connection that is wanted.
class ConnectContext {
 public:
  ConnectContext(std::string target,
                 std::chrono::steady_clock::time_point deadline,
                 std::stop_token cancellation)
      : target_(std::move(target)), deadline_(deadline), cancellation_(std::move(cancellation)) {}

  /// The target that the channel was made with.
  const std::string& target() const noexcept { return target_; }
  /// When the attempt is cancelled: time_point::max() if never. A connector that is late is
  /// not awaited: its task is destroyed where it waits, and with it what it holds.
  std::chrono::steady_clock::time_point deadline() const noexcept { return deadline_; }
  /// Stops when nobody wants the connection any more.
  const std::stop_token& cancellation() const noexcept { return cancellation_; }

 private:
  std::string target_;
  std::chrono::steady_clock::time_point deadline_;
  std::stop_token cancellation_;
};

/// Makes connections, one a call of connect().
///
/// Thread safety: connect() may be called from several threads at once.
class Connector {
 public:
  virtual ~Connector() = default;

  /// A connection to the peer, or UNAVAILABLE with the path and the reason. Runs on an EventLoop
  /// (EventLoop::current()), which the task may use to wait and must not block: what blocks goes to
  /// a ThreadPool (resume_on()), and the task may end there. An attempt that is given up while it
  /// is there is waited for.
  virtual Task<Result<std::unique_ptr<Transport>>> connect(ConnectContext context) = 0;
};

/// The connector of a target, for programs that connect without a Channel or wrap it in one of
/// their own. INVALID_ARGUMENT names the part that is wrong of a target that is none of
///
///     unix:relative/or/absolute/path      unix:///absolute/path     a path of at most 4,095 bytes
///     unix-abstract:name                  at most 107 bytes; any byte may be written as %XX
///     npipe:name                          a named pipe as .NET has it on Unix
///     ipv4:127.0.0.1:50051                ipv6:[::1]:50051          a literal address and a port
///     vsock:2:50051                       a context id and a port: to and from virtual machines
///     fd:3                                a stream socket that this process has inherited; for
///                                         connecting only with ChannelOptions::allow_fd()
///     systemd:    systemd:name            what a socket unit has passed, all or those of that
///                                         name; for servers
///     inproc:name                         within this process
///     inherited:                          in a child of Channel::spawn(), its connection; for
///                                         servers, which stop when it ends
///     stdio:                              standard input and output; for servers, the same
///     exec:command                        standard input and output of a command, quoted as for
///                                         a shell; only with ChannelOptions::allow_exec()
///     fifo:directory                      two FIFOs in a directory of mode 0700, for one client
///     dns:host:50051                      for channels: a host's name; its addresses are backends
///     unix-dir:directory                  for channels: the Unix sockets in it are backends
///     http://authority                    for a ChannelOptions::connector(): this one refuses
///
/// Paths and names of pipes are taken as they are: "%20" stays "%20". https:// means http://:
/// encryption is the business of the user's connector. docs/addresses.md says more.
Result<std::unique_ptr<Connector>> make_connector(std::string_view target);

/// The listener of a target (as above), not bound yet. The policy in `options` is checked against
/// the mode, and judges nobody here: whoever takes its transports does. INVALID_ARGUMENT: a target
/// that is none or that nobody can listen on, a mode beyond 0777. FAILED_PRECONDITION: a policy and
/// a mode or a kind of target that do not go together.
Result<std::unique_ptr<Listener>> make_listener(std::string_view target,
                                                const ListenOptions& options = ListenOptions());

/// The listener of a socket that this process has opened or received: a listening one, or a
/// connected one, whose one connection it hands over. Others who share a listening one go on when
/// this one does not; its path and permissions stay theirs. FAILED_PRECONDITION: `fd` is something
/// else, and still the caller's; otherwise it is the listener's, and close-on-exec.
Result<std::unique_ptr<Listener>> adopt_listener(int fd);

/// The same for a connected one, and for ChannelOptions::connector(): the first connect() gets it.
Result<std::unique_ptr<Connector>> adopt_connector(int fd);

}  // namespace nearcall::inline v0

#pragma GCC visibility pop
