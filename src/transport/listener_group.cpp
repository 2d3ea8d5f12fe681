// SPDX-License-Identifier: Apache-2.0
// Listeners in turn, behind one descriptor.
#include "transport/listener_group.hpp"

#include "base/check.hpp"
#include "transport/acceptor.hpp"
#include "transport/system_error.hpp"

#include <poll.h>
#include <sys/epoll.h>

#include <algorithm>
#include <utility>

namespace nearcall::inline v0::detail {

ListenerGroup::ListenerGroup(std::vector<std::unique_ptr<Listener>> members)
    : members_(std::move(members)), watched_(members_.size(), -1) {
  CHECK(!members_.empty());
}

Result<void> ListenerGroup::bind() {
  if (poller_) fail_listener_order();
  poller_ = UniqueFd(::epoll_create1(EPOLL_CLOEXEC));
  if (!poller_) return Failure{listen_status(address(), "epoll_create1", errno)};
  for (const std::unique_ptr<Listener>& member : members_) {
    if (Result<void> bound = member->bind(); !bound) return bound;
  }
  return {};
}

/// One that fails keeps nobody from the others.
Result<std::unique_ptr<Transport>> ListenerGroup::try_accept() {
  Status failure;
  for (std::size_t tried = 0; tried < members_.size(); ++tried) {
    Listener& member = *members_[next_];
    next_ = (next_ + 1) % members_.size();
    Result<std::unique_ptr<Transport>> accepted = member.try_accept();
    if (!accepted) {
      failure = accepted.error();
    } else if (*accepted != nullptr) {
      return accepted;
    }
  }
  if (!failure.ok()) return failure;
  return std::unique_ptr<Transport>();
}

WaitAdvice ListenerGroup::prepare_wait() {
  if (!poller_) fail_listener_order();
  for (std::size_t i = 0; i < members_.size(); ++i) {
    const WaitAdvice advice = members_[i]->prepare_wait();
    if (advice.is_ready()) return advice;
    if (advice.fd() == watched_[i]) continue;
    // The events of poll(2) and of epoll(7) are the same bits.
    epoll_event wanted{static_cast<std::uint16_t>(advice.events()), {}};
    // Where that fails, nothing would tell of the member: look again, and pause as its accept
    // fails.
    if (::epoll_ctl(poller_.get(), EPOLL_CTL_ADD, advice.fd(), &wanted) != 0) {
      return WaitAdvice::ready_now();
    }
    watched_[i] = advice.fd();
  }
  return WaitAdvice::poll(poller_.get(), POLLIN);
}

void ListenerGroup::unbind() noexcept {
  for (const std::unique_ptr<Listener>& member : members_)
    member->unbind();
  poller_.reset();
}

std::string ListenerGroup::address() const {
  std::string all;
  for (const std::unique_ptr<Listener>& member : members_)
    all.append(all.empty() ? "" : ", ").append(member->address());
  return all;
}

std::vector<std::string> ListenerGroup::addresses() const {
  std::vector<std::string> all;
  for (const std::unique_ptr<Listener>& member : members_)
    all.push_back(member->address());
  return all;
}

Result<void> ListenerGroup::check_policy(const PeerPolicy& policy) const {
  for (const std::unique_ptr<Listener>& member : members_) {
    if (Result<void> checked = member->check_policy(policy); !checked) return checked;
  }
  return {};
}

bool ListenerGroup::knows_credentials() const noexcept {
  return std::all_of(members_.begin(), members_.end(),
                     [](const auto& member) { return member->knows_credentials(); });
}

}  // namespace nearcall::inline v0::detail
