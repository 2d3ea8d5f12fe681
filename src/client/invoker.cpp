// SPDX-License-Identifier: Apache-2.0
// Calls as they are made where nobody stands between.
#include "client/invoker.hpp"

#include "client/async_call.hpp"
#include "client/blocking_call.hpp"

#include <nearcall/event_loop.hpp>

namespace nearcall::inline v0::detail {
namespace {

class DirectInvoker final : public Invoker {
 public:
  Status call(const Invocation& wanted,
              google::protobuf::MessageLite& reply,
              CallInfo* info) override {
    BlockingCall made(wanted.backend, wanted.method, wanted.options);
    return made.run_unary(*wanted.request, wanted.options, reply, info);
  }
  BlockingCallPtr start_blocking(const Invocation& wanted) override {
    BlockingCallPtr made(new BlockingCall(wanted.backend, wanted.method, wanted.options));
    made->start(wanted.request, wanted.options);
    return made;
  }
  AsyncCallPtr start_async(const Invocation& wanted) override {
    AsyncCallPtr made(new AsyncCall(wanted.backend, wanted.method, wanted.request, wanted.options,
                                    EventLoop::current()));
    made->start(wanted.backend, wanted.request, wanted.options, /*is_intercepted=*/false);
    return made;
  }
};

class InterceptingInvoker final : public Invoker {
 public:
  Status call(const Invocation& wanted,
              google::protobuf::MessageLite& reply,
              CallInfo* info) override {
    BlockingCall made(wanted.backend, wanted.method, wanted.options);
    return made.run_intercepted(*wanted.request, wanted.options, reply, info);
  }
  BlockingCallPtr start_blocking(const Invocation& wanted) override {
    BlockingCallPtr made(new BlockingCall(wanted.backend, wanted.method, wanted.options));
    made->start_intercepted(wanted.request, wanted.options);
    return made;
  }
  AsyncCallPtr start_async(const Invocation& wanted) override {
    AsyncCallPtr made(new AsyncCall(wanted.backend, wanted.method, wanted.request, wanted.options,
                                    EventLoop::current()));
    made->start(wanted.backend, wanted.request, wanted.options, /*is_intercepted=*/true);
    return made;
  }
};

}  // namespace

Invoker& direct_invoker() noexcept {
  static constinit DirectInvoker only;
  return only;
}

Invoker& intercepting_invoker() noexcept {
  static constinit InterceptingInvoker only;
  return only;
}

}  // namespace nearcall::inline v0::detail
