// SPDX-License-Identifier: Apache-2.0
// Calls that enter, wait and leave.
#include "server/call_limit.hpp"

#include <algorithm>
#include <utility>

namespace nearcall::inline v0::detail {

CallLimit::CallLimit(std::string whose, std::size_t most, std::size_t most_queued)
    : whose_(std::move(whose)), most_(std::max<std::size_t>(most, 1)), most_queued_(most_queued) {
}

CallLimit::Entry CallLimit::enter(CallTicket& ticket) {
  const std::lock_guard lock(mutex_);
  if (count_ < most_) {
    ++count_;
    return Entry::entered;
  }
  if (queued_ == most_queued_) return Entry::full;
  ++queued_;
  waiting_.push_back(ticket);
  return Entry::queued;
}

/// What was released is the next one's, without a moment in which a newcomer could take it.
void CallLimit::release() noexcept {
  const std::lock_guard lock(mutex_);
  CallTicket* const next = waiting_.pop_front();
  if (next == nullptr) {
    --count_;
    return;
  }
  --queued_;
  next->tell();
}

/// Where it has been let in meanwhile, and does not know yet, it gives that back.
void CallLimit::leave(CallTicket& ticket) noexcept {
  {
    const std::lock_guard lock(mutex_);
    if (ticket.is_linked()) {
      ticket.unlink();
      --queued_;
      return;
    }
  }
  release();
}

Status CallLimit::refusal() const {
  std::string why = whose_ + " has " + std::to_string(most_) + " calls under way";
  if (most_queued_ > 0) why += ", and " + std::to_string(most_queued_) + " others wait";
  return Status::resource_exhausted(why + " (ServerOptions::max_concurrent_calls)")
      .with_reason(StatusReason::limit);
}

CallTicket::State CallTicket::enter() {
  for (; entered_ < limits_.size(); ++entered_) {
    CallLimit* const limit = limits_[entered_];
    if (limit == nullptr) continue;
    const CallLimit::Entry entry = limit->enter(*this);
    if (entry == CallLimit::Entry::entered) continue;
    if (entry == CallLimit::Entry::queued) return state_ = State::waits;
    refusal_ = limit->refusal();
    leave();
    return state_;
  }
  return state_ = State::admitted;
}

void CallTicket::on_turn() noexcept {
  ++entered_;
  state_ = State::refused;  // it waits no more
  const State now = enter();
  if (now == State::admitted) return owner_->on_admitted();
  if (now == State::refused) owner_->on_refused(refusal_);
}

void CallTicket::leave() noexcept {
  if (std::exchange(state_, State::refused) == State::waits) {
    // From then on nobody posts it, and what was posted is taken back.
    limits_[entered_]->leave(*this);
    static_cast<void>(loop_->cancel_posted(turn_));
  }
  while (entered_ > 0) {
    --entered_;
    if (limits_[entered_] != nullptr) limits_[entered_]->release();
  }
}

std::unique_ptr<CallLimits> CallLimits::make(const ServerOptions& options) {
  if (options.call_bounds().empty()) return nullptr;
  auto limits = std::make_unique<CallLimits>();
  for (const ServerOptions::CallBound& each : options.call_bounds()) {
    auto limit = std::make_unique<CallLimit>(each.method.empty() ? "the server" : each.method,
                                             each.most, each.most_queued);
    if (each.method.empty()) {
      limits->of_server_ = std::move(limit);
    } else {
      limits->of_methods_[each.method] = std::move(limit);
    }
  }
  return limits;
}

CallLimit* CallLimits::of_method(std::string_view path) const {
  const auto found = of_methods_.find(std::string(path));
  return found == of_methods_.end() ? nullptr : found->second.get();
}

}  // namespace nearcall::inline v0::detail
