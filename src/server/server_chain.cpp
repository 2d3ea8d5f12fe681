// SPDX-License-Identifier: Apache-2.0
// A call's way through the interceptors of its server, and back.
#include "server/server_chain.hpp"

#include "base/log.hpp"

#include <memory>
#include <string>

namespace nearcall::inline v0 {
namespace detail {

/// The handler may return in here, and who waits go on.
bool ServerChain::begin(std::coroutine_handle<> waiting) {
  if (!is_on_its_thread()) {
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
  waiting_ = waiting;
  owner_->proceed();
  return true;
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
  ServerChain::of(*chain_).add_incoming(depth_, std::move(hook));
}
void IncomingCall::on_reply(MessageHook hook) {
  ServerChain::of(*chain_).add_outgoing(depth_, std::move(hook));
}
void IncomingCall::reply(const google::protobuf::MessageLite& message) {
  ServerChain::of(*chain_).reply(message, depth_);
}

}  // namespace nearcall::inline v0
