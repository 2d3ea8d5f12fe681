// SPDX-License-Identifier: Apache-2.0
// Functions on the threads of a pool, and what the loop does for them.
#include "server/pooled_call.hpp"

#include "async/pool_core.hpp"

#include <nearcall/peer_policy.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

/// Who has one share of the pool. Processes of our own user are told apart, so that none is without
/// a thread for another one's sake. Any other user is one, who may have as many processes as it
/// likes; and so is a connection that nobody vouches for.
PoolClient pool_client(const CallHost& host) {
  using Kind = PoolClient::Kind;
  const PeerIdentity& peer = host.peer();
  static const PeerPolicy ours = PeerPolicy::same_user();
  if (ours.admits(peer) && peer.pid() != 0)
    return {Kind::process, static_cast<std::uint64_t>(peer.pid())};
  if (peer.has_credentials()) return {Kind::user, peer.uid()};
  return {Kind::connection, reinterpret_cast<std::uintptr_t>(&host)};
}

std::string no_room(const PoolCore& pool, PoolQueue::Answer why) {
  const std::string queue = std::to_string(pool.max_queued());
  if (why == PoolQueue::Answer::full) {
    return "all " + std::to_string(pool.max_threads()) +
           " threads of the server's pool are at work, and " + queue +
           " others wait for one (ThreadPool's max_queued)";
  }
  return "the client's calls have their share of the server's pool: three times what they leave of "
         "its " +
         std::to_string(pool.max_threads()) + " threads and " + queue +
         " places to wait (ThreadPool's max_queued)";
}

}  // namespace

// ---- errands ------------------------------------------------------------------------------------

class PooledCall::Reading final : public Errand, public MessageWaiter {
 public:
  Reading(PooledCall& call, google::protobuf::MessageLite& into) noexcept
      : Errand(call), into_(&into) {}

  void begin() override {
    MessageInbox& in = call().stream().in();
    const MessageInbox::Read read = in.try_read(*into_);
    if (read == MessageInbox::Read::pending) {
      is_waiting_ = true;
      return in.wait(*into_, this);
    }
    call().stream().note_message();
    finish(pass_hooks(read == MessageInbox::Read::message));
  }
  void wake() noexcept override {
    MessageInbox& in = call().stream().in();
    is_waiting_ = false;
    const bool has_message = pass_hooks(in.take_outcome());
    if (has_message || in.has_ended()) return finish(has_message);
    fail_when_closed();
  }
  /// On the loop: if it waits, it does no more.
  void leave() {
    if (!std::exchange(is_waiting_, false)) return;
    call().stream().in().leave();
    finish(false);
  }

 private:
  /// Interceptors see what was read, here on the loop; what they refuse ends the call.
  bool pass_hooks(bool has_message) {
    ServerChain* const chain = call().chain();
    if (chain == nullptr || !has_message) [[likely]]
      return has_message;
    const Status passed = chain->pass_incoming(*into_);
    if (!passed.ok()) call().fail(passed);
    return passed.ok();
  }

  google::protobuf::MessageLite* into_;
  /// The loop's.
  bool is_waiting_ = false;
};

/// Ends a Reading, if that waits.
class PooledCall::Leaving final : public Errand {
 public:
  Leaving(PooledCall& call, Reading& reading) noexcept : Errand(call), reading_(&reading) {}
  void begin() override {
    reading_->leave();
    finish(true);
  }

 private:
  Reading* reading_;
};

class PooledCall::Writing final : public Errand, public MessageWaiter {
 public:
  Writing(PooledCall& call,
          const google::protobuf::MessageLite& message,
          bool may_compress) noexcept
      : Errand(call), message_(&message), may_compress_(may_compress) {}

  void begin() override {
    MessageOutbox& out = call().stream().out();
    const MessageOutbox::Write written = out.try_write(*message_, may_compress_);
    if (written == MessageOutbox::Write::full) return out.wait(*message_, *this, may_compress_);
    call().stream().note_message();
    finish(written == MessageOutbox::Write::taken);
  }
  void wake() noexcept override {
    if (call().stream().out().take_outcome()) return finish(true);
    fail_when_closed();
  }

 private:
  const google::protobuf::MessageLite* message_;
  bool may_compress_;
};

/// Something that is said to the call.
template <class F>
class PooledCall::Saying final : public Errand {
 public:
  Saying(PooledCall& call, F& what) noexcept : Errand(call), what_(&what) {}
  void begin() override {
    (*what_)(call());
    finish(true);
  }

 private:
  F* what_;
};

bool PooledCall::perform(Errand& errand) {
  if (is_cancelled()) return false;  // as in a callback of the token
  require_other_thread();
  if (submit(errand) && await(errand)) return true;
  return fail_once_told();
}

void PooledCall::require_other_thread() const {
  if (!call_->host().loop_core().is_in_this_thread()) return;
  fail_precondition(
      "ServerContext, BlockingReader, BlockingWriter: used on the thread of the call's loop, where "
      "they would wait for themselves; use them on the function's threads");
}

bool PooledCall::submit(Errand& errand) {
  const std::lock_guard lock(mutex_);
  if (is_closed_) return false;
  errands_.push_back(errand);
  if (!std::exchange(is_work_posted_, true)) call_->host().loop_core().post(work_);
  return true;
}

bool PooledCall::await(Errand& errand) {
  std::unique_lock lock(mutex_);
  finished_.wait(lock, [&errand] { return errand.is_done(); });
  return errand.outcome();
}

/// The loop is inside close(), a few instructions away, and waits for nothing there.
bool PooledCall::fail_once_told() const noexcept {
  while (cancellation_.stop_requested() && !told_.stop_requested())
    std::this_thread::yield();
  return false;
}

/// The thread that waits goes on, and may destroy all of this, as soon as the mutex is free.
void PooledCall::finish(Errand& errand, bool outcome) noexcept {
  const std::lock_guard lock(mutex_);
  errand.set_done(outcome);
  finished_.notify_all();
}

void PooledCall::fail_when_closed(Errand& errand) noexcept {
  if (cancellation_.stop_requested()) return finish(errand, /*outcome=*/false);
  const std::lock_guard lock(mutex_);
  errands_.push_back(errand);
}

/// With the last errand this may go.
void PooledCall::begin_errands() {
  IntrusiveList<Errand> begun;
  {
    const std::lock_guard lock(mutex_);
    is_work_posted_ = false;
    while (Errand* const errand = errands_.pop_front())
      begun.push_back(*errand);
  }
  while (Errand* const errand = begun.pop_front())
    errand->begin();
}

// ---- the way to the pool ------------------------------------------------------------------------

PooledCall::PooledCall(ServerCall& call)
    : call_(&call),
      pool_(&call.host().shared().handler_pool()),
      cancellation_(call.cancellation()),
      on_cancel_(cancellation_, Close{this}) {
  call.stream().in().answer_freely();
}

bool PooledCall::enter(std::coroutine_handle<> handler) {
  try {
    posted_.emplace(PostedResume::Queue{nullptr, pool_}, handler, &call_->home());
    const PoolQueue::Answer answer = posted_->try_post(pool_client(call_->host()));
    if (answer == PoolQueue::Answer::taken) return true;  // and this may be gone
    refusal_ = Status::resource_exhausted(no_room(Access::core(*pool_), answer))
                   .with_reason(StatusReason::limit);
  } catch (const std::system_error& error) {
    refusal_ = Status::resource_exhausted("the system gives no thread for the server's pool: " +
                                          error.code().message())
                   .with_reason(StatusReason::system_limit);
  }
  call_->host().log_fault(refusal_.message());
  return false;
}

Status PooledCall::entered() const {
  if (!refusal_.ok()) return refusal_;
  if (cancellation_.stop_requested()) return Status::cancelled("nobody waits for the answer");
  return Status();
}

void PooledCall::close() noexcept {
  LoopCore& loop = call_->host().loop_core();
  {
    const std::lock_guard lock(mutex_);
    is_closed_ = true;
    if (std::exchange(is_work_posted_, false)) loop.cancel_posted(work_);
    while (Errand* const errand = errands_.pop_front())
      errand->set_done(/*outcome=*/false);
    finished_.notify_all();
  }
  if (posted_ && posted_->take_back()) {
    call_->home().cancel_leave();
    loop.schedule(*posted_);
  } else {
    told_.request_stop();
  }
}

// ---- what the function sees ---------------------------------------------------------------------

bool PooledCall::read(google::protobuf::MessageLite& into) {
  Reading reading(*this, into);
  return perform(reading);
}

/// The one that leaves comes after the one that reads, so it finds that waiting, or done.
bool PooledCall::read(google::protobuf::MessageLite& into, const std::stop_token& stop) {
  if (is_cancelled() || stop.stop_requested()) return false;
  require_other_thread();
  Reading reading(*this, into);
  Leaving leaving(*this, reading);
  if (!submit(reading)) return fail_once_told();
  bool is_leaving = false;
  {
    const std::stop_callback leave(stop, [&] { is_leaving = submit(leaving); });
    await(reading);
  }
  if (is_leaving) await(leaving);
  return reading.outcome() || fail_once_told();
}

bool PooledCall::write(const google::protobuf::MessageLite& message, bool may_compress) {
  Writing writing(*this, message, may_compress);
  return perform(writing);
}

template <class F>
void PooledCall::say(F&& to) {
  Saying<F> saying(*this, to);
  perform(saying);  // of a call that is over nobody hears it
}

void PooledCall::add_header(std::string_view key, std::string_view value) {
  say([&](ServerCall& call) { call.add_header(key, value); });
}

void PooledCall::add_trailer(std::string_view key, std::string_view value) {
  say([&](ServerCall& call) { call.add_trailer(key, value); });
}

void PooledCall::send_headers() {
  say([](ServerCall& call) { call.send_headers(); });
}

void PooledCall::set_compression(const Codec& codec) {
  say([&](ServerCall& call) { call.set_compression(codec); });
}

/// One of its own: the loop may have gone.
google::protobuf::Arena& PooledCall::arena() {
  std::call_once(arena_made_, [this] { arena_ = std::make_unique<google::protobuf::Arena>(); });
  return *arena_;
}

std::stop_token PooledCall::ending() {
  fail_precondition(
      "ServerContext::until_ending() is for coroutines; a function of a BlockingService asks "
      "is_cancelled(), or waits with the token of cancellation() or server_stopping()");
}

// ---- what the header declares -------------------------------------------------------------------

PooledHandler::PooledHandler(HandlerCall& call)
    : call_(std::make_unique<PooledCall>(static_cast<ServerCall&>(call))) {
}

PooledHandler::~PooledHandler() = default;

bool PooledHandler::await_suspend(std::coroutine_handle<> handler) {
  return call_->enter(handler);
}

Status PooledHandler::await_resume() {
  return call_->entered();
}

ServerContext& PooledHandler::context() noexcept {
  return call_->context();
}

BlockingStream& PooledHandler::stream() noexcept {
  return *call_;
}

}  // namespace nearcall::inline v0::detail
