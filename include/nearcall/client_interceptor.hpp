// SPDX-License-Identifier: Apache-2.0
// ClientInterceptor: code around every call of a channel.
#pragma once

#include <nearcall/interceptor.hpp>
#include <nearcall/metadata.hpp>
#include <nearcall/method.hpp>
#include <nearcall/status.hpp>
#include <nearcall/task.hpp>
#include <nearcall/unique_function.hpp>

#include <google/protobuf/message_lite.h>

#include <chrono>
#include <cstddef>
#include <string_view>
#include <utility>

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0 {

/// A call of a client, as an interceptor sees it. Lives until the interceptor has returned, and
/// belongs to its thread.
class OutgoingCall {
 public:
  OutgoingCall(const OutgoingCall&) = delete;
  OutgoingCall& operator=(const OutgoingCall&) = delete;

  /// "/package.Service/Method".
  std::string_view method() const noexcept;
  MethodKind kind() const noexcept;

  // Before proceed().

  /// What is sent as the request's metadata.
  Metadata& metadata() noexcept;
  /// time_point::max() if there is none.
  std::chrono::steady_clock::time_point deadline() const noexcept;
  void set_deadline(std::chrono::steady_clock::time_point when);
  /// Sees each request before it is sent, and each reply before the caller has it. Of several,
  /// those of requests are called in the order of the interceptors, those of replies in the
  /// opposite one. They live until the interceptor has returned: they may refer to what is in it.
  /// On the threads that write and read; those of a blocking call may be two. A hook of requests
  /// works on a copy of each.
  void on_request(MessageHook hook);
  void on_reply(MessageHook hook);
  /// Is called before each attempt to send the call, with 1, 2, …: most calls have one. On any
  /// thread that uses the connection, inside its lock: must not use this call, nor make another.
  void on_attempt(UniqueFunction<void(std::size_t number)> hook);

  /// `const Status status = co_await call.proceed();` hands the call to the next interceptor, and
  /// from the last one to the server, and waits for its end: once the caller has read the replies
  /// of a stream, or dropped them. Once.
  detail::ProceedAwaiter<OutgoingCall> proceed() {
    return detail::ProceedAwaiter<OutgoingCall>(*chain_, depth_ + 1,
                                                !std::exchange(has_proceeded_, true));
  }

  /// Answers without the server: with this message, and the status that the interceptor returns.
  /// Instead of proceed(), or, where there is one reply, after one that brought none. A call with
  /// one reply takes one.
  void reply(const google::protobuf::MessageLite& message);

  // After proceed(): what the server sent.

  const Metadata& headers() const noexcept;
  const Metadata& trailers() const noexcept;

 private:
  friend detail::Access;
  OutgoingCall(detail::CallChain<OutgoingCall>& chain, std::size_t depth) noexcept
      : chain_(&chain), depth_(depth) {}

  detail::CallChain<OutgoingCall>* chain_;
  std::size_t depth_;
  bool has_proceeded_ = false;
};

/// Code around every call of a channel, whatever its kind and form (ChannelOptions::interceptor()):
///
///     class Timing final : public ClientInterceptor {
///       Task<Status> intercept(OutgoingCall& call) override {
///         const auto begin = steady_clock::now();
///         const Status status = co_await call.proceed();
///         print(call.method(), status, steady_clock::now() - begin);
///         co_return status;  // that is how the call ends
///       }
///     };
///
/// Is asked once a call, not once an attempt. What it returns without proceed() is the call's end,
/// and nothing is sent. What it throws ends the call with UNKNOWN. When the deadline passes or the
/// call is cancelled, it has ended: an interceptor that waits for anything but proceed() is
/// destroyed where it waits when the call object goes; so is each one of a call that is dropped.
///
/// Around a blocking call it runs on the caller's thread and may co_await proceed() alone: a call
/// whose thread it leaves is FAILED_PRECONDITION, and what waits on an EventLoop, as sleep_for()
/// does, ends the program, as on any thread without one.
/// Around an awaited one it may wait for what it likes; resume_on(loop) brings it back to the
/// call's EventLoop before it proceeds, and before it returns to an outer one.
///
/// Thread safety: calls are made from several threads at once.
class ClientInterceptor {
 public:
  virtual ~ClientInterceptor() = default;
  virtual Task<Status> intercept(OutgoingCall& call) = 0;
};

}  // namespace nearcall::inline v0

#pragma GCC visibility pop
