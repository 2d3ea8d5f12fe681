// SPDX-License-Identifier: Apache-2.0
// SpuriousTransport: the first wait after bytes were moved is over at once, and in vain.
#pragma once

#include "support/event_fd.hpp"

#include <nearcall/transport.hpp>

#include <poll.h>

#include <span>
#include <utility>

namespace nearcall::test {

/// Passes everything on, but for waits that end in vain.
class SpuriousTransport final : public ForwardingTransport {
 public:
  using ForwardingTransport::ForwardingTransport;

  IoResult try_read(std::span<std::byte> into) override {
    return reading_.after(inner().try_read(into));
  }
  IoResult try_write(std::span<const iovec> from) override {
    return writing_.after(inner().try_write(from));
  }
  WaitAdvice prepare_wait(Interest interest) override {
    Side& side = interest == Interest::read ? reading_ : writing_;
    if (!std::exchange(side.is_vain, false)) return inner().prepare_wait(interest);
    side.event.raise();
    return WaitAdvice::poll(side.event.get(), POLLIN);
  }

 private:
  /// Of the one thread that reads, or that writes.
  struct Side {
    EventFd event;
    bool is_vain = true;

    IoResult after(const IoResult& result) noexcept {
      event.lower();
      is_vain |= result.count() > 0;
      return result;
    }
  };

  Side reading_;
  Side writing_;
};

}  // namespace nearcall::test
