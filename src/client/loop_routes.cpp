// SPDX-License-Identifier: Apache-2.0
// A loop's calls on a channel to several backends: from the front to one of them, and on.
#include "client/balancer.hpp"
#include "client/call.hpp"
#include "client/loop_backend.hpp"

#include <atomic>
#include <memory>
#include <string_view>

namespace nearcall::inline v0::detail {
namespace {

constexpr Duration next_look_at_health = std::chrono::milliseconds(5);

}  // namespace

/// Has the loop look again when it may be known who is there.
class LoopBackend::LookWait final : private StateWatcher {
 public:
  explicit LookWait(LoopBackend& here)
      : here_(&here), timer_(*here.core_, &LookWait::on_time, this) {
    here.backend_->watch(*this);
  }
  LookWait(const LookWait&) = delete;
  LookWait& operator=(const LookWait&) = delete;
  ~LookWait() {
    here_->backend_->unwatch(*this);
    here_->core_->cancel_posted(tell_);
  }

  /// Once more then, since nobody tells what health services say.
  void set_time(TimePoint when) { timer_.set(when); }

 private:
  // StateWatcher

  void on_state(ConnectivityState /*state*/) noexcept override {
    if (!is_told_.exchange(true)) here_->core_->post(tell_);
  }
  void tell() {
    is_told_ = false;
    here_->ask_to_go_on();
  }
  static void on_time(void* self) noexcept { static_cast<LookWait*>(self)->tell(); }

  LoopBackend* here_;
  Timer timer_;
  std::atomic<bool> is_told_{false};
  RunMember<&LookWait::tell> tell_{*this};
};

void LoopBackend::LookWaitDeleter::operator()(LookWait* wait) const noexcept {
  delete wait;
}

/// It may be known before there is a watch.
void LoopBackend::wait_until_known(WaitingCall& call) {
  looking_.push_back(call);
  if (look_wait_ != nullptr) return;
  look_wait_.reset(new LookWait(*this));
  ask_to_go_on();
}

void LoopBackend::end_looking() {
  if (!looking_.empty() && Balancer::of(*backend_)->is_looking()) {
    if (Balancer::of(*backend_)->asks_health()) {
      look_wait_->set_time(core_->clock().now() + next_look_at_health);
    }
    return;
  }
  look_wait_.reset();
  while (WaitingCall* const call = looking_.pop_front())
    repeated_.push_back(*call);
}

void LoopBackend::begin_pass(WaitingCall& call) {
  Balancer& balancer = *Balancer::of(*backend_);
  call.begin_pass(balancer.begin_pass());
  if (balancer.is_looking()) return wait_until_known(call);
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
  const std::shared_ptr<Backend> picked = balancer.pick(request, call.pass(), call.heeds_pauses());
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
  if (!Balancer::of(*front)->fail(*backend_, call.pass(), why)) return false;
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
