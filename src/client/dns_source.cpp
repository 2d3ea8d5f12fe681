// SPDX-License-Identifier: Apache-2.0
// When a host's name is looked up, and how long an answer lasts.
#include "client/dns_source.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

using namespace std::chrono_literals;

/// gRPC's minimum between two resolutions that went well.
constexpr Duration least_between = 30s;

// Of its connection-backoff.md, which counts for failures.
constexpr Duration first_pause = 1s;
constexpr Duration longest_pause = 120s;

}  // namespace

DnsSource::DnsSource(std::string host,
                     unsigned port,
                     HostResolver resolver,
                     std::function<void()> on_answer)
    : host_(std::move(host)),
      port_(port),
      resolver_(std::move(resolver)),
      on_answer_(std::move(on_answer)) {
}

bool DnsSource::look(TimePoint now) {
  if (look_up_ != nullptr && look_up_->is_lost()) look_up_.reset();
  if (look_up_ != nullptr) return take_answer(now);
  if (!is_wanted_ || now < next_) return false;
  Result<std::shared_ptr<LookUp>> begun = LookUp::begin(resolver_, host_, port_, on_answer_);
  if (begun) {
    look_up_ = *std::move(begun);
  } else {
    fail(std::move(begun).error(), now);
  }
  return true;
}

bool DnsSource::take_answer(TimePoint now) {
  auto answer = look_up_->take_answer();
  if (!answer) return false;
  look_up_.reset();
  if (!*answer) {
    fail(std::move(*answer).error(), now);
    return true;
  }
  targets_ = **std::move(answer);
  failure_ = Status();
  is_wanted_ = targets_.empty();
  pause_ = {};
  next_ = deadline_after(now, targets_.empty() ? first_pause : least_between);
  return true;
}

void DnsSource::fail(Status why, TimePoint now) {
  failure_ = std::move(why);
  pause_ = std::clamp(pause_ * 8 / 5, first_pause, longest_pause);
  next_ = deadline_after(now, pause_);
}

}  // namespace nearcall::inline v0::detail
