// SPDX-License-Identifier: Apache-2.0
// A transport that forgets why it was aborted: the contract has to notice.
#include "transport/inproc_pipe.hpp"

#include <nearcall/testing/transport_contract.hpp>

#include <gtest/gtest.h>

namespace {

class VagueTransport final : public nearcall::ForwardingTransport {
 public:
  using ForwardingTransport::ForwardingTransport;
  void abort(std::error_code /*reason*/) noexcept override {
    ForwardingTransport::abort(std::make_error_code(std::errc::io_error));
  }
};

nearcall::testing::TransportPair vague_pipe() {
  auto pipe = nearcall::detail::make_inproc_pipe();
  if (!pipe) return {};
  return {std::make_unique<VagueTransport>(std::move(pipe->first)), std::move(pipe->second)};
}

[[maybe_unused]] const int added =
    nearcall::testing::add_transport_contract({.name = "Vague", .make = vague_pipe});

}  // namespace
