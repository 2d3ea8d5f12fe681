// SPDX-License-Identifier: Apache-2.0
// A loop's connections of a backend: made, replaced, closed.
#include "client/loop_backend.hpp"

#include "client/transient_failure.hpp"

#include <utility>

namespace nearcall::inline v0::detail {

LoopBackend::LoopBackend(Backend& backend, LoopCore& loop)
    : backend_(backend.shared_from_this()), core_(&loop) {
}

LoopBackend& LoopBackend::make(Backend& backend, LoopCore& loop) {
  auto* const made = new LoopBackend(backend, loop);
  loop.adopt(*made);
  loop.slot(backend.slot()) = made;
  backend.add(made->place_);
  made->is_draining_ = backend.is_drained();  // before, or its place is told
  return *made;
}

/// With its loop, everything that is on it has to leave.
LoopBackend::~LoopBackend() {
  is_going_ = true;
  look_wait_.reset();
  backend_->remove(place_);
  core_->cancel_posted(place_);
  core_->slot(backend_->slot()) = nullptr;
  const Status gone(StatusCode::cancelled, "the EventLoop of the call went");
  if (current_ != nullptr) current_->close(gone);
  for (const std::unique_ptr<LoopConnection>& connection : closing_)
    connection->close(gone);
  for (IntrusiveList<WaitingCall>* const waiting :
       {&repeated_, &rerouted_, &looking_, &awaiting_, &held_}) {
    while (WaitingCall* const call = waiting->pop_front())
      call->on_failed(gone);
  }
}

void LoopBackend::begin(WaitingCall& call) {
  ++calls_;
  submit(call);
}

void LoopBackend::submit(WaitingCall& call) {
  if (current_ == nullptr || current_->is_closing()) {
    if (backend_->group() != nullptr) return begin_pass(call);
    if (current_ != nullptr) closing_.push_back(std::move(current_));
    current_ = std::make_unique<LoopConnection>(*backend_, *core_, *this);
  }
  current_->submit(call);
}

void LoopBackend::repeat(WaitingCall& call) {
  call.unlink();
  repeated_.push_back(call);
  ask_to_go_on();
}

// ---- waiting for the server ---------------------------------------------------------------------

void LoopBackend::begin_when_ready(WaitingCall& call) {
  const bool has_one =
      current_ != nullptr && (current_->is_connected() || current_->is_connecting());
  if (has_one || (awaiting_.empty() && backend_->next_attempt() <= core_->clock().now())) {
    return begin(call);
  }
  ++calls_;
  wait(call);
}

void LoopBackend::wait(WaitingCall& call) {
  const bool is_first = awaiting_.empty();
  awaiting_.push_back(call);
  if (is_first) server_wait_.begin();
}

void LoopBackend::on_attempt_due(void* self) noexcept {
  auto& here = *static_cast<LoopBackend*>(self);
  if (!here.awaiting_.empty() && !here.probe_.is_linked()) here.submit(here.probe_);
}

/// Nothing of a connection may be on the stack where they are opened.
void LoopBackend::on_server_reached() {
  while (WaitingCall* const call = awaiting_.pop_front())
    repeated_.push_back(*call);
  ask_to_go_on();
}

void LoopBackend::on_probe_failed(const Status& why) {
  if (awaiting_.empty()) return;
  if (may_pass(why)) return server_wait_.begin();
  IntrusiveList<WaitingCall> failed;
  while (WaitingCall* const call = awaiting_.pop_front())
    failed.push_back(*call);
  while (WaitingCall* const call = failed.pop_front())
    call->on_failed(why);
}

void LoopBackend::stop_waiting_if_nobody_does() noexcept {
  if (!awaiting_.empty()) return;
  server_wait_.end();
  probe_.leave();
}

void LoopBackend::on_call_over() {
  --calls_;
  const bool is_last = calls_ == 0 && is_draining_;
  if (is_last || !closing_.empty() || current_ == nullptr || !current_->is_connected()) {
    ask_to_go_on();
  }
}

void LoopBackend::ask_to_go_on() {
  if (!go_on_.is_linked()) core_->schedule(go_on_);
}

void LoopBackend::go_on() {
  stop_waiting_if_nobody_does();
  if (look_wait_ != nullptr) end_looking();
  IntrusiveList<WaitingCall> rerouted;
  while (WaitingCall* const call = rerouted_.pop_front())
    rerouted.push_back(*call);
  while (WaitingCall* const call = rerouted.pop_front())
    route(*call);
  while (WaitingCall* const call = repeated_.pop_front())
    submit_again(*call);
  if (current_ != nullptr) current_->go_on();
  close_unused();
  if (is_draining_ && calls_ == 0) delete this;
}

void LoopBackend::close_unused() {
  std::erase_if(closing_, [](const auto& connection) { return connection->is_unused(); });
  if (current_ != nullptr && current_->is_closing() && current_->is_unused()) current_.reset();
}

void LoopBackend::carry_out(unsigned requests) {
  if (current_ != nullptr && current_->is_unused()) current_.reset();
  if ((requests & static_cast<unsigned>(LoopPlace::Request::drain)) != 0) is_draining_ = true;
  if (is_draining_ && calls_ == 0) delete this;
}

}  // namespace nearcall::inline v0::detail
