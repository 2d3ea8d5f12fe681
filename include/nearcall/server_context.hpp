// SPDX-License-Identifier: Apache-2.0
// ServerContext: what a handler sees of its call, and its message streams.
#pragma once

#include <nearcall/codec.hpp>
#include <nearcall/metadata.hpp>
#include <nearcall/peer.hpp>
#include <nearcall/result.hpp>
#include <nearcall/stream_awaiters.hpp>
#include <nearcall/task.hpp>
#include <nearcall/wait.hpp>

#include <chrono>
#include <cstdint>
#include <stop_token>
#include <string_view>

#pragma GCC visibility push(default)  // what a shared library exports

namespace google::protobuf {
class Arena;
}

namespace nearcall::inline v0 {

/// Why a handler that has no end of its own should end.
enum class CallEnding : std::uint8_t {
  cancelled,       // ServerContext::is_cancelled(): nobody waits for the answer any more
  server_stopping  // the client still waits: end in good order, as with an OK status
};

namespace detail {

/// What a ServerContext stands for: a call of a server, or of a test. Private: it grows.
class ServerCallView {
 public:
  virtual const PeerIdentity& peer() const noexcept = 0;
  virtual std::string_view method() const noexcept = 0;
  virtual std::string_view authority() const noexcept = 0;
  virtual const Metadata& metadata() const noexcept = 0;
  virtual std::chrono::steady_clock::time_point deadline() const noexcept = 0;
  virtual bool is_cancelled() const noexcept = 0;
  virtual std::stop_token cancellation() = 0;
  virtual std::stop_token server_stopping() const = 0;
  /// Stops with the first of the two.
  virtual std::stop_token ending() = 0;
  virtual void add_header(std::string_view key, std::string_view value) = 0;
  virtual void add_trailer(std::string_view key, std::string_view value) = 0;
  virtual void send_headers() = 0;
  virtual void set_compression(const Codec& codec) = 0;
  virtual google::protobuf::Arena& arena() = 0;

 protected:
  ~ServerCallView() = default;
};

/// Waits until a call should end, and says why.
class [[nodiscard]] EndingAwaiter final : public WaitAwaiter {
 public:
  explicit EndingAwaiter(ServerCallView& call)
      : WaitAwaiter({TimePoint::max(), call.ending()}), call_(&call) {}
  CallEnding await_resume() noexcept {
    settle();
    return call_->is_cancelled() ? CallEnding::cancelled : CallEnding::server_stopping;
  }

 private:
  ServerCallView* call_;
};

}  // namespace detail

/// What a handler sees of its call. Lives until the handler has returned.
///
/// Thread safety: of a function of a BlockingService any thread, until it returns. Of a coroutine
/// the thread of the loop that it was started on (EventLoop::current() there); elsewhere, as after
/// resume_on(pool), what is no fact of the request ends the program with a message. cancellation()
/// and server_stopping() give tokens that any thread may ask; take them before.
class ServerContext {
 public:
  ServerContext(const ServerContext&) = delete;
  ServerContext& operator=(const ServerContext&) = delete;

  /// Who is calling, in the kernel's words.
  const PeerIdentity& peer() const noexcept;
  /// "/package.Service/Method".
  std::string_view method() const noexcept;
  /// `:authority` (or `host`) exactly as the client sent it; never trust it.
  std::string_view authority() const noexcept;
  /// The client's metadata.
  const Metadata& metadata() const noexcept;
  /// When the client gives up: time_point::max() if it never does.
  std::chrono::steady_clock::time_point deadline() const noexcept;

  /// Whether nobody waits for the answer any more: the client cancelled or is gone, the deadline
  /// has passed, or the server stops and waits no longer.
  bool is_cancelled() const noexcept;
  /// Stops when is_cancelled() becomes true: `co_await sleep_for(1s, call.cancellation())`. Its
  /// callbacks run on the call's loop, and must not block.
  std::stop_token cancellation();
  /// Stops when the server begins to drain: a handler without an end of its own should return. Its
  /// callbacks run on a loop, and must not wait, nor for a mutex that is held over a read or write.
  std::stop_token server_stopping();
  /// `const CallEnding why = co_await call.until_ending();` for a handler without an end of its
  /// own: until the call is cancelled or the server begins to drain, whichever is first. REQUIRES:
  /// in a coroutine; a function of a BlockingService waits with the tokens.
  detail::EndingAwaiter until_ending();

  /// Adds a response header. What Metadata::add() refuses, or what comes when they were sent, is a
  /// mistake in the handler: the first one is remembered and logged, and the call ends with
  /// INTERNAL and its text, whatever the handler returns.
  ServerContext& add_header(std::string_view key, std::string_view value);
  /// Adds a trailer: it is sent with the status. Mistakes as above.
  ServerContext& add_trailer(std::string_view key, std::string_view value);
  /// Sends the response headers now, instead of with the first message; nothing if they were sent.
  ServerContext& send_headers();
  /// What this call's replies are compressed with from now on, instead of
  /// ServerOptions::compression(): not at all with Codec::identity(), nor if the client does not
  /// take it, or the server has no such codec. The headers name it: once they were sent
  /// it can be switched off, and on again; another one is a mistake as above.
  ServerContext& set_compression(const Codec& codec);
  /// Memory for messages that lives as long as the call: what is made on it goes in one step, when
  /// the handler has returned and the reply was taken. It has the messages of handlers that were
  /// generated for arenas (docs/guides/arenas.md). It only grows: not for messages of a stream, but
  /// one that each read() uses again.
  google::protobuf::Arena& arena();

 private:
  friend detail::Access;
  explicit ServerContext(detail::ServerCallView& call) noexcept : call_(&call) {}

  detail::ServerCallView* call_;
};

/// The requests of a client-streaming or bidirectional call. Lives as long as the ServerContext,
/// and belongs to the same thread.
template <class Request>
class ServerReader {
 public:
  ServerReader(const ServerReader&) = delete;
  ServerReader& operator=(const ServerReader&) = delete;

  /// `while (std::optional<Request> request = co_await requests.read())`; nothing once the client
  /// has ended its requests, or the call was cancelled (ServerContext::is_cancelled()).
  detail::ReadNewAwaiter<Request> read() noexcept {
    return detail::ReadNewAwaiter<Request>(*stream_);
  }
  /// The same into a message that is used again: `while (co_await requests.read(request))`.
  detail::ReadAwaiter read(Request& into) noexcept { return detail::ReadAwaiter(*stream_, into); }

 private:
  friend detail::Access;
  explicit ServerReader(detail::MessageStream& stream) noexcept : stream_(&stream) {}

  detail::MessageStream* stream_;
};

/// The replies of a server-streaming or bidirectional call. Lives as long as the ServerContext, and
/// belongs to the same thread.
template <class Reply>
class ServerWriter {
 public:
  ServerWriter(const ServerWriter&) = delete;
  ServerWriter& operator=(const ServerWriter&) = delete;

  /// `if (!co_await replies.write(reply))` the call was cancelled. Waits while the client is too
  /// slow to take more.
  detail::WriteAwaiter write(const Reply& reply) noexcept {
    return detail::WriteAwaiter(*stream_, reply);
  }
  /// The same, not compressed: `co_await replies.write(reply, no_compression)`.
  detail::WriteAwaiter write(const Reply& reply, NoCompression /*how*/) noexcept {
    return detail::WriteAwaiter(*stream_, reply, /*may_compress=*/false);
  }

 private:
  friend detail::Access;
  explicit ServerWriter(detail::MessageStream& stream) noexcept : stream_(&stream) {}

  detail::MessageStream* stream_;
};

}  // namespace nearcall::inline v0

#pragma GCC visibility pop
