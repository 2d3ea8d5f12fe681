// SPDX-License-Identifier: Apache-2.0
// A call's way through the interceptors of its server, and back.
#include "server/server_chain.hpp"

#include "base/log.hpp"

#include <stdexcept>
#include <string>

namespace nearcall::inline v0 {
namespace detail {

/// Interceptors that wait may look at the call once more while they go.
ServerChain::~ServerChain() {
  at_ = At::done;
  close();
  if (has_ended_elsewhere_) owner_->loop_core().cancel_posted(end_on_loop_);
  task_ = Task<Status>();
}

void ServerChain::start() {
  try {
    task_ = intercept(0, outermost_);
  } catch (...) {  // an interceptor that is no coroutine
    return complete(status_of_thrown("server"));
  }
  detail::start(task_, &ServerChain::on_done, this, &call_->home());
}

Task<Status> ServerChain::intercept(std::size_t depth, IncomingCall& call) {
  if (depth == interceptors_->size()) return Task<Status>();
  note_interceptor();
  Task<Status> task = (*interceptors_)[depth]->intercept(call);
  if (!task) throw std::logic_error("intercept() gave no task");
  return task;
}

bool ServerChain::has_one_reply() const noexcept {
  const MethodKind kind = owner_->kind();
  return kind == MethodKind::unary || kind == MethodKind::client_streaming;
}

// ---- the handler --------------------------------------------------------------------------------

/// The handler may return in here.
bool ServerChain::begin(std::coroutine_handle<> waiting) {
  if (!owner_->loop_core().is_in_this_thread()) {
    fail_precondition(
        "proceed(): an interceptor is on another thread than its call's loop: resume_on(loop) "
        "first");
  }
  if (has_reply_) {
    end_ = note_misuse("called proceed() after reply()");
    return false;
  }
  has_begun_ = true;
  open();
  at_ = At::proceeding;
  owner_->proceed();
  if (at_ != At::proceeding) return false;
  waiting_ = waiting;
  return true;
}

void ServerChain::leave() noexcept {
  waiting_ = {};
  if (at_ == At::proceeding) at_ = At::outside;
}

void ServerChain::note_end(const Status& how, bool has_reply) {
  if (std::exchange(has_end_, true)) return;
  end_ = how;
  has_reply_ = has_reply;
}

void ServerChain::go_on() {
  if (at_ != At::proceeding) return;
  at_ = At::outside;
  if (waiting_) std::exchange(waiting_, {}).resume();
}

// ---- the end ------------------------------------------------------------------------------------

void ServerChain::on_done(void* argument) noexcept {
  auto& self = *static_cast<ServerChain*>(argument);
  if (self.call_->home().is_here()) return self.end();
  self.has_ended_elsewhere_ = true;
  self.call_->home().post_back(self.end_on_loop_);
}

void ServerChain::end() {
  try {
    complete(take_result(task_));
  } catch (...) {
    complete(status_of_thrown("server"));
  }
}

void ServerChain::complete(Status status) {
  if (is_done()) return;
  if (!misuse_.ok()) {
    status = misuse_;
  } else if (status.ok() && !refusal().ok()) {
    status = refusal();
  } else if (status.ok() && has_one_reply() && !has_reply_) {
    status = note_misuse("ended a call with OK and without a reply");
  }
  at_ = At::done;
  close();
  owner_->on_chain_done(status);
}

Status ServerChain::note_misuse(const char* what) {
  Status status = Status::internal(std::string("an interceptor ") + what);
  if (misuse_.ok() && !owner_->is_answered()) {
    log(LogLevel::error, context().method(), ": ", status.message());
    misuse_ = status;
  }
  return status;
}

void ServerChain::reply(const google::protobuf::MessageLite& message, std::size_t depth) {
  if (is_done()) return;
  const bool may = has_one_reply() ? !has_reply_ && at_ == At::outside : !has_begun_;
  if (!may) {
    static_cast<void>(note_misuse("answered a call twice: reply()"));
    return;
  }
  drop_hooks_inside(depth);
  const std::unique_ptr<google::protobuf::MessageLite> copy = copy_of(message);
  if (!pass_outgoing(*copy).ok()) return;
  has_reply_ = true;
  owner_->write_reply(*copy);
}

}  // namespace detail

// ---- the public face ----------------------------------------------------------------------------

using detail::ServerChain;

std::string_view IncomingCall::method() const noexcept {
  return ServerChain::of(*chain_).context().method();
}
MethodKind IncomingCall::kind() const noexcept {
  return ServerChain::of(*chain_).owner().kind();
}
ServerContext& IncomingCall::context() noexcept {
  return ServerChain::of(*chain_).context();
}
Metadata& IncomingCall::metadata() noexcept {
  return ServerChain::of(*chain_).owner().request_metadata();
}
void IncomingCall::set_deadline(std::chrono::steady_clock::time_point when) {
  ServerChain::of(*chain_).owner().set_deadline(when);
}
void IncomingCall::on_request(MessageHook hook) {
  ServerChain::of(*chain_).add_incoming(std::move(hook));
}
void IncomingCall::on_reply(MessageHook hook) {
  ServerChain::of(*chain_).add_outgoing(std::move(hook));
}
void IncomingCall::reply(const google::protobuf::MessageLite& message) {
  ServerChain::of(*chain_).reply(message, depth_);
}

}  // namespace nearcall::inline v0
