// SPDX-License-Identifier: Apache-2.0
// Transports that break the contract, each in one way: it has to notice, and to come to an end.
#include "transport/inproc_pipe.hpp"

#include <nearcall/testing/transport_contract.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <system_error>

namespace {

using nearcall::ForwardingTransport;
using nearcall::IoResult;

/// Forgets why it was aborted.
class VagueTransport final : public ForwardingTransport {
 public:
  using ForwardingTransport::ForwardingTransport;
  void abort(std::error_code /*reason*/) noexcept override {
    ForwardingTransport::abort(std::make_error_code(std::errc::io_error));
  }
};

/// Takes whatever is written, and drops what there is no room for.
class BottomlessTransport final : public ForwardingTransport {
 public:
  using ForwardingTransport::ForwardingTransport;
  IoResult try_write(std::span<const iovec> from) override {
    const IoResult result = ForwardingTransport::try_write(from);
    const bool is_full = result.kind() == IoResult::Kind::would_block;
    return is_full ? IoResult::bytes(from.front().iov_len) : result;
  }
};

/// Says that there is room, and has none.
class RestlessTransport final : public ForwardingTransport {
 public:
  using ForwardingTransport::ForwardingTransport;
  nearcall::WaitAdvice prepare_wait(nearcall::Interest interest) override {
    const bool is_write = interest == nearcall::Interest::write;
    return is_write ? nearcall::WaitAdvice::ready_now()
                    : ForwardingTransport::prepare_wait(interest);
  }
};

/// Never comes to the end of its handshake.
class PendingTransport final : public ForwardingTransport {
 public:
  using ForwardingTransport::ForwardingTransport;
  nearcall::Result<nearcall::Handshake, std::error_code> handshake() override {
    return nearcall::Handshake::pending;
  }
};

template <class Broken>
nearcall::testing::TransportPair broken_pipe() {
  auto pipe = nearcall::detail::make_inproc_pipe();
  if (!pipe) return {};
  return {std::make_unique<Broken>(std::move(pipe->first)), std::move(pipe->second)};
}

template <class Broken>
int add(const char* name) {
  return nearcall::testing::add_transport_contract(
      {.name = name, .make = broken_pipe<Broken>, .patience = std::chrono::milliseconds(50)});
}

[[maybe_unused]] const int added =
    add<VagueTransport>("Vague") + add<BottomlessTransport>("Bottomless") +
    add<RestlessTransport>("Restless") + add<PendingTransport>("Pending");

}  // namespace
