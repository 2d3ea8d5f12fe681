// SPDX-License-Identifier: Apache-2.0
// Calls as they are made, with the channel's interceptors or without.
#include "client/invoker.hpp"

#include "client/async_call.hpp"
#include "client/blocking_call.hpp"

#include <nearcall/event_loop.hpp>

namespace nearcall::inline v0::detail {
namespace {

class ClientInvoker final : public Invoker {
 public:
  explicit constexpr ClientInvoker(bool intercepts) noexcept : intercepts_(intercepts) {}

  Status call(const Invocation& wanted,
              google::protobuf::MessageLite& reply,
              CallInfo* info) override {
    BlockingCall made(wanted.backend, wanted.method, wanted.options);
    if (intercepts_) return made.run_intercepted(*wanted.request, wanted.options, reply, info);
    return made.run_unary(*wanted.request, wanted.options, reply, info);
  }
  BlockingCallPtr start_blocking(const Invocation& wanted) override {
    BlockingCallPtr made(new BlockingCall(wanted.backend, wanted.method, wanted.options));
    intercepts_ ? made->start_intercepted(wanted.request, wanted.options)
                : made->start(wanted.request, wanted.options);
    return made;
  }
  AsyncCallPtr start_async(const Invocation& wanted) override {
    AsyncCallPtr made(new AsyncCall(wanted.backend, wanted.method, wanted.request, wanted.options,
                                    EventLoop::current()));
    made->start(wanted.backend, wanted.request, wanted.options, intercepts_);
    return made;
  }

 private:
  const bool intercepts_;
};

}  // namespace

Invoker& direct_invoker() noexcept {
  static constinit ClientInvoker only(/*intercepts=*/false);
  return only;
}

Invoker& intercepting_invoker() noexcept {
  static constinit ClientInvoker only(/*intercepts=*/true);
  return only;
}

}  // namespace nearcall::inline v0::detail
