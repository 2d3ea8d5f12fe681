// SPDX-License-Identifier: Apache-2.0
// PooledCall: a call whose handler is a function on a thread of a pool.
#pragma once

#include "async/intrusive_list.hpp"
#include "async/posted_resume.hpp"
#include "async/run_member.hpp"
#include "connection/message_waiter.hpp"
#include "server/server_call.hpp"

#include <nearcall/blocking_service.hpp>
#include <nearcall/server_context.hpp>

#include <google/protobuf/arena.h>
#include <google/protobuf/message_lite.h>

#include <condition_variable>
#include <coroutine>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string_view>

namespace nearcall::inline v0::detail {

/// A call whose handler is a function on a thread of a pool. The function sees its call through
/// this, and what belongs to the loop is done there, while the function waits: an errand.
///
///     new ──enter()──► queued ──(a thread is free)──► the function runs ──► destroyed, there
///       └──(it is full)──► destroyed    └──(cancelled)──► back on the loop, destroyed
///
/// A cancelled call has no more errands: those that wait for the loop fail, and the loop may go.
///
/// Thread safety: made, entered and closed on the loop's thread. Then the function's own; one
/// thread of it may read, another one write.
class PooledCall final : private ServerCallView, public BlockingStream {
 public:
  explicit PooledCall(ServerCall& call);
  PooledCall(const PooledCall&) = delete;
  PooledCall& operator=(const PooledCall&) = delete;
  ~PooledCall() = default;

  /// Queues the handler; false, and it goes on here, if that cannot be. Last use on the loop.
  bool enter(std::coroutine_handle<> handler);
  /// Whether the function is to run, once the handler goes on.
  Status entered() const;

  ServerContext& context() noexcept { return context_; }
  bool read(google::protobuf::MessageLite& into) override;
  bool read(google::protobuf::MessageLite& into, const std::stop_token& stop) override;
  bool write(const google::protobuf::MessageLite& message, bool may_compress) override;

 private:
  /// Something that the loop does for the function, which waits. Lives on the waiting thread's
  /// stack, so the loop does not touch it any more once it has said finish().
  class Errand : public ListHook {
   public:
    explicit Errand(PooledCall& call) noexcept : call_(&call) {}
    Errand(const Errand&) = delete;
    Errand& operator=(const Errand&) = delete;
    /// On the loop: does it, or sees to it that somebody says finish().
    virtual void begin() = 0;
    // REQUIRES: mutex_ is held.
    void set_done(bool outcome) noexcept {
      is_done_ = true;
      outcome_ = outcome;
    }
    bool is_done() const noexcept { return is_done_; }
    bool outcome() const noexcept { return outcome_; }

   protected:
    ~Errand() = default;
    ServerCall& call() const noexcept { return *call_->call_; }
    void finish(bool outcome) noexcept { call_->finish(*this, outcome); }
    /// The call is over, and close() is about to be told: the function sees both or none.
    void fail_when_closed() noexcept { call_->fail_when_closed(*this); }

   private:
    PooledCall* call_;
    // Guarded by mutex_.
    bool is_done_ = false;
    bool outcome_ = false;
  };
  class Reading;
  class Leaving;
  class Writing;
  template <class F>
  class Saying;

  struct Close {
    PooledCall* call;
    void operator()() const noexcept { call->close(); }
  };

  // ServerCallView. What is a fact of the request is read where it lies.

  const PeerIdentity& peer() const noexcept override { return call_->peer(); }
  std::string_view method() const noexcept override { return call_->method(); }
  std::string_view authority() const noexcept override { return call_->authority(); }
  const Metadata& metadata() const noexcept override { return call_->metadata(); }
  TimePoint deadline() const noexcept override { return call_->deadline(); }
  bool is_cancelled() const noexcept override { return told_.stop_requested(); }
  std::stop_token cancellation() override { return told_.get_token(); }
  std::stop_token server_stopping() const override { return call_->server_stopping(); }
  std::stop_token ending() override;
  void add_header(std::string_view key, std::string_view value) override;
  void add_trailer(std::string_view key, std::string_view value) override;
  void send_headers() override;
  void set_compression(const Codec& codec) override;
  google::protobuf::Arena& arena() override;

  /// Has the loop do it, and waits; false if the call is over.
  bool perform(Errand& errand);
  void require_other_thread() const;
  /// False: the call is over.
  bool submit(Errand& errand);
  bool await(Errand& errand);
  /// Of a call that is over the function sees all at once, whatever it looks at first.
  bool fail_once_told() const noexcept;
  template <class F>
  void say(F&& to);
  void finish(Errand& errand, bool outcome) noexcept;
  void fail_when_closed(Errand& errand) noexcept;
  void begin_errands();
  /// The call is cancelled: on the loop.
  void close() noexcept;

  ServerCall* call_;
  ThreadPool* pool_;
  std::stop_token cancellation_;
  /// The function's own, and what is_cancelled() asks: its callbacks run once close() has freed
  /// those that read and write.
  std::stop_source told_;
  ServerContext context_ = Access::make<ServerContext>(static_cast<ServerCallView&>(*this));
  Status refusal_;
  std::once_flag arena_made_;
  std::unique_ptr<google::protobuf::Arena> arena_;
  /// Its way to the pool.
  std::optional<PostedResume> posted_;

  std::mutex mutex_;
  std::condition_variable finished_;
  // Guarded by mutex_.
  IntrusiveList<Errand> errands_;
  bool is_closed_ = false;
  bool is_work_posted_ = false;
  /// Is posted to the loop while there are errands.
  RunMember<&PooledCall::begin_errands> work_{*this};

  std::stop_callback<Close> on_cancel_;
};

}  // namespace nearcall::inline v0::detail
