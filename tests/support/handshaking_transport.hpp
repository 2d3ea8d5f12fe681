// SPDX-License-Identifier: Apache-2.0
// HandshakingTransport: one whose handshake takes as many steps as the test says.
#pragma once

#include "support/event_fd.hpp"

#include <nearcall/transport.hpp>

#include <poll.h>

#include <memory>
#include <system_error>
#include <utility>

namespace nearcall::test {

/// What a test makes of the handshake.
struct HandshakeScript {
  /// How many steps the peer still has to take.
  int steps = 1;
  /// Whether each try is a step itself.
  bool is_ours_to_do = false;
  /// Whether there is nothing to wait for before the next try.
  bool is_ready = false;
  /// What the next step fails with, if it does.
  std::error_code error;
  /// Known from the end of the handshake on.
  PeerIdentity peer;
  /// Ready for reading, and always for writing, once the peer took a step.
  EventFd event;
  /// What a wait is for: an eventfd is always ready for POLLOUT.
  short events = POLLIN;

  void take_step() {
    --steps;
    event.raise();
  }
  void fail(std::error_code why) {
    error = why;
    event.raise();
  }
};

/// Passes everything on once the script says that its handshake is done.
class HandshakingTransport final : public ForwardingTransport {
 public:
  HandshakingTransport(std::unique_ptr<Transport> inner, HandshakeScript& script)
      : HandshakingTransport(std::move(inner), {std::shared_ptr<void>(), &script}) {}
  HandshakingTransport(std::unique_ptr<Transport> inner, std::shared_ptr<HandshakeScript> script)
      : ForwardingTransport(std::move(inner)), script_(std::move(script)) {}

  Result<Handshake, std::error_code> handshake() override {
    script_->event.lower();
    if (script_->error) return Failure{script_->error};
    if (script_->steps > 0) {
      if (script_->is_ours_to_do) --script_->steps;
      return Handshake::pending;
    }
    is_done_ = true;
    return Handshake::done;
  }
  WaitAdvice prepare_wait(Interest interest) override {
    if (is_done_) return inner().prepare_wait(interest);
    if (script_->is_ready) return WaitAdvice::ready_now();
    return WaitAdvice::poll(script_->event.get(), script_->events);
  }
  const PeerIdentity& peer() const noexcept override { return is_done_ ? script_->peer : nobody_; }

 private:
  const std::shared_ptr<HandshakeScript> script_;
  const PeerIdentity nobody_{"not known yet"};
  bool is_done_ = false;
};

}  // namespace nearcall::test
