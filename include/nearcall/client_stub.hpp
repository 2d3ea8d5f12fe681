// SPDX-License-Identifier: Apache-2.0
// What generated clients are made of: it starts the calls of a service on a channel.
#pragma once

#include <nearcall/client.hpp>
#include <nearcall/method.hpp>

#include <span>

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0 {

namespace detail {
/// A ClientInterface was asked for what neither a client nor a mock of it does.
[[noreturn]] void fail_not_overridden(const char* function) noexcept;
}  // namespace detail

/// The methods of one service on one channel: what generated clients are made of. A method is named
/// by its position in the array that the stub was made with.
///
/// Thread safety: any thread.
class ClientStub {
 public:
  /// REQUIRES: `methods` are constants that live for ever.
  ClientStub(const Channel& channel, std::span<const Method> methods);

  /// A unary call: waits for the reply. `info`, where there is one, is filled.
  template <class Reply>
  Result<Reply> unary(std::size_t method,
                      const google::protobuf::MessageLite& request,
                      const CallOptions& options,
                      CallInfo* info = nullptr) const {
    Reply reply;
    Status status = call_blocking(method, request, options, reply, info);
    return status.ok() ? Result<Reply>(std::move(reply)) : Result<Reply>(std::move(status));
  }
  /// The same, awaited.
  template <class Reply>
  AsyncUnaryCall<Reply> unary_async(std::size_t method,
                                    const google::protobuf::MessageLite& request,
                                    const CallOptions& options) const {
    return Access::make<AsyncUnaryCall<Reply>>(start_async(method, options, &request));
  }
  /// The same into a reply that the caller has, such as one on an arena. It is cleared first, and
  /// is there if the status is OK.
  Status unary_into(std::size_t method,
                    const google::protobuf::MessageLite& request,
                    google::protobuf::MessageLite& reply,
                    const CallOptions& options,
                    CallInfo* info = nullptr) const {
    return call_blocking(method, request, options, reply, info);
  }
  /// The same, awaited; the reply outlives the call object.
  AsyncCallInto unary_into_async(std::size_t method,
                                 const google::protobuf::MessageLite& request,
                                 google::protobuf::MessageLite& reply,
                                 const CallOptions& options) const {
    return Access::make<AsyncCallInto>(start_async(method, options, &request), reply);
  }
  /// Starts a server-streaming call.
  template <class Reply>
  ServerStreamingCall<Reply> server_streaming(std::size_t method,
                                              const google::protobuf::MessageLite& request,
                                              const CallOptions& options) const {
    return Access::make<ServerStreamingCall<Reply>>(start_blocking(method, options, &request));
  }
  /// The same, awaited.
  template <class Reply>
  AsyncServerStreamingCall<Reply> server_streaming_async(
      std::size_t method,
      const google::protobuf::MessageLite& request,
      const CallOptions& options) const {
    return Access::make<AsyncServerStreamingCall<Reply>>(start_async(method, options, &request));
  }
  /// Starts a client-streaming call.
  template <class Request, class Reply>
  ClientStreamingCall<Request, Reply> client_streaming(std::size_t method,
                                                       const CallOptions& options) const {
    return Access::make<ClientStreamingCall<Request, Reply>>(start_blocking(method, options));
  }
  /// The same, awaited.
  template <class Request, class Reply>
  AsyncClientStreamingCall<Request, Reply> client_streaming_async(
      std::size_t method, const CallOptions& options) const {
    return Access::make<AsyncClientStreamingCall<Request, Reply>>(start_async(method, options));
  }
  /// Starts a bidirectional call.
  template <class Request, class Reply>
  BidiStreamingCall<Request, Reply> bidi_streaming(std::size_t method,
                                                   const CallOptions& options) const {
    return Access::make<BidiStreamingCall<Request, Reply>>(start_blocking(method, options));
  }
  /// The same, awaited.
  template <class Request, class Reply>
  AsyncBidiStreamingCall<Request, Reply> bidi_streaming_async(std::size_t method,
                                                              const CallOptions& options) const {
    return Access::make<AsyncBidiStreamingCall<Request, Reply>>(start_async(method, options));
  }

 private:
  using Access = detail::Access;

  Status call_blocking(std::size_t method,
                       const google::protobuf::MessageLite& request,
                       const CallOptions& options,
                       google::protobuf::MessageLite& reply,
                       CallInfo* info) const;
  /// `request` is null where the call streams its requests.
  detail::BlockingCallPtr start_blocking(std::size_t method,
                                         const CallOptions& options,
                                         const google::protobuf::MessageLite* request = {}) const;
  detail::AsyncCallPtr start_async(std::size_t method,
                                   const CallOptions& options,
                                   const google::protobuf::MessageLite* request = {}) const;

  std::shared_ptr<detail::ChannelCore> channel_;
  /// As long as the channel's.
  const detail::BoundMethod* methods_;
};

}  // namespace nearcall::inline v0

#pragma GCC visibility pop
