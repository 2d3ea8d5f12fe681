// SPDX-License-Identifier: Apache-2.0
// A loop's calls on a channel to several backends: from the front to one of them, and on.
#include "client/balancer.hpp"
#include "client/call.hpp"
#include "client/loop_backend.hpp"

#include <memory>
#include <string_view>

namespace nearcall::inline v0::detail {

void LoopBackend::begin_pass(WaitingCall& call) {
  call.begin_pass(Balancer::of(*backend_)->begin_pass());
  route(call);
}

void LoopBackend::route(WaitingCall& call) {
  static const Metadata none;
  Balancer& balancer = *Balancer::of(*backend_);
  Call* const asking = call.picked_for();
  const PickRequest request =
      asking != nullptr
          ? Access::make<PickRequest>(asking->method().method.path, asking->request_metadata())
          : Access::make<PickRequest>(std::string_view(), none);
  const std::shared_ptr<Backend> picked = balancer.pick(request, call.pass());
  if (picked == nullptr) return call.on_failed(balancer.nobody());
  LoopBackend& there = of(*picked, *core_);
  move(call, there);
  there.submit(call);
}

void LoopBackend::move(WaitingCall& call, LoopBackend& there) {
  LoopBackend* const before = call.move_to(there);
  ++there.calls_;
  if (before != nullptr && --before->calls_ == 0 && before->is_draining_) before->ask_to_go_on();
}

/// Not at once: a thousand attempts may fail one inside of the other.
bool LoopBackend::try_elsewhere(WaitingCall& call, const Status& why) {
  if (is_going_ || why.code() == StatusCode::cancelled) return false;
  Membership* const membership = backend_->membership();
  const std::shared_ptr<Backend> front = membership == nullptr ? nullptr : membership->front();
  if (front == nullptr) return false;
  LoopBackend& there = of(*front, *core_);
  move(call, there);
  if (!Balancer::of(*front)->fail(*backend_, call.pass())) return false;
  there.rerouted_.push_back(call);
  there.ask_to_go_on();
  return true;
}

void LoopBackend::begin_beside(WaitingCall& call) {
  move(call, *this);
  submit_again(call);
}

void LoopBackend::submit_again(WaitingCall& call) {
  Membership* const membership = backend_->membership();
  const std::shared_ptr<Backend> front = membership == nullptr ? nullptr : membership->front();
  if (front == nullptr) return submit(call);
  LoopBackend& there = of(*front, *core_);
  move(call, there);
  there.submit(call);
}

}  // namespace nearcall::inline v0::detail
