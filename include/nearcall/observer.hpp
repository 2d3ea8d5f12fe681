// SPDX-License-Identifier: Apache-2.0
// Observer: is told what happens to the connections and calls of channels and servers.
#pragma once

#include <nearcall/metadata.hpp>
#include <nearcall/method.hpp>
#include <nearcall/peer.hpp>
#include <nearcall/status.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0 {

/// Why a connection ended. The first reason counts.
enum class EndReason : std::uint8_t {
  none,                // it has not
  drained,             // both sides agreed: GOAWAY, no streams left, all output sent
  peer_closed,         // the peer closed its end
  read_failed,         // the transport failed while reading
  write_failed,        // the transport failed while writing, and the peer left nothing to read
  protocol_violation,  // the peer broke HTTP/2 or a budget: GOAWAY was sent
  silent,              // the peer did not answer a keepalive PING in time
  cancelled,           // our side gave it up: the channel or the server went
  evicted,             // others needed its place at the server, or the memory that it held
};

/// "drained", "closed by the peer", …
std::string_view to_string(EndReason reason) noexcept;

/// Is told what happens, right when it does, by whoever makes it happen: ChannelOptions::observer()
/// and ServerOptions::observer(). Override what you want to hear of. What has begun ends, once, and
/// nothing comes after its end.
///
/// It must not wait, make a call, or use what it is told of otherwise: locks of the library may be
/// held. Each function is noexcept: an observer that throws ends the program (std::terminate).
///
/// Thread safety: any thread, several at once: those that drive the connections, which are loops,
/// threads that wait for blocking calls, or who makes, cancels and drops calls. What concerns one
/// connection or one call comes in order, one after the other. References are good until the
/// function returns.
class Observer {
 public:
  using Time = std::chrono::steady_clock::time_point;
  enum class Side : std::uint8_t { client, server };

  /// The channel, or the server, whose options name the observer.
  struct Origin {
    Side side;
    /// Of this process; never given twice, to anything that has one here.
    std::uint64_t id;
    /// Of a channel: its target; "a,b" where there are several.
    std::string target;
  };

  struct Connection {
    const Origin& origin;
    std::uint64_t id;
    const PeerIdentity& peer;
    Time begun;
  };

  /// A message, without the five bytes in front of it.
  struct Message {
    /// As protobuf serialises it.
    std::size_t size;
    /// As it is on the wire: compressed, where the call compresses.
    std::size_t compressed_size;
  };

  /// How many messages, and their sizes.
  struct Messages {
    std::uint64_t count = 0;
    std::uint64_t size = 0;
    std::uint64_t compressed_size = 0;
  };

  /// One attempt of a call at a client: one stream.
  struct Attempt {
    /// 1 for the first one.
    std::uint64_t number = 0;
    /// Connection::id.
    std::uint64_t connection = 0;
    Time begun;
    /// When it has ended.
    Time ended;
    Messages sent;
    Messages received;
  };

  struct Call {
    const Origin& origin;
    std::uint64_t id;
    const Method& method;
    /// What the client sends with it.
    const Metadata& metadata;
    Time begun;
    /// When it has ended.
    Time ended;
    /// At a server; of a client's each attempt has its own. Connection::id.
    std::uint64_t connection = 0;
    /// Until now, over all attempts.
    Messages sent;
    Messages received;
    /// At a client: how many there were until now.
    std::uint64_t attempts = 0;
  };

  enum class Refusal : std::uint8_t {
    handshake,
    policy,
    limit,
    /// Another server has the name: whoever connects again finds that one.
    successor,
  };

  enum class AttemptEnd : std::uint8_t {
    last,
    /// The server did not process it: there is another one, at once.
    repeated,
    /// There is another one, after a pause, by the retryPolicy.
    retried,
    /// By the hedgingPolicy others go on, or one of them was answered first.
    hedged,
  };

  virtual ~Observer() = default;

  /// A channel or a server was made; the last that is of it has gone.
  virtual void on_origin_begun(const Origin& /*origin*/) noexcept {}
  virtual void on_origin_ended(const Origin& /*origin*/) noexcept {}

  virtual void on_connection_begun(const Connection& /*connection*/) noexcept {}
  virtual void on_connection_ended(const Connection& /*connection*/, EndReason /*why*/) noexcept {}
  /// At a server: one that came, and was not served.
  virtual void on_connection_refused(const Origin& /*server*/,
                                     const PeerIdentity& /*peer*/,
                                     Refusal /*why*/) noexcept {}
  /// At a client: an attempt that somebody waited for to its end.
  virtual void on_connect_failed(const Origin& /*channel*/, const Status& /*why*/) noexcept {}

  /// At a client: it was made. At a server: its headers have come, and name one of its methods.
  virtual void on_call_begun(const Call& /*call*/) noexcept {}
  /// At a server: a request that names none of its methods, or is none of gRPC, was answered so.
  virtual void on_call_refused(const Origin& /*server*/, const Status& /*how*/) noexcept {}
  /// At a client: an attempt is opened on a connection.
  virtual void on_attempt_begun(const Call& /*call*/, const Attempt& /*attempt*/) noexcept {}
  /// It is serialised, and about to go; a message of a retried attempt once more.
  virtual void on_message_sent(const Call& /*call*/, const Message& /*message*/) noexcept {}
  /// Its reader has it. What has come to a client and is not read when its call ends counts then,
  /// the size of a compressed one as it came.
  virtual void on_message_received(const Call& /*call*/, const Message& /*message*/) noexcept {}
  /// At a client: so it has ended, and what becomes of the call.
  virtual void on_attempt_ended(const Call& /*call*/,
                                const Attempt& /*attempt*/,
                                const Status& /*how*/,
                                AttemptEnd /*then*/) noexcept {}
  /// At a client: the status has come, or what ends the call there. At a server: it was answered
  /// so, or nobody waits for its answer (CANCELLED); its handler may go on to run.
  virtual void on_call_ended(const Call& /*call*/, const Status& /*how*/) noexcept {}
};

}  // namespace nearcall::inline v0

#pragma GCC visibility pop
