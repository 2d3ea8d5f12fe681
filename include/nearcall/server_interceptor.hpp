// SPDX-License-Identifier: Apache-2.0
// ServerInterceptor: code around every call of a server.
#pragma once

#include <nearcall/interceptor.hpp>
#include <nearcall/metadata.hpp>
#include <nearcall/method.hpp>
#include <nearcall/server_context.hpp>
#include <nearcall/status.hpp>
#include <nearcall/task.hpp>

#include <google/protobuf/message_lite.h>

#include <chrono>
#include <cstddef>
#include <string_view>
#include <utility>

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0 {

/// A call of a server, as an interceptor sees it. Lives until the interceptor has returned, and
/// belongs to the thread of the call's loop.
class IncomingCall {
 public:
  IncomingCall(const IncomingCall&) = delete;
  IncomingCall& operator=(const IncomingCall&) = delete;

  /// "/package.Service/Method".
  std::string_view method() const noexcept;
  MethodKind kind() const noexcept;
  /// Who calls, until when, whether it was cancelled; headers go with the first reply at the
  /// latest, trailers with the status.
  ServerContext& context() noexcept;

  // Before proceed().

  /// The client's metadata, as the handler will see it.
  Metadata& metadata() noexcept;
  void set_deadline(std::chrono::steady_clock::time_point when);
  /// Sees each request before the handler has it, and each reply before it is sent. Of several,
  /// those of requests are called in the order of the interceptors, those of replies in the
  /// opposite one. They live until the interceptor has returned: they may refer to what is in it.
  /// On the call's loop, whichever thread the handler is on. A hook of replies works on a copy of
  /// each message of a stream.
  void on_request(MessageHook hook);
  void on_reply(MessageHook hook);

  /// `const Status status = co_await call.proceed();` hands the call to the next interceptor, and
  /// from the last one to the handler, and waits for its end. The reply of a
  /// call that has one is sent when the interceptors wait or have returned, the status when they
  /// have returned. Once, and to its end.
  detail::ProceedAwaiter<IncomingCall> proceed() {
    return detail::ProceedAwaiter<IncomingCall>(*chain_, depth_ + 1,
                                                !std::exchange(has_proceeded_, true));
  }

  /// Answers without the handler: with this message, and the status that the interceptor returns.
  /// Instead of proceed(), or, where there is one reply, after one that brought none. A call with
  /// one reply takes one; those of a stream do not wait for room.
  void reply(const google::protobuf::MessageLite& message);

 private:
  friend detail::Access;
  IncomingCall(detail::CallChain<IncomingCall>& chain, std::size_t depth) noexcept
      : chain_(&chain), depth_(depth) {}

  detail::CallChain<IncomingCall>* chain_;
  std::size_t depth_;
  bool has_proceeded_ = false;
};

/// Code around every call of a server, whatever its kind and its service's (as
/// ServerOptions::interceptor()):
///
///     class Guard final : public ServerInterceptor {
///       Task<Status> intercept(IncomingCall& call) override {
///         if (!is_known(call.metadata().get("token"))) co_return Status::unauthenticated("who?");
///         co_return co_await call.proceed();
///       }
///     };
///
/// Is asked once the request's headers are here. What it returns is how the call ends; without
/// proceed(), no handler runs. It may wait, and be on another thread meanwhile: resume_on(loop)
/// brings it back before it proceeds, and before it returns to an outer one. It waits on the call's
/// loop: what comes meanwhile is kept, within the connection's limits, and the deadline and the
/// client may end the call, of which it is told as a handler is (ServerContext::is_cancelled()). As
/// a handler, it occupies the call's slot until it returns, and is destroyed where it waits with
/// its connection or the server. What it throws ends the call with UNKNOWN.
///
/// Thread safety: with more than one server thread it is asked on several at once.
class ServerInterceptor {
 public:
  virtual ~ServerInterceptor() = default;
  virtual Task<Status> intercept(IncomingCall& call) = 0;
};

}  // namespace nearcall::inline v0

#pragma GCC visibility pop
