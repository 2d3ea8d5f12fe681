// SPDX-License-Identifier: Apache-2.0
// Starting, repeating, awaiting and cancelling a call on a loop.
#include "client/async_call.hpp"

#include "base/check.hpp"
#include "client/channel_core.hpp"

#include <utility>

namespace nearcall::detail {

AsyncCall::AsyncCall(std::shared_ptr<const BoundMethods> methods,
                     std::size_t method,
                     const google::protobuf::MessageLite* request,
                     const CallOptions& options,
                     EventLoop* loop)
    : ClientCall(
          (*methods)[method], options, methods->channel().options().max_receive_message_size()),
      methods_(std::move(methods)),
      loop_(loop) {
  ChannelCore& channel = methods_->channel();
  Status refused = options.misuse();
  if (refused.ok()) refused = channel.misuse();
  if (refused.ok() && loop == nullptr) {
    refused = Status(StatusCode::failed_precondition,
                     std::string((*methods_)[method].method.path) +
                         ": an Async call needs a running EventLoop on its thread: spawn() or "
                         "sync_wait() the coroutine that makes it, or use the blocking form");
  }
  if (refused.ok() && request != nullptr) refused = request_.keep(*request);
  if (refused.ok() && deadline() <= SteadyClock::now()) {
    refused = Status(StatusCode::deadline_exceeded, "the deadline passed before the call began");
  }
  if (!refused.ok()) {
    finish(std::move(refused));
    return;
  }
  messages().set_loop(loop->core());
  timer_.emplace(loop->core(), &AsyncCall::on_deadline, this);
  timer_->set(deadline());
  submit();
  if (options.cancellation().stop_possible()) {
    cancellation_.emplace(options.cancellation(), Cancel{this});
  }
}

AsyncCall::~AsyncCall() {
  cancellation_.reset();
  const bool has_loop = connection_ != nullptr && !connection_->is_loop_gone();
  if (has_loop && cancelling_.load() == Cancelling::posted)
    loop_->core().cancel_posted(cancel_here_);
  ListHook::unlink();
  for (Resume& resume : waiting_)
    resume.awaiter = nullptr;
  if (!is_over()) finish(Status(StatusCode::cancelled, "the call was dropped"));
}

void AsyncCall::submit() {
  ChannelCore& channel = methods_->channel();
  connection_ = channel.on_loop(*loop_);
  connection_->submit(*this, channel);
}

void AsyncCall::open_on(ClientConnection& connection) {
  ClientCall::open(connection, &loop_->core(), /*end_stream=*/false);
  if (request_.is_kept() && is_open()) request_.send(messages());
}

ClientCall::Again AsyncCall::begin_again() {
  if (was_repeated_) return Again::no;
  if (has_written_) return Again::requests_are_gone;
  was_repeated_ = true;
  connection_->repeat(*this);
  return Again::yes;
}

void AsyncCall::expect_reply(google::protobuf::MessageLite& reply) noexcept {
  expects_reply_ = true;
  messages().expect_one();
  if (!is_over()) messages().set_blocking_reader(&reply);
}

Status AsyncCall::take_status() {
  if (!status().ok() || !expects_reply_) return status();
  if (!messages().take_blocking_read()) {
    return Status(StatusCode::unimplemented, "the server sent no reply message");
  }
  if (messages().has_unread()) {
    return Status(StatusCode::unimplemented, "the server sent more than one reply message");
  }
  return Status();
}

void AsyncCall::on_deadline(void* self) noexcept {
  static_cast<AsyncCall*>(self)->finish(
      Status(StatusCode::deadline_exceeded, "the deadline passed"));
}

void AsyncCall::cancel() noexcept {
  if (loop_ == nullptr) return;
  if (EventLoop::current() == loop_) return cancel_here();
  Cancelling before = Cancelling::no;
  if (!cancelling_.compare_exchange_strong(before, Cancelling::posting)) return;
  loop_->core().post(cancel_here_);
  cancelling_.store(Cancelling::posted);
  cancelling_.notify_all();
}

/// From now on cancel() does not touch the loop, which may go before the call does.
void AsyncCall::end_cancelling() noexcept {
  Cancelling before = Cancelling::no;
  if (cancelling_.compare_exchange_strong(before, Cancelling::over)) return;
  cancelling_.wait(Cancelling::posting);
}

void AsyncCall::cancel_here() {
  finish(Status(StatusCode::cancelled, "the call was cancelled"));
}

// ---- who waits ----------------------------------------------------------------------------------

void AsyncCall::wait(CallAwaiter& awaiter,
                     CallAwaiter::Until until,
                     std::coroutine_handle<> waiting) {
  Resume& resume = waiting_[static_cast<std::size_t>(until)];
  CHECK(resume.awaiter == nullptr && "one coroutine at a time");
  resume.awaiter = &awaiter;
  resume.coroutine = Suspended(waiting);
}

void AsyncCall::leave(CallAwaiter& awaiter, CallAwaiter::Until until) noexcept {
  Resume& resume = waiting_[static_cast<std::size_t>(until)];
  if (resume.awaiter == &awaiter) resume.awaiter = nullptr;
  resume.unlink();
}

void AsyncCall::on_change() {
  request_.drop();  // it has begun, or never will
  if (is_over()) {
    end_cancelling();
    ListHook::unlink();
    if (timer_) timer_->clear();
    if (connection_ != nullptr) connection_->on_call_over();
  }
  for (std::size_t i = 0; i < 2; ++i) {
    if (waiting_[i].awaiter == nullptr || !is_ready(static_cast<CallAwaiter::Until>(i))) continue;
    waiting_[i].awaiter = nullptr;
    loop_->core().schedule(waiting_[i]);
  }
}

// ---- the public face ----------------------------------------------------------------------------

void AsyncCallDeleter::operator()(AsyncCall* call) const noexcept {
  delete call;
}

bool CallAwaiter::await_ready() const noexcept {
  return call_->is_ready(until_);
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
  return call().headers();
}
Status StatusAwaiter::await_resume() {
  settle();
  return call().status();
}

Status status_of(AsyncCall& call) {
  return call.take_status();
}

const Status& AsyncCallBase::status() const {
  CHECK(call_->is_over());
  return call_->status();
}
const Metadata& AsyncCallBase::trailers() const {
  return call_->trailers();
}
bool AsyncCallBase::is_done() const noexcept {
  return call_->is_over();
}
void AsyncCallBase::cancel() noexcept {
  call_->cancel();
}
MessageStream& AsyncCallBase::stream() const noexcept {
  return call_->messages();
}
void AsyncCallBase::expect_reply(google::protobuf::MessageLite& reply) noexcept {
  call_->expect_reply(reply);
}
bool AsyncCallBase::half_close() noexcept {
  return call_->half_close();
}
Status AsyncCallBase::take_status() {
  return call_->take_status();
}

}  // namespace nearcall::detail
