// SPDX-License-Identifier: Apache-2.0
// The calls of a client, blocking and awaited.
#pragma once

#include <nearcall/call_options.hpp>
#include <nearcall/channel.hpp>
#include <nearcall/event_loop.hpp>
#include <nearcall/metadata.hpp>
#include <nearcall/peer.hpp>
#include <nearcall/result.hpp>
#include <nearcall/resume_on.hpp>
#include <nearcall/spawn.hpp>
#include <nearcall/stream_awaiters.hpp>
#include <nearcall/sync_wait.hpp>
#include <nearcall/task.hpp>
#include <nearcall/unique_function.hpp>
#include <nearcall/wait.hpp>

#include <google/protobuf/message_lite.h>

#include <coroutine>
#include <cstddef>
#include <memory>
#include <new>
#include <optional>
#include <utility>

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0 {

namespace detail {

/// A call object was used that was moved from.
[[noreturn]] void fail_moved_from() noexcept;

/// What is wrong with the replies of a call that ended with OK and is to have exactly one.
Status check_replies(bool has_one, bool has_more);

struct CallDeleter {
  void operator()(BlockingCall* call) const noexcept;
  void operator()(AsyncCall* call) const noexcept;
};
using BlockingCallPtr = std::unique_ptr<BlockingCall, CallDeleter>;
using AsyncCallPtr = std::unique_ptr<AsyncCall, CallDeleter>;

/// What every blocking call object can do. It was started when it was made, and may outlive its
/// client and its channel. Dropping it cancels the call; one that was moved from can only be
/// dropped or assigned to.
///
/// Thread safety: one thread reads (read(), headers(), finish()) while another one writes (write(),
/// writes_done()); trailers() from both; cancel() from any thread.
class BlockingCallBase {
 public:
  /// The server's headers, once they have come; empty if the call ended without. Waits for them.
  /// Valid as long as the call object.
  const Metadata& headers();
  /// The trailers of a call that is over; empty before. Valid as long as the call object.
  const Metadata& trailers() const;
  /// How many attempts were made, as CallInfo::attempts(), of a call that is over; 0 before.
  int attempts() const;
  /// Who serves the call; nobody known where it found no connection. From any thread.
  PeerIdentity peer() const;
  /// Ends the call with CANCELLED, if it is not over. From any thread, as long as the call object
  /// lives; whoever waits in it returns at once.
  void cancel() noexcept;

 protected:
  explicit BlockingCallBase(BlockingCallPtr call) noexcept : call_(std::move(call)) {}
  bool read_message(google::protobuf::MessageLite& into);
  template <class Reply>
  std::optional<Reply> read_new_message() {
    std::optional<Reply> reply(std::in_place);
    if (!read_message(*reply)) reply.reset();
    return reply;
  }
  bool write_message(const google::protobuf::MessageLite& message, bool may_compress = true);
  bool half_close();
  Status finish_call();

 private:
  friend Access;
  BlockingCall& call() const noexcept {
    if (!call_) fail_moved_from();
    return *call_;
  }

  BlockingCallPtr call_;
};

/// Waits for the headers or the end of a call.
class [[nodiscard]] CallAwaiter {
 public:
  enum class Until : unsigned char { headers, end };

  CallAwaiter(AsyncCall& call, Until until) noexcept : call_(&call), until_(until) {}
  CallAwaiter(const CallAwaiter&) = delete;
  CallAwaiter& operator=(const CallAwaiter&) = delete;
  ~CallAwaiter() {
    if (is_waiting_) leave();
  }
  bool await_ready() const noexcept;
  void await_suspend(std::coroutine_handle<> waiting);

 protected:
  AsyncCall& call() const noexcept { return *call_; }
  void settle() noexcept { is_waiting_ = false; }

 private:
  void leave() noexcept;

  AsyncCall* call_;
  Until until_;
  bool is_waiting_ = false;
};

class [[nodiscard]] HeadersAwaiter final : public CallAwaiter {
 public:
  explicit HeadersAwaiter(AsyncCall& call) noexcept : CallAwaiter(call, Until::headers) {}
  const Metadata& await_resume() noexcept;
};

class [[nodiscard]] StatusAwaiter final : public CallAwaiter {
 public:
  explicit StatusAwaiter(AsyncCall& call) noexcept : CallAwaiter(call, Until::end) {}
  Status await_resume();
};

/// What every awaited call object can do. It was started when it was made, and nothing in it refers
/// to the caller's request or options. Dropping it cancels the call; one that was moved from can
/// only be dropped or assigned to.
///
/// Thread safety: the thread of the EventLoop that it was made on; cancel() from any thread.
class AsyncCallBase {
 public:
  /// `co_await call.headers()`: the server's headers; empty if the call ended without. Valid as
  /// long as the call object.
  HeadersAwaiter headers() noexcept { return HeadersAwaiter(call()); }
  /// How the call ended. REQUIRES: is_done().
  const Status& status() const;
  /// The trailers of a call that is over; empty before. Valid as long as the call object.
  const Metadata& trailers() const;
  /// How many attempts were made so far, as CallInfo::attempts().
  int attempts() const;
  /// Who serves the call, or served it; nobody known before it found a connection.
  PeerIdentity peer() const;
  /// Whether the call is over: its result can be had without a wait. Messages that came before the
  /// end may still be unread.
  bool is_done() const noexcept;
  /// Ends the call with CANCELLED, if it is not over. From any thread, as long as the call object
  /// lives.
  void cancel() noexcept;

 protected:
  explicit AsyncCallBase(AsyncCallPtr call) noexcept : call_(std::move(call)) {}
  AsyncCall& call() const noexcept {
    if (!call_) fail_moved_from();
    return *call_;
  }
  MessageStream& stream() const noexcept;
  /// Where a unary reply is parsed as it arrives. Call it before the loop turns.
  void expect_reply(google::protobuf::MessageLite& reply) noexcept;
  bool half_close() noexcept;
  /// Waits for the end; messages that nobody has read are dropped, and so are those to come.
  StatusAwaiter finish_call() noexcept;
  /// Whether it failed because it was made on a thread without a loop. REQUIRES: else this is that
  /// of its loop.
  bool failed_without_loop() const;

 private:
  friend Access;

  AsyncCallPtr call_;
};

Status status_of(AsyncCall& call);

/// Deletes what lies in a coroutine frame's memory (allocate_frame()).
struct FrameDeleter {
  template <class T>
  void operator()(T* held) const noexcept {
    std::destroy_at(held);
    free_frame(held, sizeof(T));
  }
};

/// Where a reply is parsed, whatever moves meanwhile.
template <class Reply>
using ReplyPlace = std::unique_ptr<Reply, FrameDeleter>;

template <class Reply>
auto make_reply_place() {
  static_assert(alignof(Reply) <= alignof(std::max_align_t));
  return ReplyPlace<Reply>(::new (allocate_frame(sizeof(Reply))) Reply());
}

/// Waits for the end of a call that has one reply.
template <class Reply>
class [[nodiscard]] ReplyAwaiter final : public CallAwaiter {
 public:
  ReplyAwaiter(AsyncCall& call, Reply& reply) noexcept
      : CallAwaiter(call, Until::end), reply_(&reply) {}
  Result<Reply> await_resume() {
    settle();
    Status status = status_of(call());
    if (!status.ok()) return Result<Reply>(std::move(status));
    return Result<Reply>(std::move(*reply_));
  }

 private:
  Reply* reply_;
};

/// The same where the caller has the reply.
class [[nodiscard]] ReplyStatusAwaiter final : public CallAwaiter {
 public:
  explicit ReplyStatusAwaiter(AsyncCall& call) noexcept : CallAwaiter(call, Until::end) {}
  Status await_resume() {
    settle();
    return status_of(call());
  }
};

}  // namespace detail

/// What there is to know of a blocking unary call besides its result:
///
///     CallInfo info;
///     Result<HelloReply> reply = client.SayHello(request, CallOptions(), &info);
///
/// A value.
class CallInfo {
 public:
  CallInfo() = default;

  /// The server's headers; empty if the call ended without.
  const Metadata& headers() const noexcept { return headers_; }
  const Metadata& trailers() const noexcept { return trailers_; }
  /// Who served the call; nobody known where it found no connection.
  const PeerIdentity& peer() const noexcept { return peer_; }
  /// How many attempts were made, by a policy (ChannelOptions::service_config()). Those do not
  /// count that the server provably did not begin.
  int attempts() const noexcept { return attempts_; }

 private:
  friend detail::Access;
  CallInfo(Metadata headers, Metadata trailers, PeerIdentity peer, int attempts)
      : headers_(std::move(headers)),
        trailers_(std::move(trailers)),
        peer_(std::move(peer)),
        attempts_(attempts) {}

  Metadata headers_;
  Metadata trailers_;
  PeerIdentity peer_;
  int attempts_ = 0;
};

/// An awaited unary call: await it, once.
template <class Reply>
class [[nodiscard]] AsyncUnaryCall final : public detail::AsyncCallBase {
 public:
  /// `Result<Reply> reply = co_await call;`
  detail::ReplyAwaiter<Reply> operator co_await() noexcept {
    return detail::ReplyAwaiter<Reply>(call(), *reply_);
  }
  /// For programs without coroutines: `done` is called with the result on the call's loop, in one
  /// of its turns, or now if there is no loop. Nobody needs to keep the call; it is cancelled by
  /// CallOptions::cancellation(). If the loop goes first, `done` is destroyed and not called.
  /// `done` must not throw, which ends the program. REQUIRES: on the thread of the call's loop.
  ///
  ///     client.SayHelloAsync(request).on_done([](Result<HelloReply> reply) { … });
  void on_done(UniqueFunction<void(Result<Reply>)> done) && {
    if (failed_without_loop()) return done(Result<Reply>(this->status()));
    static_cast<void>(spawn(tell(std::move(*this), std::move(done))));
  }

 private:
  friend detail::Access;
  static Task<void> tell(AsyncUnaryCall call, UniqueFunction<void(Result<Reply>)> done) {
    Result<Reply> reply = co_await call;
    done(std::move(reply));
  }
  explicit AsyncUnaryCall(detail::AsyncCallPtr started)
      : AsyncCallBase(std::move(started)), reply_(detail::make_reply_place<Reply>()) {
    expect_reply(*reply_);
  }

  detail::ReplyPlace<Reply> reply_;
};

/// An awaited unary call whose reply goes where the caller wants it: await it, once.
class [[nodiscard]] AsyncCallInto final : public detail::AsyncCallBase {
 public:
  /// `Status status = co_await call;` if it is OK, the reply is there.
  detail::ReplyStatusAwaiter operator co_await() noexcept {
    return detail::ReplyStatusAwaiter(call());
  }

 private:
  friend detail::Access;
  AsyncCallInto(detail::AsyncCallPtr started, google::protobuf::MessageLite& reply)
      : AsyncCallBase(std::move(started)) {
    expect_reply(reply);
  }
};

/// An awaited server-streaming call: read until there is nothing more, then finish().
template <class Reply>
class [[nodiscard]] AsyncServerStreamingCall final : public detail::AsyncCallBase {
 public:
  using AsyncCallBase::AsyncCallBase;

  /// `while (std::optional<Reply> reply = co_await call.read())`; nothing at the end of the call,
  /// however it ended.
  detail::ReadNewAwaiter<Reply> read() noexcept { return detail::ReadNewAwaiter<Reply>(stream()); }
  /// The same into a message that is used again: `while (co_await call.read(reply))`.
  detail::ReadAwaiter read(Reply& into) noexcept { return detail::ReadAwaiter(stream(), into); }
  /// `Status status = co_await call.finish();` messages that were not read are dropped.
  detail::StatusAwaiter finish() noexcept { return finish_call(); }
};

/// An awaited client-streaming call: write, then finish().
template <class Request, class Reply>
class [[nodiscard]] AsyncClientStreamingCall final : public detail::AsyncCallBase {
 public:
  /// `bool taken = co_await call.write(request);` waits while too much is under way; false: the
  /// call is over, finish() says how.
  detail::WriteAwaiter write(const Request& request) noexcept {
    return detail::WriteAwaiter(stream(), request);
  }
  /// The same, not compressed: `co_await call.write(request, no_compression)`.
  detail::WriteAwaiter write(const Request& request, NoCompression /*how*/) noexcept {
    return detail::WriteAwaiter(stream(), request, /*may_compress=*/false);
  }
  /// Ends the requests and waits for the reply, once: `Result<Reply> reply = co_await
  /// call.finish();`
  detail::ReplyAwaiter<Reply> finish() noexcept {
    half_close();
    return detail::ReplyAwaiter<Reply>(call(), *reply_);
  }

 private:
  friend detail::Access;
  explicit AsyncClientStreamingCall(detail::AsyncCallPtr started)
      : AsyncCallBase(std::move(started)), reply_(detail::make_reply_place<Reply>()) {
    expect_reply(*reply_);
  }

  detail::ReplyPlace<Reply> reply_;
};

/// An awaited bidirectional call. One coroutine may read while another one writes.
template <class Request, class Reply>
class [[nodiscard]] AsyncBidiStreamingCall final : public detail::AsyncCallBase {
 public:
  using AsyncCallBase::AsyncCallBase;

  /// As AsyncServerStreamingCall::read() and AsyncClientStreamingCall::write().
  detail::ReadNewAwaiter<Reply> read() noexcept { return detail::ReadNewAwaiter<Reply>(stream()); }
  detail::ReadAwaiter read(Reply& into) noexcept { return detail::ReadAwaiter(stream(), into); }
  detail::WriteAwaiter write(const Request& request) noexcept {
    return detail::WriteAwaiter(stream(), request);
  }
  detail::WriteAwaiter write(const Request& request, NoCompression /*how*/) noexcept {
    return detail::WriteAwaiter(stream(), request, /*may_compress=*/false);
  }
  /// Ends the requests; false if the call is over already.
  bool writes_done() noexcept { return half_close(); }
  /// Ends the requests if that was not done, and waits for the end; unread replies are dropped.
  detail::StatusAwaiter finish() noexcept {
    half_close();
    return finish_call();
  }
};

/// A blocking server-streaming call: read until there is nothing more, then finish().
template <class Reply>
class [[nodiscard]] ServerStreamingCall final : public detail::BlockingCallBase {
 public:
  using BlockingCallBase::BlockingCallBase;

  /// `while (std::optional<Reply> reply = call.read())`: waits for the next reply; nothing at the
  /// end of the call, however it ended.
  std::optional<Reply> read() { return read_new_message<Reply>(); }
  /// The same into a message that is used again: `while (call.read(reply))`.
  bool read(Reply& into) { return read_message(into); }
  /// How the call ended; waits for it. Replies that were not read are dropped.
  Status finish() { return finish_call(); }
};

/// A blocking client-streaming call: write, then finish().
template <class Request, class Reply>
class [[nodiscard]] ClientStreamingCall final : public detail::BlockingCallBase {
 public:
  using BlockingCallBase::BlockingCallBase;

  /// Hands one request over, and waits while too much is under way; false if the call is over:
  /// finish() says how.
  bool write(const Request& request) { return write_message(request); }
  /// The same, not compressed.
  bool write(const Request& request, NoCompression /*how*/) {
    return write_message(request, /*may_compress=*/false);
  }
  /// Ends the requests and waits for the reply, once.
  Result<Reply> finish() {
    half_close();
    Reply reply;
    const bool has_reply = read_message(reply);
    const bool has_more = has_reply && read_new_message<Reply>().has_value();
    Status status = finish_call();
    if (status.ok()) status = detail::check_replies(has_reply, has_more);
    return status.ok() ? Result<Reply>(std::move(reply)) : Result<Reply>(std::move(status));
  }
};

/// A blocking bidirectional call. One thread may read while another one writes.
template <class Request, class Reply>
class [[nodiscard]] BidiStreamingCall final : public detail::BlockingCallBase {
 public:
  using BlockingCallBase::BlockingCallBase;

  /// As ServerStreamingCall::read() and ClientStreamingCall::write().
  std::optional<Reply> read() { return read_new_message<Reply>(); }
  bool read(Reply& into) { return read_message(into); }
  bool write(const Request& request) { return write_message(request); }
  bool write(const Request& request, NoCompression /*how*/) {
    return write_message(request, /*may_compress=*/false);
  }
  /// Ends the requests; false if the call is over already.
  bool writes_done() { return half_close(); }
  /// Ends the requests if that was not done, and waits for the end; unread replies are dropped.
  Status finish() {
    half_close();
    return finish_call();
  }
};

}  // namespace nearcall::inline v0

#pragma GCC visibility pop
