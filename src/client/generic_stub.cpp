// SPDX-License-Identifier: Apache-2.0
// Calls by name: bound when they are made, else as those of any stub.
#include "base/quote.hpp"
#include "client/async_call.hpp"
#include "client/blocking_call.hpp"
#include "client/channel_core.hpp"
#include "grpc/request_head.hpp"

#include <nearcall/generic_stub.hpp>

#include <optional>
#include <utility>

namespace nearcall::inline v0 {
namespace {

using detail::Access;

/// A call of a method that is named at run time, before it is made: what it fails with where the
/// name is none.
class NamedInvocation {
 public:
  NamedInvocation(detail::ChannelCore& channel,
                  std::string_view path,
                  MethodKind kind,
                  const CallOptions& options)
      : channel_(&channel), options_(&options) {
    const bool is_path = detail::grpc::is_method_path(path);
    method_ = channel.methods()->bind_named(is_path ? path : "/", kind);
    if (is_path) return;
    failing_ = options;
    Access::set_misuse(*failing_,
                       Status::invalid_argument(detail::quote("no method's name, which is "
                                                              "/package.Service/Method:",
                                                              path))
                           .with_reason(StatusReason::misuse));
    options_ = &*failing_;
  }
  NamedInvocation(const NamedInvocation&) = delete;
  NamedInvocation& operator=(const NamedInvocation&) = delete;

  detail::Invocation with(const GenericMessage* request) const {
    return {channel_->backend(), *method_, request, *options_};
  }
  detail::NamedMethod take_method() noexcept { return std::move(method_); }

 private:
  detail::ChannelCore* channel_;
  const CallOptions* options_;
  std::optional<CallOptions> failing_;
  detail::NamedMethod method_;
};

}  // namespace

GenericStub::GenericStub(const Channel& channel)
    : channel_(Access::core(channel).shared_from_this()) {
}

Result<GenericMessage> GenericStub::unary(std::string_view method,
                                          const GenericMessage& request,
                                          const CallOptions& options,
                                          CallInfo* info) const {
  const NamedInvocation call(*channel_, method, MethodKind::unary, options);
  GenericMessage reply;
  Status status = channel_->invoker().call(call.with(&request), reply, info);
  return status.ok() ? Result<GenericMessage>(std::move(reply))
                     : Result<GenericMessage>(std::move(status));
}

AsyncUnaryCall<GenericMessage> GenericStub::unary_async(std::string_view method,
                                                        const GenericMessage& request,
                                                        const CallOptions& options) const {
  return Access::make<AsyncUnaryCall<GenericMessage>>(
      start_async(method, MethodKind::unary, options, &request));
}

ServerStreamingCall<GenericMessage> GenericStub::server_streaming(
    std::string_view method, const GenericMessage& request, const CallOptions& options) const {
  return Access::make<ServerStreamingCall<GenericMessage>>(
      start_blocking(method, MethodKind::server_streaming, options, &request));
}

AsyncServerStreamingCall<GenericMessage> GenericStub::server_streaming_async(
    std::string_view method, const GenericMessage& request, const CallOptions& options) const {
  return Access::make<AsyncServerStreamingCall<GenericMessage>>(
      start_async(method, MethodKind::server_streaming, options, &request));
}

ClientStreamingCall<GenericMessage, GenericMessage> GenericStub::client_streaming(
    std::string_view method, const CallOptions& options) const {
  return Access::make<ClientStreamingCall<GenericMessage, GenericMessage>>(
      start_blocking(method, MethodKind::client_streaming, options));
}

AsyncClientStreamingCall<GenericMessage, GenericMessage> GenericStub::client_streaming_async(
    std::string_view method, const CallOptions& options) const {
  return Access::make<AsyncClientStreamingCall<GenericMessage, GenericMessage>>(
      start_async(method, MethodKind::client_streaming, options));
}

BidiStreamingCall<GenericMessage, GenericMessage> GenericStub::bidi_streaming(
    std::string_view method, const CallOptions& options) const {
  return Access::make<BidiStreamingCall<GenericMessage, GenericMessage>>(
      start_blocking(method, MethodKind::bidi_streaming, options));
}

AsyncBidiStreamingCall<GenericMessage, GenericMessage> GenericStub::bidi_streaming_async(
    std::string_view method, const CallOptions& options) const {
  return Access::make<AsyncBidiStreamingCall<GenericMessage, GenericMessage>>(
      start_async(method, MethodKind::bidi_streaming, options));
}

detail::BlockingCallPtr GenericStub::start_blocking(std::string_view method,
                                                    MethodKind kind,
                                                    const CallOptions& options,
                                                    const GenericMessage* request) const {
  NamedInvocation call(*channel_, method, kind, options);
  detail::BlockingCallPtr started = channel_->invoker().start_blocking(call.with(request));
  started->keep(call.take_method());
  return started;
}

detail::AsyncCallPtr GenericStub::start_async(std::string_view method,
                                              MethodKind kind,
                                              const CallOptions& options,
                                              const GenericMessage* request) const {
  NamedInvocation call(*channel_, method, kind, options);
  detail::AsyncCallPtr started = channel_->invoker().start_async(call.with(request));
  started->keep(call.take_method());
  return started;
}

}  // namespace nearcall::inline v0
