// SPDX-License-Identifier: Apache-2.0
// BlockingService: services of ordinary functions, which may block, and how a pool's threads run
// them.
#pragma once

#include <nearcall/access.hpp>
#include <nearcall/method.hpp>
#include <nearcall/result.hpp>
#include <nearcall/server_context.hpp>
#include <nearcall/service.hpp>
#include <nearcall/task.hpp>

#include <google/protobuf/message_lite.h>

#include <coroutine>
#include <memory>
#include <optional>
#include <stop_token>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0 {

namespace detail {

/// The messages of a call, as a BlockingReader and a BlockingWriter move them: of a server's, or of
/// a test's. Private: it grows.
class BlockingStream {
 public:
  /// Waits for one message, or for room for one. False: there is none, or the call is over.
  virtual bool read(google::protobuf::MessageLite& into) = 0;
  /// The same; false, too, if `stop` stops first.
  virtual bool read(google::protobuf::MessageLite& into, const std::stop_token& stop) = 0;
  virtual bool write(const google::protobuf::MessageLite& message, bool may_compress) = 0;

 protected:
  ~BlockingStream() = default;
};

/// The way of a handler to the server's pool: `const Status entered = co_await pooled;`. OK: on a
/// thread of the pool. Otherwise the pool is full, or nobody waits for the answer any more.
class PooledHandler {
 public:
  explicit PooledHandler(HandlerCall& call);
  PooledHandler(const PooledHandler&) = delete;
  PooledHandler& operator=(const PooledHandler&) = delete;
  ~PooledHandler();

  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> handler);
  Status await_resume();

  /// What the handler sees of its call, on the pool's thread.
  ServerContext& context() noexcept;
  BlockingStream& stream() noexcept;

 private:
  std::unique_ptr<PooledCall> call_;
};

}  // namespace detail

/// The requests of a client-streaming or bidirectional call, for a handler that may block. Lives as
/// long as the ServerContext.
///
/// Thread safety: one thread reads while another one may write.
template <class Request>
class BlockingReader {
 public:
  BlockingReader(const BlockingReader&) = delete;
  BlockingReader& operator=(const BlockingReader&) = delete;

  /// `while (std::optional<Request> request = requests.read())`: waits for the next one; nothing
  /// once the client has ended its requests, or the call was cancelled (is_cancelled()).
  std::optional<Request> read() {
    std::optional<Request> request(std::in_place);
    if (!read(*request)) request.reset();
    return request;
  }
  /// The same into a message that is used again: `while (requests.read(request))`.
  bool read(Request& into) { return stream_->read(into); }
  /// The same until `stop` stops, of server_stopping() or of the program's own: then false, and a
  /// message that comes later is for the next read.
  bool read(Request& into, const std::stop_token& stop) { return stream_->read(into, stop); }

 private:
  friend detail::Access;
  explicit BlockingReader(detail::BlockingStream& stream) noexcept : stream_(&stream) {}

  detail::BlockingStream* stream_;
};

/// The replies of a server-streaming or bidirectional call, for a handler that may block. Lives as
/// long as the ServerContext.
///
/// Thread safety: one thread writes while another one may read.
template <class Reply>
class BlockingWriter {
 public:
  BlockingWriter(const BlockingWriter&) = delete;
  BlockingWriter& operator=(const BlockingWriter&) = delete;

  /// `if (!replies.write(reply))` the call was cancelled. Waits while the client is too slow to
  /// take more.
  [[nodiscard]] bool write(const Reply& reply) {
    return stream_->write(reply, /*may_compress=*/true);
  }
  /// The same, not compressed.
  [[nodiscard]] bool write(const Reply& reply, NoCompression /*how*/) {
    return stream_->write(reply, /*may_compress=*/false);
  }

 private:
  friend detail::Access;
  explicit BlockingWriter(detail::BlockingStream& stream) noexcept : stream_(&stream) {}

  detail::BlockingStream* stream_;
};

/// A service of ordinary functions, one thread of the server's pool for each call under way:
/// generated classes derive from it, users from those. The functions may block; they see that they
/// should return by is_cancelled(), or by the token of cancellation().
///
/// Thread safety: functions run on several threads at once.
class BlockingService : public Service {
 public:
  template <class Request>
  using BlockingReader = nearcall::BlockingReader<Request>;
  template <class Reply>
  using BlockingWriter = nearcall::BlockingWriter<Reply>;

 protected:
  using Service::Service;
};

namespace detail {

/// Runs a function of a service on a thread of the server's pool.
template <MethodKind kind, class ServiceType, class Request, class Reply, auto Function>
struct BlockingHandler {
  static constexpr bool has_one_request =
      kind == MethodKind::unary || kind == MethodKind::server_streaming;
  static constexpr bool has_one_reply =
      kind == MethodKind::unary || kind == MethodKind::client_streaming;
  using Outcome = std::conditional_t<has_one_reply, Result<Reply>, Status>;
  using Running = RunningHandler<Outcome>;

  static void start(Service& service, HandlerCall& call) {
    Request request;
    if (has_one_request && !call.take_request(request)) return call.handler_returned();
    Running::start(call, [&](Running&) {
      return run(static_cast<ServiceType&>(service), call, std::move(request));
    });
  }

 private:
  static Task<Outcome> run(ServiceType& service, HandlerCall& call, Request request) {
    PooledHandler pooled(call);
    const Status entered = co_await pooled;
    if (!entered.ok()) co_return entered;
    co_return invoke(service, pooled, request);
  }
  static Outcome invoke(ServiceType& service, PooledHandler& pooled, const Request& request) {
    ServerContext& context = pooled.context();
    [[maybe_unused]] auto requests = Access::make<BlockingReader<Request>>(pooled.stream());
    [[maybe_unused]] auto replies = Access::make<BlockingWriter<Reply>>(pooled.stream());
    if constexpr (kind == MethodKind::unary) {
      return (service.*Function)(context, request);
    } else if constexpr (kind == MethodKind::server_streaming) {
      return (service.*Function)(context, request, replies);
    } else if constexpr (kind == MethodKind::client_streaming) {
      return (service.*Function)(context, requests);
    } else {
      return (service.*Function)(context, requests, replies);
    }
  }
};

/// What generated code picks from.
template <MethodKind kind, class ServiceType, class Request, class Reply, auto Function>
constexpr MethodHandler blocking_handler(const Method& method) noexcept {
  return make_handler<BlockingHandler<kind, ServiceType, Request, Reply, Function>>(method);
}

}  // namespace detail
}  // namespace nearcall::inline v0

#pragma GCC visibility pop
