// SPDX-License-Identifier: Apache-2.0
// FragmentingTransport: moves only a few bytes at a time.
#pragma once

#include <nearcall/transport.hpp>

#include <cstddef>
#include <memory>

namespace nearcall::test {

/// Passes everything on to another connection, but never moves more than `at_most` bytes in one
/// read or write. What works through it does not depend on where the stream is cut.
class FragmentingTransport final : public ForwardingTransport {
 public:
  explicit FragmentingTransport(std::unique_ptr<Transport> inner, std::size_t at_most = 1)
      : ForwardingTransport(std::move(inner)), at_most_(at_most) {}

  IoResult try_read(std::span<std::byte> into) override;
  IoResult try_write(std::span<const iovec> from) override;

 private:
  const std::size_t at_most_;
};

}  // namespace nearcall::test
