// SPDX-License-Identifier: Apache-2.0
// Counting of operations, and the break.
#include "support/failing_transport.hpp"

namespace nearcall::test {

IoResult FailingTransport::try_read(std::span<std::byte> into) {
  if (breaks_now()) return error_ ? IoResult::failed(error_) : IoResult::end_of_stream();
  const IoResult result = inner().try_read(into);
  count(result);
  return result;
}

IoResult FailingTransport::try_write(std::span<const iovec> from) {
  if (breaks_now()) {
    return IoResult::failed(error_ ? error_ : std::make_error_code(std::errc::broken_pipe));
  }
  const IoResult result = inner().try_write(from);
  count(result);
  return result;
}

WaitAdvice FailingTransport::prepare_wait(Interest interest) {
  if (has_broken()) return WaitAdvice::ready_now();
  return inner().prepare_wait(interest);
}

bool FailingTransport::breaks_now() noexcept {
  if (operations_.load() < good_operations_) return false;
  if (!has_broken_.exchange(true)) {
    inner().abort(error_ ? error_ : std::make_error_code(std::errc::connection_reset));
  }
  return true;
}

void FailingTransport::count(const IoResult& result) noexcept {
  if (result.kind() == IoResult::Kind::bytes) operations_.fetch_add(1);
}

}  // namespace nearcall::test
