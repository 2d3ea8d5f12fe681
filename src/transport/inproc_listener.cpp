// SPDX-License-Identifier: Apache-2.0
// The life of a name within the process.
#include "transport/inproc_listener.hpp"

#include "base/check.hpp"
#include "transport/acceptor.hpp"
#include "transport/listen_access.hpp"

#include <poll.h>

#include <algorithm>
#include <utility>

namespace nearcall::inline v0::detail {

InprocListener::InprocListener(const Endpoint& endpoint, int backlog)
    : name_(endpoint.name()), backlog_(backlog) {
  CHECK(endpoint.kind() == Endpoint::Kind::inproc, name_);
}

Result<void> InprocListener::bind() {
  if (port_) fail_listener_order();
  Result<std::shared_ptr<InprocPort>> port =
      InprocPort::open(name_, static_cast<std::size_t>(std::max(backlog_, 0)));
  if (!port) return Failure{std::move(port).error()};
  port_ = *std::move(port);
  return {};
}

Result<std::unique_ptr<Transport>> InprocListener::try_accept() {
  if (!port_ || !made_in_.is_in_maker()) return std::unique_ptr<Transport>();
  return port_->take();
}

WaitAdvice InprocListener::prepare_wait() {
  if (!port_ || is_unbound_) fail_listener_order();
  return WaitAdvice::poll(port_->fd(), POLLIN);
}

Result<void> InprocListener::check_policy(const PeerPolicy& policy) const {
  return check_own_peers(address(), policy);
}

void InprocListener::unbind() noexcept {
  is_unbound_ = true;
  if (port_) port_->close();
}

}  // namespace nearcall::inline v0::detail
