// SPDX-License-Identifier: Apache-2.0
// ClientChain: the interceptors of one call at the client.
#pragma once

#include "async/loop_core.hpp"
#include "async/run_member.hpp"
#include "client/call.hpp"
#include "connection/interceptor_chain.hpp"

#include <nearcall/client_interceptor.hpp>
#include <nearcall/resume_on.hpp>

#include <google/protobuf/message_lite.h>

#include <coroutine>
#include <cstddef>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace nearcall::inline v0::detail {

class Backend;

using ClientInterceptors = std::vector<std::shared_ptr<ClientInterceptor>>;

/// The interceptors of one call, around the call itself, which is over once its replies are read.
/// The deadline and cancellation end it wherever they are. Where it is done while interceptors
/// wait, they go with the chain, and with the loop at the latest.
///
/// Thread safety: that of the call object.
class ClientChain final : public InterceptorChain<ClientChain, OutgoingCall, ClientInterceptors>,
                          public AttemptListener,
                          private LoopOwned {
 public:
  /// The call object.
  class Owner {
   public:
    /// The call begins, and sends `request`, where that is not null. Whether its end is still to
    /// come: go_on().
    virtual bool begin_call(const google::protobuf::MessageLite* request) = 0;
    /// Call::deadline() has changed.
    virtual void on_deadline_change() = 0;
    /// status() is how the call ends.
    virtual void on_chain_done() = 0;
    /// The same after it, where interceptors have gone on by themselves: whoever waits for the end
    /// goes on right here. May destroy the call.
    virtual void resume_waiting() = 0;

   protected:
    ~Owner() = default;
  };

  /// `call` is the owner's. `request`, which may be null, is copied where it is not sent before
  /// start() returns. `loop` is null where threads wait. Keeps the backend, whose options name the
  /// interceptors, as the call may begin when its channel is gone.
  ClientChain(Owner& owner,
              Call& call,
              Backend& backend,
              const google::protobuf::MessageLite* request,
              LoopCore* loop);
  ~ClientChain();

  using InterceptorChain::operator new;
  using InterceptorChain::operator delete;

  void start();
  Backend& backend() const noexcept { return *backend_; }
  /// For what is left of the call when this goes.
  std::shared_ptr<Backend> take_backend() noexcept { return std::move(backend_); }
  /// Where the one reply goes, now or later.
  void set_reply_place(google::protobuf::MessageLite& reply);
  bool has_begun() const noexcept { return has_begun_; }
  /// How the call ended. REQUIRES: is_done().
  const Status& status() {
    if (status_.ok() && has_refused()) status_ = refusal();
    return status_;
  }
  /// The same for whoever awaits the reply. Once.
  Status take_reply_status();

  /// The call is over. On its loop.
  void on_call_over();
  /// The deadline passed, or it was cancelled: it waits for nobody.
  void force() noexcept { is_forced_ = true; }
  /// It ends so, whatever the interceptors do.
  void finish(Status status);
  /// Those who wait for the call's end go on.
  void go_on();
  /// Inside of that.
  bool is_going_on() const noexcept { return is_going_on_; }

  /// A reply of the interceptors' own.
  bool has_own() const noexcept {
    return extras_ != nullptr && extras_->next_own < extras_->own.size();
  }
  bool take_own(google::protobuf::MessageLite& into);

  // From OutgoingCall.

  static ClientChain& of(CallChain<OutgoingCall>& chain) noexcept {
    return static_cast<ClientChain&>(chain);
  }
  Call& call() const noexcept { return *call_; }
  void set_deadline(TimePoint when);
  void add_attempt_hook(UniqueFunction<void(std::size_t)> hook) {
    if (!hook) return;
    extras().attempt_hooks.push_back(std::move(hook));
    call_->set_attempt_listener(*this);
  }
  /// Of the interceptor at `depth`.
  void reply(const google::protobuf::MessageLite& message, std::size_t depth);

  // MessageTap, AttemptListener

  void on_read_end() override;
  void on_attempt(std::size_t number) noexcept override;

 private:
  friend InterceptorChain;

  bool begin(std::coroutine_handle<> waiting);
  void leave() noexcept override;
  Status note_misuse(const char* what) override;
  bool is_on_its_thread() const noexcept;
  bool has_one_reply() const noexcept;
  bool has_reply() const noexcept { return has_reply_ || has_answered(); }
  void on_return() noexcept { ListHook::unlink(); }
  void end_with(Status& status) { finish(std::move(status)); }

  // LoopOwned

  void destroy() noexcept override;

  /// What most interceptors do not use.
  struct Extras {
    /// Replies of their own, serialised.
    std::vector<std::string> own;
    std::size_t next_own = 0;
    std::vector<UniqueFunction<void(std::size_t)>> attempt_hooks;
  };

  Extras& extras();
  /// Whether there was a reply of their own.
  bool has_answered() const noexcept { return extras_ != nullptr && !extras_->own.empty(); }
  bool fail_elsewhere();
  void deliver_own(Status& status);
  Status end_of_call();

  Owner* owner_;
  Call* call_;
  LoopCore* loop_;
  std::shared_ptr<Backend> backend_;
  TaskHome home_;
  const google::protobuf::MessageLite* request_;
  std::unique_ptr<google::protobuf::MessageLite> request_copy_;
  google::protobuf::MessageLite* reply_ = nullptr;
  /// The server's.
  bool has_reply_ = false;
  bool is_forced_ = false;
  bool is_going_on_ = false;
  bool has_read_all_ = false;
  bool has_given_reply_ = false;
  std::unique_ptr<Extras> extras_;
  Status status_;
  RunMember<&ClientChain::go_on> go_on_{*this};
  /// Where a blocking call's interceptors run.
  std::thread::id thread_;
};

}  // namespace nearcall::inline v0::detail
