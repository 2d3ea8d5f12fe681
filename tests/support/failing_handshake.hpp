// SPDX-License-Identifier: Apache-2.0
// FailingHandshake: a transport that gets no further than its handshake.
#pragma once

#include <nearcall/transport.hpp>

namespace nearcall::test {

/// Fails in its third step, and waits before until it could write.
class FailingHandshake final : public ForwardingTransport {
 public:
  using ForwardingTransport::ForwardingTransport;

  Result<Handshake, std::error_code> handshake() override {
    if (++steps_ < 3) return Handshake::pending;
    return Failure{std::make_error_code(std::errc::protocol_error)};
  }
  WaitAdvice prepare_wait(Interest /*interest*/) override {
    return inner().prepare_wait(Interest::write);
  }

 private:
  int steps_ = 0;
};

}  // namespace nearcall::test
