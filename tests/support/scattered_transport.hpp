// SPDX-License-Identifier: Apache-2.0
// ScatteredTransport: each of its waits names the next of five descriptors.
#pragma once

#include "base/unique_fd.hpp"

#include <nearcall/transport.hpp>

#include <fcntl.h>

#include <array>
#include <atomic>
#include <memory>
#include <utility>

namespace nearcall::test {

/// Passes everything on to a transport of one descriptor, such as a socket.
class ScatteredTransport final : public ForwardingTransport {
 public:
  explicit ScatteredTransport(std::unique_ptr<Transport> wrapped)
      : ForwardingTransport(std::move(wrapped)) {
    const int fd = inner().prepare_wait(Interest::read).fd();
    for (detail::UniqueFd& copy : copies_)
      copy = detail::UniqueFd(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  }

  WaitAdvice prepare_wait(Interest interest) override {
    const WaitAdvice advice = inner().prepare_wait(interest);
    return WaitAdvice::poll(copies_[next_.fetch_add(1) % copies_.size()].get(), advice.events());
  }

 private:
  std::array<detail::UniqueFd, 5> copies_;
  std::atomic<std::size_t> next_{0};
};

}  // namespace nearcall::test
