// SPDX-License-Identifier: Apache-2.0
// FailingTransport: breaks after so many operations.
#pragma once

#include <nearcall/transport.hpp>

#include <atomic>
#include <cstddef>
#include <memory>
#include <system_error>

namespace nearcall::test {

/// Passes everything on to another connection until `good_operations` reads and writes have moved
/// bytes; then it breaks, and stays broken: with an error, or as if the peer had gone (reads end,
/// writes fail with EPIPE). The inner connection is aborted, so that its peer learns of it.
///
/// Run a loop over I/O with 0, 1, 2 … good operations until has_broken() says no: then it has met a
/// failure at each of its steps.
class FailingTransport final : public ForwardingTransport {
 public:
  /// Ends instead of failing if there is no error.
  FailingTransport(std::unique_ptr<Transport> inner,
                   std::size_t good_operations,
                   std::error_code error = {})
      : ForwardingTransport(std::move(inner)), good_operations_(good_operations), error_(error) {}

  bool has_broken() const noexcept { return has_broken_.load(); }

  IoResult try_read(std::span<std::byte> into) override;
  IoResult try_write(std::span<const iovec> from) override;
  /// Ready once it is broken: there is something to learn.
  WaitAdvice prepare_wait(Interest interest) override;

 private:
  bool breaks_now() noexcept;
  void count(const IoResult& result) noexcept;

  const std::size_t good_operations_;
  const std::error_code error_;
  /// Grows; counted by the reading and the writing thread.
  std::atomic<std::size_t> operations_{0};
  /// Only becomes true.
  std::atomic<bool> has_broken_{false};
};

}  // namespace nearcall::test
