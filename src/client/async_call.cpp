// SPDX-License-Identifier: Apache-2.0
// Starting, repeating, awaiting and cancelling a call on a loop.
#include "client/async_call.hpp"

#include "async/cancel_event.hpp"
#include "client/async_hedges.hpp"
#include "client/transient_failure.hpp"

#include <algorithm>
#include <utility>

namespace nearcall::inline v0::detail {

namespace {

/// Why a call may not be made here, or OK.
Status obstacle(const BoundMethod& method, const Backend& channel, const EventLoop* loop) {
  if (loop != nullptr) return channel.misuse();
  return Status(StatusCode::failed_precondition,
                std::string(method.method.path) +
                    ": an Async call needs an EventLoop that runs or is bound on its thread: "
                    "spawn() or sync_wait() the coroutine that makes it, or use the blocking form")
      .with_reason(StatusReason::misuse);
}

[[noreturn]] void fail_elsewhere() noexcept {
  fail_precondition(
      "an awaited call was used or dropped outside of the EventLoop that it was made on: co_await "
      "resume_on(loop) first; only cancel() is for any thread, and dropping one that is over");
}

}  // namespace

AsyncCall::AsyncCall(Backend& backend,
                     const BoundMethod& method,
                     const google::protobuf::MessageLite* request,
                     const CallOptions& options,
                     EventLoop* loop)
    : WaitingCall(request != nullptr && !waits_for_ready(method, options) ? For::room
                                                                          : For::word_and_room),
      loop_(loop),
      call_(*this,
            method,
            options,
            backend.options(),
            loop != nullptr ? Access::core(*loop).clock() : backend.clock()) {
}

void AsyncCall::start(Backend& backend,
                      const google::protobuf::MessageLite* request,
                      const CallOptions& options,
                      bool is_intercepted) {
  if (!call_.check(options, obstacle(call_.method(), backend, loop_))) return;
  if (!is_intercepted && request != nullptr) call_.keep_request(*request);
  if (call_.is_over()) return;
  LoopCore& loop = Access::core(*loop_);
  call_.messages().set_loop(loop);
  timer_.emplace(loop, &AsyncCall::on_timer, this);
  timer_->set(call_.deadline());
  if (is_intercepted)
    intercept(backend, request);
  else
    begin(backend);
  if (options.cancellation().stop_possible()) {
    CancelEvent::catch_up();
    cancellation_.emplace(options.cancellation(), Cancel{this});
  }
  if (options.cancellation_of_served().stop_possible()) [[unlikely]]
    rare().cancellation_of_served.emplace(options.cancellation_of_served(), Cancel{this});
}

void AsyncCall::begin(Backend& backend) {
  backend_ = &LoopBackend::of(backend, Access::core(*loop_));
  if (call_.waits_for_ready()) [[unlikely]]
    backend_->begin_when_ready(*this);
  else
    backend_->begin(*this);
}

AsyncCall::~AsyncCall() {
  require_same_thread();
  cancellation_.reset();
  if (rare_ != nullptr) [[unlikely]]
    rare_->cancellation_of_served.reset();
  // What the call refers to is its channel's, which may be gone but for the interceptors.
  const auto kept = chain_ != nullptr ? chain_->take_backend() : nullptr;
  if (chain_ != nullptr) [[unlikely]] {
    call_.messages().set_tap(nullptr);
    chain_.reset();
    if (loop_ != nullptr) stop_cancelling();
  }
  WaitingCall::unlink();
  for (Waiting& waiting : waiting_)
    waiting.awaiter = nullptr;
  call_.drop();
}

void AsyncCall::on_timer(void* self) noexcept {
  auto& call = *static_cast<AsyncCall*>(self);
  if (std::exchange(call.is_pausing_, false) && call.call_.now() < call.call_.deadline())
      [[unlikely]]
    return call.end_pause();
  if (call.chain_ != nullptr) [[unlikely]] {
    call.chain_->force();
    if (call.call_.is_over()) {
      if (!call.chain_->is_proceeding()) call.chain_->finish(call.call_.late());
      return;
    }
  }
  call.call_.fail_late();
}

void AsyncCall::cancel_here() {
  if (chain_ != nullptr) [[unlikely]] {
    chain_->force();
    if (call_.is_over()) {
      if (!chain_->is_proceeding()) chain_->finish(cancelled());
      return;
    }
  }
  call_.cancel();
}

void AsyncCall::on_repeat(std::optional<TimePoint> at) {
  const Duration pause = call_.repeat_pause();
  if (!at && pause == Duration::zero()) return backend_->repeat(*this);
  backend_->hold(*this);
  is_pausing_ = true;
  timer_->set(std::min(call_.deadline(), at.value_or(call_.now() + pause)));
}

void AsyncCall::on_next_hedge(TimePoint at) {
  Hedging& hedging = *call_.hedging();
  if (hedging.starter() == nullptr)
    hedging.set_starter(std::make_unique<AsyncHedges>(call_, Access::core(*loop_)));
  static_cast<AsyncHedges&>(*hedging.starter()).set(at, *backend_);
}

void AsyncCall::end_pause() {
  timer_->set(call_.deadline());
  if (!call_.is_over()) backend_->repeat(*this);  // else its interceptors go on
}

void AsyncCall::on_failed(const Status& why) {
  if (backend_->try_elsewhere(*this, why)) return;
  if (!call_.waits_for_ready() || !may_pass(why)) return call_.on_failed(why);
  call_.note_obstacle(why);
  backend_->wait(*this);
}

void AsyncCall::cancel() noexcept {
  if (loop_ == nullptr) return;
  if (EventLoop::current() == loop_) return cancel_here();
  Cancelling before = Cancelling::no;
  if (!cancelling_.compare_exchange_strong(before, Cancelling::posting)) return;
  Access::core(*loop_).post(cancel_here_);
  cancelling_.store(Cancelling::posted);
  cancelling_.notify_all();
}

/// From now on cancel() does not touch the loop, which may go before the call does.
void AsyncCall::stop_cancelling() noexcept {
  Cancelling before = Cancelling::no;
  if (cancelling_.compare_exchange_strong(before, Cancelling::over)) return;
  if (before == Cancelling::over) return;
  cancelling_.wait(Cancelling::posting);
  Access::core(*loop_).cancel_posted(cancel_here_);
  cancelling_.store(Cancelling::over);
}

// ---- who waits ----------------------------------------------------------------------------------

void AsyncCall::wait(CallAwaiter& awaiter,
                     CallAwaiter::Until until,
                     std::coroutine_handle<> waiting) {
  require_loop();
  Waiting& here = waiting_[static_cast<std::size_t>(until)];
  if (here.awaiter != nullptr) {
    fail_precondition("a call is awaited by two coroutines at a time; one waits, and tells others");
  }
  here.resume.set(waiting);
  if (is_ready(until)) return Access::core(*loop_).unowned_work().push(here.resume);
  here.awaiter = &awaiter;
}

void AsyncCall::require_loop() const noexcept {
  if (!is_over() && EventLoop::current() != loop_) fail_elsewhere();
}

void AsyncCall::require_same_thread() const noexcept {
  if (!is_over() && Access::core(*loop_).is_run_elsewhere()) fail_elsewhere();
}

void AsyncCall::leave(CallAwaiter& awaiter, CallAwaiter::Until until) noexcept {
  Waiting& waiting = waiting_[static_cast<std::size_t>(until)];
  if (waiting.awaiter == &awaiter) waiting.awaiter = nullptr;
  waiting.resume.unlink();
}

void AsyncCall::settle() noexcept {
  if (timer_) timer_->clear();
  if (loop_ != nullptr) stop_cancelling();
}

void AsyncCall::on_change() {
  if (call_.is_over()) {
    WaitingCall::unlink();
    const bool is_going = backend_ != nullptr && backend_->is_going();
    if (backend_ != nullptr) std::exchange(backend_, nullptr)->on_call_over();
    if (chain_ != nullptr) [[unlikely]]
      is_going ? chain_->finish(call_.status()) : chain_->on_call_over();
    if (is_over()) settle();
  }
  for (std::size_t i = 0; i < 2; ++i) {
    if (waiting_[i].awaiter == nullptr || !is_ready(static_cast<CallAwaiter::Until>(i))) continue;
    waiting_[i].awaiter = nullptr;
    Access::core(*loop_).schedule(waiting_[i].resume);
  }
}

// ---- with interceptors --------------------------------------------------------------------------

void AsyncCall::intercept(Backend& backend, const google::protobuf::MessageLite* request) {
  chain_ = std::make_unique<ClientChain>(static_cast<ClientChain::Owner&>(*this), call_, backend,
                                         request, &Access::core(*loop_));
  call_.messages().set_tap(chain_.get());
  chain_->start();
}

bool AsyncCall::begin_call(const google::protobuf::MessageLite* request) {
  if (request != nullptr) call_.keep_request(*request);
  if (!call_.is_over()) begin(chain_->backend());
  return true;
}

/// What the interceptors have not asked for, or do not wait for any more, ends now.
void AsyncCall::on_chain_done() {
  if (call_.is_over()) return chain_->is_going_on() ? settle() : on_change();
  if (call_.is_open()) return call_.drop();
  call_.finish_unsent(chain_->status());
}

void AsyncCall::resume_waiting() {
  Waiting& here = waiting_[static_cast<std::size_t>(CallAwaiter::Until::end)];
  if (std::exchange(here.awaiter, nullptr) != nullptr) here.resume.run();
}

void AsyncCall::expect_reply(google::protobuf::MessageLite& reply) {
  if (chain_ != nullptr) [[unlikely]]
    chain_->set_reply_place(reply);
  call_.expect_reply(reply);
}

void AsyncCall::drop_messages() {
  call_.messages().in().drop();
  if (chain_ != nullptr) [[unlikely]]
    chain_->on_read_end();
}

// ---- the public face ----------------------------------------------------------------------------

void CallDeleter::operator()(AsyncCall* call) const noexcept {
  delete call;
}

bool CallAwaiter::await_ready() const noexcept {
  return call_->is_ready(until_) && !call_->is_held_back(until_);
}
void CallAwaiter::await_suspend(std::coroutine_handle<> waiting) {
  is_waiting_ = true;
  call_->wait(*this, until_, waiting);
}
void CallAwaiter::leave() noexcept {
  call_->leave(*this, until_);
}
const Metadata& HeadersAwaiter::await_resume() noexcept {
  settle();
  return call().call().headers();
}
Status StatusAwaiter::await_resume() {
  settle();
  call().count_last();
  return call().status();
}

Status status_of(AsyncCall& call) {
  call.count_last();
  return call.reply_status();
}

void fail_moved_from() noexcept {
  fail_precondition(
      "a call object was used that was moved from: it can only be dropped or assigned to");
}

const Status& AsyncCallBase::status() const {
  if (!is_done()) fail_precondition("status(): the call is not over; co_await its end first");
  return call().status();
}
const Metadata& AsyncCallBase::trailers() const {
  call().require_same_thread();
  return call().call().trailers();
}
int AsyncCallBase::attempts() const {
  call().require_same_thread();
  return call().call().attempts();
}
PeerIdentity AsyncCallBase::peer() const {
  call().require_same_thread();
  return call().peer();
}
bool AsyncCallBase::is_done() const noexcept {
  call().require_same_thread();
  return call().is_over();
}
void AsyncCallBase::cancel() noexcept {
  call().cancel();
}
MessageStream& AsyncCallBase::stream() const noexcept {
  call().require_loop();
  return call().call().messages();
}
void AsyncCallBase::expect_reply(google::protobuf::MessageLite& reply) noexcept {
  call().expect_reply(reply);
}
bool AsyncCallBase::half_close() noexcept {
  call().require_loop();
  return call().call().half_close();
}
bool AsyncCallBase::failed_without_loop() const {
  if (EventLoop::current() != nullptr) return false;
  if (is_done() && !status().ok()) return true;
  fail_precondition(
      "on_done(): on a thread without the EventLoop that the call was made on; call it there, with "
      "EventLoop::post()");
}
StatusAwaiter AsyncCallBase::finish_call() noexcept {
  call().require_loop();
  if (!is_done()) call().drop_messages();
  return StatusAwaiter(call());
}

}  // namespace nearcall::inline v0::detail
