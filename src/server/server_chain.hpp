// SPDX-License-Identifier: Apache-2.0
// ServerChain: the interceptors of one call at the server.
#pragma once

#include "base/clock.hpp"
#include "connection/interceptor_chain.hpp"
#include "grpc/outgoing_message.hpp"

#include <nearcall/server_interceptor.hpp>
#include <nearcall/service.hpp>

#include <google/protobuf/message_lite.h>

#include <coroutine>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace nearcall::inline v0::detail {

using ServerInterceptors = std::vector<std::shared_ptr<ServerInterceptor>>;

/// The one reply of a handler, where it lies.
struct GivenReply {
  google::protobuf::MessageLite& reply;
  /// To where it stays until it is sent.
  MoveReply* move;
  grpc::OutgoingMessage message{reply};
};

/// The interceptors of one call, around its handler.
///
/// Thread safety: the loop's thread.
class ServerChain final : public InterceptorChain<ServerChain, IncomingCall, ServerInterceptors> {
 public:
  /// The call.
  class Owner {
   public:
    virtual LoopCore& loop_core() const noexcept = 0;
    virtual MethodKind kind() const noexcept = 0;
    virtual Metadata& request_metadata() noexcept = 0;
    virtual void set_deadline(TimePoint when) = 0;
    virtual bool is_answered() const noexcept = 0;
    /// The handler begins, now or when its request is here.
    virtual void proceed() = 0;
    virtual void write_reply(const google::protobuf::MessageLite& reply) = 0;
    /// It ends so. May release the call.
    virtual void on_chain_done(const Status& status) = 0;

   protected:
    ~Owner() = default;
  };

  /// `interceptors` outlive it. `call` is the owner's.
  ServerChain(Owner& owner, HandlerCall& call, const ServerInterceptors& interceptors) noexcept
      : InterceptorChain(Incoming::requests, interceptors, call.home()),
        owner_(&owner),
        call_(&call),
        kind_(owner.kind()) {}
  ~ServerChain() { destroy_interceptors(owner_->loop_core()); }

  /// How the handler ended, or the call without it. The first one counts.
  void note_end(const Status& how, bool has_reply) {
    if (std::exchange(has_end_, true)) return;
    end_ = how;
    has_reply_ = has_reply;
  }
  /// There is no handler any more: who waits for it goes on.
  void go_on() {
    if (at_ != At::proceeding) return;
    at_ = At::outside;
    resume_waiting();
  }
  /// The handler has ended with `reply`: who waits for it goes on, while it is not sent yet.
  void go_on_with(const GivenReply& reply) {
    note_end(Status(), /*has_reply=*/true);
    given_ = &reply;
    go_on();
    given_ = nullptr;
  }
  /// The reply that is not sent yet, or null.
  const GivenReply* given() const noexcept { return given_; }

  // From IncomingCall.

  static ServerChain& of(CallChain<IncomingCall>& chain) noexcept {
    return static_cast<ServerChain&>(chain);
  }
  Owner& owner() const noexcept { return *owner_; }
  ServerContext& context() const noexcept { return call_->context(); }
  /// Of the interceptor at `depth`.
  void reply(const google::protobuf::MessageLite& message, std::size_t depth);

 private:
  friend InterceptorChain;

  bool begin(std::coroutine_handle<> waiting);
  Status note_misuse(const char* what) override;
  bool is_on_its_thread() const noexcept { return call_->home().is_here(); }
  bool has_one_reply() const noexcept {
    return kind_ == MethodKind::unary || kind_ == MethodKind::client_streaming;
  }
  bool has_reply() const noexcept { return has_reply_; }
  void on_return() const noexcept {}
  void end_with(const Status& status) {
    note_done();
    owner_->on_chain_done(status);
  }

  Owner* owner_;
  HandlerCall* call_;
  const MethodKind kind_;
  bool has_end_ = false;
  /// Its own, or the handler's.
  bool has_reply_ = false;
  const GivenReply* given_ = nullptr;
};

}  // namespace nearcall::inline v0::detail
