// SPDX-License-Identifier: Apache-2.0
// Invoker: what every call of a stub goes through.
#pragma once

#include "client/bound_method.hpp"

#include <nearcall/client.hpp>

#include <memory>

namespace nearcall::inline v0::detail {

class Backend;

/// A call as its stub asks for it.
struct Invocation {
  /// That the channel picked.
  Backend& backend;
  const BoundMethod& method;
  /// Null where the call streams its requests.
  const google::protobuf::MessageLite* request;
  const CallOptions& options;
};

/// What every call of a stub goes through, whatever its kind, in both forms. A channel has one: the
/// innermost, which makes the calls, or one that passes on to another (ChannelCore).
///
/// Thread safety: any thread.
class Invoker {
 public:
  virtual ~Invoker() = default;

  /// A whole unary call that blocks.
  virtual Status call(const Invocation& invocation,
                      google::protobuf::MessageLite& reply,
                      CallInfo* info) = 0;
  /// A call that streams, for threads.
  virtual BlockingCallPtr start_blocking(const Invocation& invocation) = 0;
  /// A call of any kind, for coroutines on EventLoop::current().
  virtual AsyncCallPtr start_async(const Invocation& invocation) = 0;
};

/// The innermost one. Has no state, and lives for ever.
Invoker& direct_invoker() noexcept;
/// The same with the channel's interceptors around each call.
Invoker& intercepting_invoker() noexcept;

}  // namespace nearcall::inline v0::detail
