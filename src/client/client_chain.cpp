// SPDX-License-Identifier: Apache-2.0
// A call's way through the interceptors of its channel, and back.
#include "client/client_chain.hpp"

#include "base/log.hpp"
#include "client/backend.hpp"
#include "grpc/message_prefix.hpp"

#include <nearcall/event_loop.hpp>

#include <algorithm>
#include <cstring>

namespace nearcall::inline v0 {
namespace detail {
namespace {

/// As it comes from a server.
std::vector<std::byte> framed(const std::string& message) {
  std::vector<std::byte> bytes(grpc::message_prefix_size + message.size());
  grpc::write_prefix(bytes.data(), grpc::uncompressed_flag,
                     static_cast<std::uint32_t>(message.size()));
  std::memcpy(bytes.data() + grpc::message_prefix_size, message.data(), message.size());
  return bytes;
}

/// Nobody runs it: whose tasks are away from a thread that only waits.
LoopCore& idle_loop() {
  static EventLoop& idle = *new EventLoop(SpinPolicy::off());
  return Access::core(idle);
}

bool parse(const std::string& message, google::protobuf::MessageLite& into) {
  return into.ParseFromArray(message.data(), static_cast<int>(message.size()));
}

}  // namespace

ClientChain::ClientChain(Owner& owner,
                         Call& call,
                         Backend& backend,
                         const google::protobuf::MessageLite* request,
                         LoopCore* loop)
    : InterceptorChain(Incoming::replies, backend.options().interceptors(), home_),
      owner_(&owner),
      call_(&call),
      loop_(loop),
      backend_(backend.shared_from_this()),
      home_(loop != nullptr ? *loop : idle_loop()),
      request_(request) {
  if (loop == nullptr) thread_ = std::this_thread::get_id();
}

ClientChain::~ClientChain() {
  destroy_interceptors(loop_ != nullptr ? *loop_ : idle_loop());
}

ClientChain::Extras& ClientChain::extras() {
  if (extras_ == nullptr) extras_ = std::make_unique<Extras>();
  return *extras_;
}

void ClientChain::start() {
  if (loop_ != nullptr) loop_->adopt(*this);
  InterceptorChain::start();
  if (is_done() || has_begun_) return;
  if (request_ == nullptr) return;
  request_copy_ = copy_of(*request_);
  request_ = request_copy_.get();
}

/// The loop goes, on which they wait.
void ClientChain::destroy() noexcept {
  ListHook::unlink();
  const bool was_done = is_done();
  destroy_interceptors(*loop_);
  if (was_done) return;
  at_ = At::outside;
  finish(Status::cancelled("the call's EventLoop is destroyed"));
}

bool ClientChain::is_on_its_thread() const noexcept {
  return loop_ != nullptr ? loop_->is_in_this_thread() : std::this_thread::get_id() == thread_;
}

bool ClientChain::has_one_reply() const noexcept {
  const MethodKind kind = call_->method().method.kind;
  return kind == MethodKind::unary || kind == MethodKind::client_streaming;
}

// ---- the call -----------------------------------------------------------------------------------

bool ClientChain::begin(std::coroutine_handle<> waiting) {
  if (!is_on_its_thread()) return fail_elsewhere();
  if (has_answered()) {
    end_ = note_misuse("called proceed() after reply()");
    return false;
  }
  if (is_done()) {  // without it
    end_ = status_;
    return false;
  }
  has_begun_ = true;
  open();
  if (request_ != nullptr && has_outgoing()) {
    if (request_copy_ == nullptr) request_copy_ = copy_of(*request_);
    request_ = request_copy_.get();
    if (end_ = pass_outgoing(*request_copy_); !end_.ok()) return false;
  }
  at_ = At::proceeding;
  waiting_ = waiting;
  if (owner_->begin_call(request_)) {
    if (loop_ != nullptr) call_->messages().out().on_tap_open();
    return true;
  }
  at_ = At::outside;
  end_ = end_of_call();
  return false;
}

bool ClientChain::fail_elsewhere() {
  if (loop_ != nullptr) {
    fail_precondition(
        "proceed(): an interceptor is on another thread than its call's loop: resume_on(loop) "
        "first");
  }
  // The call does not wait for it.
  end_ = Status::failed_precondition("an interceptor of a blocking call has left its thread");
  return false;
}

void ClientChain::leave() noexcept {
  go_on_.unlink();
  InterceptorChain::leave();
}

/// As proceed() gives it.
Status ClientChain::end_of_call() {
  if (has_refused()) return refusal();
  Status status = reply_ != nullptr ? call_->reply_status() : call_->status();
  if (reply_ != nullptr && has_incoming() && status.ok()) status = pass_incoming(*reply_);
  has_reply_ = status.ok();
  return status;
}

void ClientChain::on_call_over() {
  if (is_done()) return;
  if (at_ == At::outside) {
    if (is_forced_ || !has_begun_) finish(call_->status());
    return;
  }
  if (is_forced_ || has_one_reply() || has_read_all_ || !call_->messages().in().has_unread()) {
    if (!go_on_.is_linked()) loop_->schedule(go_on_);
  }
}

void ClientChain::on_read_end() {
  has_read_all_ = true;
  if (loop_ != nullptr && call_->is_over()) on_call_over();
}

void ClientChain::go_on() {
  if (at_ != At::proceeding) return;
  at_ = At::outside;
  end_ = end_of_call();
  if (loop_ == nullptr) thread_ = std::this_thread::get_id();
  Status forced;
  if (is_forced_) [[unlikely]]
    forced = end_;
  is_going_on_ = true;
  InterceptorChain::resume_waiting();
  is_going_on_ = false;
  if (!is_done() && is_forced_) finish(std::move(forced));
  if (is_done()) owner_->resume_waiting();
}

// ---- the end ------------------------------------------------------------------------------------

void ClientChain::finish(Status status) {
  if (is_done()) return;
  note_done();
  deliver_own(status);
  status_ = std::move(status);
  owner_->on_chain_done();
}

/// Those of a stream are read as a server's are; the call's thread reads them from take_own().
void ClientChain::deliver_own(Status& status) {
  if (!has_answered() || !status.ok()) return;
  if (has_one_reply()) {
    if (reply_ != nullptr && !take_own(*reply_)) {
      status =
          Status::internal("an interceptor's reply cannot be parsed as " + reply_->GetTypeName());
    }
    return;
  }
  if (loop_ == nullptr) return;
  MessageInbox& in = call_->messages().in();
  for (; has_own(); ++extras_->next_own) {
    const std::vector<std::byte> bytes = framed(extras_->own[extras_->next_own]);
    in.arrive(bytes, /*end_stream=*/false);
    in.keep_rest();
  }
}

bool ClientChain::take_own(google::protobuf::MessageLite& into) {
  return has_own() && parse(extras_->own[extras_->next_own++], into);
}

void ClientChain::set_reply_place(google::protobuf::MessageLite& reply) {
  reply_ = &reply;
  if (is_done() && status_.ok()) deliver_own(status_);
}

Status ClientChain::take_reply_status() {
  if (std::exchange(has_given_reply_, true)) fail_awaited_twice();
  return status();
}

Status ClientChain::note_misuse(const char* what) {
  Status status =
      Status::internal(std::string(call_->method().method.path) + ": an interceptor " + what)
          .with_reason(StatusReason::misuse);
  if (misuse_.ok()) {
    log(LogLevel::error, status.message());
    misuse_ = status;
  }
  return status;
}

// ---- what interceptors say ----------------------------------------------------------------------

void ClientChain::set_deadline(TimePoint when) {
  if (has_begun_) {
    static_cast<void>(note_misuse("called set_deadline() after proceed()"));
    return;
  }
  call_->set_deadline(when);
  owner_->on_deadline_change();
}

void ClientChain::reply(const google::protobuf::MessageLite& message, std::size_t depth) {
  const bool may = has_one_reply() ? !has_reply() : !has_begun_;
  if (is_done()) return;
  if (!may || at_ == At::proceeding) {
    static_cast<void>(note_misuse("answered a call twice: reply()"));
    return;
  }
  drop_hooks_inside(depth);
  const std::unique_ptr<google::protobuf::MessageLite> copy = copy_of(message);
  if (pass_incoming(*copy).ok()) extras().own.push_back(copy->SerializeAsString());
}

void ClientChain::on_attempt(std::size_t number) noexcept {
  if (is_done()) return;
  try {
    for (UniqueFunction<void(std::size_t)>& hook : extras_->attempt_hooks)
      hook(number);
  } catch (...) {
    static_cast<void>(status_of_thrown("client"));
  }
}

}  // namespace detail

// ---- the public face ----------------------------------------------------------------------------

using detail::ClientChain;

std::string_view OutgoingCall::method() const noexcept {
  return ClientChain::of(*chain_).call().method().method.path;
}
MethodKind OutgoingCall::kind() const noexcept {
  return ClientChain::of(*chain_).call().method().method.kind;
}
Metadata& OutgoingCall::metadata() noexcept {
  return ClientChain::of(*chain_).call().request_metadata();
}
std::chrono::steady_clock::time_point OutgoingCall::deadline() const noexcept {
  return ClientChain::of(*chain_).call().deadline();
}
void OutgoingCall::set_deadline(std::chrono::steady_clock::time_point when) {
  ClientChain::of(*chain_).set_deadline(when);
}
void OutgoingCall::on_request(MessageHook hook) {
  ClientChain::of(*chain_).add_outgoing(depth_, std::move(hook));
}
void OutgoingCall::on_reply(MessageHook hook) {
  ClientChain::of(*chain_).add_incoming(depth_, std::move(hook));
}
void OutgoingCall::on_attempt(UniqueFunction<void(std::size_t number)> hook) {
  ClientChain::of(*chain_).add_attempt_hook(std::move(hook));
}
void OutgoingCall::reply(const google::protobuf::MessageLite& message) {
  ClientChain::of(*chain_).reply(message, depth_);
}
const Metadata& OutgoingCall::headers() const noexcept {
  return ClientChain::of(*chain_).call().headers();
}
const Metadata& OutgoingCall::trailers() const noexcept {
  return ClientChain::of(*chain_).call().trailers();
}

}  // namespace nearcall::inline v0
