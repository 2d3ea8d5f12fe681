// SPDX-License-Identifier: Apache-2.0
// ServerChain: the interceptors of one call at the server.
#pragma once

#include "async/loop_core.hpp"
#include "async/run_member.hpp"
#include "base/clock.hpp"
#include "connection/message_tap.hpp"

#include <nearcall/server_interceptor.hpp>
#include <nearcall/service.hpp>

#include <google/protobuf/message_lite.h>

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace nearcall::inline v0::detail {

using ServerInterceptors = std::vector<std::shared_ptr<ServerInterceptor>>;

/// The interceptors of one call, each of which is a coroutine that waits for the next, and the last
/// one for the handler; and how the call ends with them.
///
///     outside ──proceed()──► proceeding ──(the handler has returned)──► outside ──► done
///        └──────────────────────(they return)─────────────────────────────────────────►┘
///
/// Thread safety: the loop's thread.
class ServerChain final : public CallChain<IncomingCall>, public MessageTap {
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
      : MessageTap(Incoming::requests),
        owner_(&owner),
        call_(&call),
        interceptors_(&interceptors) {}
  ~ServerChain();

  static void* operator new(std::size_t size) { return allocate_frame(size); }
  static void operator delete(void* memory, std::size_t size) noexcept { free_frame(memory, size); }

  void start();
  bool is_proceeding() const noexcept { return at_ == At::proceeding; }
  bool is_done() const noexcept { return at_ == At::done; }
  /// How the handler ended, or the call without it. The first one counts.
  void note_end(const Status& how, bool has_reply);
  /// There is no handler any more: who waits for it goes on.
  void go_on();

  // From IncomingCall.

  static ServerChain& of(CallChain<IncomingCall>& chain) noexcept {
    return static_cast<ServerChain&>(chain);
  }
  Owner& owner() const noexcept { return *owner_; }
  ServerContext& context() const noexcept { return call_->context(); }
  /// Of the interceptor at `depth`.
  void reply(const google::protobuf::MessageLite& message, std::size_t depth);

 private:
  enum class At : std::uint8_t { outside, proceeding, done };

  // CallChain

  Task<Status> intercept(std::size_t depth, IncomingCall& call) override;
  bool begin(std::coroutine_handle<> waiting) override;
  Status take_end() override { return end_; }
  void leave() noexcept override;
  Status note_misuse(const char* what) override;

  static void on_done(void* self) noexcept;
  void end();
  void complete(Status status);
  bool has_one_reply() const noexcept;

  Owner* owner_;
  HandlerCall* call_;
  const ServerInterceptors* interceptors_;
  At at_ = At::outside;
  bool has_begun_ = false;
  bool has_end_ = false;
  /// Its own, or the handler's.
  bool has_reply_ = false;
  bool has_ended_elsewhere_ = false;
  std::coroutine_handle<> waiting_;
  Status end_;
  Status misuse_;
  RunMember<&ServerChain::end> end_on_loop_{*this};
  IncomingCall outermost_ = Access::make<IncomingCall>(*this, std::size_t{0});
  Task<Status> task_;
};

}  // namespace nearcall::inline v0::detail
