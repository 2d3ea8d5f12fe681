// SPDX-License-Identifier: Apache-2.0
// PassingTransport: a Unix socket that passes descriptors, as unix(7) does it.
#pragma once

#include <nearcall/transport.hpp>

#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace nearcall::test {

/// Passes everything on to a socket, and descriptors beside it.
class PassingTransport final : public ForwardingTransport, public DescriptorPassing {
 public:
  /// REQUIRES: the only descriptor of `socket` is that of a Unix socket.
  explicit PassingTransport(std::unique_ptr<Transport> socket)
      : ForwardingTransport(std::move(socket)), fd_(inner().prepare_wait(Interest::read).fd()) {}

  DescriptorPassing* descriptor_passing() noexcept override { return this; }
  IoResult try_write_with(std::span<const iovec> from, std::span<const int> descriptors) override;
  IoResult try_read_with(std::span<std::byte> into,
                         std::vector<int>& descriptors,
                         std::size_t most) override;

 private:
  const int fd_;
};

}  // namespace nearcall::test
