// SPDX-License-Identifier: Apache-2.0
// The loop of a handshake.
#include "transport/handshake.hpp"

#include "async/loop_core.hpp"
#include "transport/system_error.hpp"

#include <nearcall/wait.hpp>

#include <poll.h>

#include <string>

namespace nearcall::inline v0::detail {
namespace {

Task<void> wait_as(WaitAdvice advice, ConnectContext context) {
  const auto deadline = context.deadline();
  if ((advice.events() & POLLIN) != 0) {
    co_await wait_readable(advice.fd(), deadline, context.cancellation());
  } else {
    co_await wait_writable(advice.fd(), deadline, context.cancellation());
  }
}

}  // namespace

Task<Result<void>> finish_handshake(Transport& transport, ConnectContext context) {
  for (;;) {
    const Result<Handshake, std::error_code> moved = transport.handshake();
    if (!moved) {
      const std::string reason = error_text(moved.error());
      co_return Failure{Status::unavailable(context.target() + ": handshake: " + reason)};
    }
    if (*moved == Handshake::done) co_return Result<void>();
    if (context.cancellation().stop_requested()) {
      co_return Failure{Status::cancelled(context.target() + ": handshake: cancelled")};
    }
    if (current_time() >= context.deadline()) {
      co_return Failure{Status::unavailable(context.target() + ": handshake: took too long")};
    }
    const WaitAdvice advice = transport.prepare_wait(Interest::read);
    if (!advice.is_ready()) co_await wait_as(advice, context);
  }
}

}  // namespace nearcall::inline v0::detail
