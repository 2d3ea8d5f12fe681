// SPDX-License-Identifier: Apache-2.0
// GenericStub: calls of methods that are named at run time, with messages that are bytes.
#pragma once

#include <nearcall/channel.hpp>
#include <nearcall/client.hpp>
#include <nearcall/generic_message.hpp>
#include <nearcall/method.hpp>

#include <memory>
#include <string_view>

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0 {

/// Makes calls of any method, without its contract: what proxies, bridges and tools are made of.
///
///     const GenericStub stub(channel);
///     Result<GenericMessage> reply = stub.unary("/greet.Greeter/SayHello", request);
///
/// The call objects are those of generated clients, with all that these can do. A name that is not
/// "/package.Service/Method" fails the call with INVALID_ARGUMENT, which quotes it, and nothing is
/// sent. Whoever does not know of a method how many messages go either way makes a bidi_streaming()
/// call: on the wire it is the same.
///
/// A value; it may outlive the channel object. Thread safety: any thread.
class GenericStub {
 public:
  explicit GenericStub(const Channel& channel);

  /// A unary call: waits for the reply. `info`, where there is one, is filled.
  Result<GenericMessage> unary(std::string_view method,
                               const GenericMessage& request,
                               const CallOptions& options = {},
                               CallInfo* info = nullptr) const;
  /// The same, awaited.
  AsyncUnaryCall<GenericMessage> unary_async(std::string_view method,
                                             const GenericMessage& request,
                                             const CallOptions& options = {}) const;
  /// Starts a server-streaming call.
  ServerStreamingCall<GenericMessage> server_streaming(std::string_view method,
                                                       const GenericMessage& request,
                                                       const CallOptions& options = {}) const;
  /// The same, awaited.
  AsyncServerStreamingCall<GenericMessage> server_streaming_async(
      std::string_view method,
      const GenericMessage& request,
      const CallOptions& options = {}) const;
  /// Starts a client-streaming call.
  ClientStreamingCall<GenericMessage, GenericMessage> client_streaming(
      std::string_view method, const CallOptions& options = {}) const;
  /// The same, awaited.
  AsyncClientStreamingCall<GenericMessage, GenericMessage> client_streaming_async(
      std::string_view method, const CallOptions& options = {}) const;
  /// Starts a bidirectional call.
  BidiStreamingCall<GenericMessage, GenericMessage> bidi_streaming(
      std::string_view method, const CallOptions& options = {}) const;
  /// The same, awaited.
  AsyncBidiStreamingCall<GenericMessage, GenericMessage> bidi_streaming_async(
      std::string_view method, const CallOptions& options = {}) const;

 private:
  detail::BlockingCallPtr start_blocking(std::string_view method,
                                         MethodKind kind,
                                         const CallOptions& options,
                                         const GenericMessage* request = nullptr) const;
  detail::AsyncCallPtr start_async(std::string_view method,
                                   MethodKind kind,
                                   const CallOptions& options,
                                   const GenericMessage* request = nullptr) const;

  std::shared_ptr<detail::ChannelCore> channel_;
};

}  // namespace nearcall::inline v0

#pragma GCC visibility pop
