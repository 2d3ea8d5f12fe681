// SPDX-License-Identifier: Apache-2.0
// Both ends of a pipe in memory, one of them for the listener.
#include "transport/inproc_connector.hpp"

#include "async/loop_core.hpp"
#include "base/check.hpp"
#include "transport/backlog_pause.hpp"
#include "transport/inproc_pipe.hpp"
#include "transport/inproc_port.hpp"
#include "transport/system_error.hpp"

#include <nearcall/wait.hpp>

#include <utility>

namespace nearcall::inline v0::detail {
namespace {

constexpr std::size_t pipe_capacity = std::size_t{64} * 1024;

/// Where it is to go; `closed` where nobody listens.
InprocPort::Offer offer_to(const std::string& name, std::unique_ptr<Transport>& end) {
  const std::shared_ptr<InprocPort> port = InprocPort::find(name);
  return port ? port->offer(end) : InprocPort::Offer::closed;
}

}  // namespace

InprocConnector::InprocConnector(const Endpoint& endpoint)
    : name_(endpoint.name()), target_(endpoint.to_string()) {
  CHECK(endpoint.kind() == Endpoint::Kind::inproc, target_);
}

Task<Result<std::unique_ptr<Transport>>> InprocConnector::connect(ConnectContext context) {
  Result<InprocPipe> pipe = make_inproc_pipe(pipe_capacity, target_);
  if (!pipe) {
    co_return Status(StatusCode::unavailable, pipe.error().message())
        .with_reason(StatusReason::system_limit);
  }
  BacklogPause pause;
  for (;;) {
    const InprocPort::Offer offer = offer_to(name_, pipe->second);
    if (offer == InprocPort::Offer::taken) co_return std::move(pipe->first);
    if (offer == InprocPort::Offer::closed) {
      co_return connect_status(target_, "connect", ECONNREFUSED);
    }
    const Duration rest = pause.next(current_time(), context.deadline());
    if (rest <= Duration::zero()) co_return backlog_full(target_);
    const bool slept = co_await sleep_for(rest, context.cancellation());
    if (!slept) co_return connect_cancelled(target_);
  }
}

}  // namespace nearcall::inline v0::detail
