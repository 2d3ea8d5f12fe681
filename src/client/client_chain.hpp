// SPDX-License-Identifier: Apache-2.0
// ClientChain: the interceptors of one call at the client.
#pragma once

#include "async/loop_core.hpp"
#include "async/run_member.hpp"
#include "client/call.hpp"
#include "connection/message_tap.hpp"

#include <nearcall/client_interceptor.hpp>
#include <nearcall/resume_on.hpp>

#include <google/protobuf/message_lite.h>

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace nearcall::inline v0::detail {

class Backend;

/// The interceptors of one call, each of which is a coroutine that waits for the next, and the last
/// one for the call; and how the call ends with them.
///
///     outside ──proceed()──► proceeding ──(the call is over, and read)──► outside ──► done
///        └──(they return, or the deadline passes, or it is cancelled)──────────────────►┘
///
/// Where it is done while interceptors wait, they go with the chain.
///
/// Thread safety: that of the call object.
class ClientChain final : public CallChain<OutgoingCall>,
                          public MessageTap,
                          public AttemptListener {
 public:
  /// The call object.
  class Owner {
   public:
    virtual Call& call() noexcept = 0;
    /// The call begins, and sends `request`, where that is not null. Whether its end is still to
    /// come: go_on().
    virtual bool begin_call(const google::protobuf::MessageLite* request) = 0;
    /// Call::deadline() has changed.
    virtual void on_deadline_change() = 0;
    /// status() is how the call ends.
    virtual void on_chain_done() = 0;

   protected:
    ~Owner() = default;
  };

  /// `request`, which may be null, is copied where it is not sent before start() returns. `loop` is
  /// null where threads wait. Keeps the backend, whose options name the interceptors, as the call
  /// may begin when its channel is gone.
  ClientChain(Owner& owner,
              Backend& backend,
              const google::protobuf::MessageLite* request,
              LoopCore* loop);
  ~ClientChain();

  static void* operator new(std::size_t size) { return allocate_frame(size); }
  static void operator delete(void* memory, std::size_t size) noexcept { free_frame(memory, size); }

  void start();
  Backend& backend() const noexcept { return *backend_; }
  std::shared_ptr<Backend> keep_backend() const noexcept { return backend_; }
  /// Where the one reply goes, now or later.
  void set_reply_place(google::protobuf::MessageLite& reply);
  bool has_begun() const noexcept { return has_begun_; }
  bool is_done() const noexcept { return at_ == At::done; }
  /// How the call ended. REQUIRES: is_done().
  const Status& status() {
    if (status_.ok()) status_ = refusal();
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
  /// The call is over, and its replies are not all read.
  bool waits_for_reader() const noexcept { return at_ == At::proceeding; }
  /// Those who wait for the call's end go on.
  void go_on();

  /// A reply of the interceptors' own.
  bool has_own() const noexcept { return next_own_ < own_.size(); }
  bool take_own(google::protobuf::MessageLite& into);

  // From OutgoingCall.

  static ClientChain& of(CallChain<OutgoingCall>& chain) noexcept {
    return static_cast<ClientChain&>(chain);
  }
  Call& call() const noexcept { return owner_->call(); }
  void set_deadline(TimePoint when);
  void add_attempt_hook(UniqueFunction<void(std::size_t)> hook) {
    if (hook) attempt_hooks_.push_back(std::move(hook));
  }
  /// Of the interceptor at `depth`.
  void reply(const google::protobuf::MessageLite& message, std::size_t depth);

  // MessageTap, AttemptListener

  void on_read_end() override;
  void on_attempt(std::size_t number) noexcept override;

 private:
  enum class At : std::uint8_t { outside, proceeding, done };

  // CallChain

  Task<Status> intercept(std::size_t depth, OutgoingCall& call) override;
  bool begin(std::coroutine_handle<> waiting) override;
  Status take_end() override { return end_; }
  void leave() noexcept override;
  Status note_misuse(const char* what) override;

  static void on_done(void* self) noexcept;
  void end();
  void complete(Status status);
  void deliver_own(Status& status);
  bool is_on_its_thread() const noexcept;
  bool has_one_reply() const noexcept;
  Status end_of_call();

  Owner* owner_;
  LoopCore* loop_;
  std::shared_ptr<Backend> backend_;
  const google::protobuf::MessageLite* request_;
  std::unique_ptr<google::protobuf::MessageLite> request_copy_;
  google::protobuf::MessageLite* reply_ = nullptr;
  At at_ = At::outside;
  bool has_begun_ = false;
  /// The server's.
  bool has_reply_ = false;
  bool is_forced_ = false;
  bool has_read_all_ = false;
  bool has_ended_elsewhere_ = false;
  bool has_given_reply_ = false;
  std::size_t next_own_ = 0;
  /// Serialised.
  std::vector<std::string> own_;
  std::vector<UniqueFunction<void(std::size_t)>> attempt_hooks_;
  std::coroutine_handle<> waiting_;
  Status end_;
  Status misuse_;
  Status status_;
  RunMember<&ClientChain::go_on> go_on_{*this};
  RunMember<&ClientChain::end> end_on_loop_{*this};
  std::optional<TaskHome> home_;
  /// Where a blocking call's interceptors run.
  std::thread::id thread_ = std::this_thread::get_id();
  OutgoingCall outermost_ = Access::make<OutgoingCall>(*this, std::size_t{0});
  Task<Status> task_;
};

}  // namespace nearcall::inline v0::detail
