// SPDX-License-Identifier: Apache-2.0
// Acceptor: takes connections from a listening socket, also when descriptors run out.
#pragma once

#include "base/unique_fd.hpp"

#include <nearcall/result.hpp>

#include <string>

namespace nearcall {

/// A listening socket, and one spare descriptor.
///
/// When the process has no descriptor left, a connection would wait in the backlog unanswered and
/// keep the socket readable. The spare one is given up to accept and close it, and taken back.
/// Thread safety: none.
class Acceptor {
 public:
  explicit Acceptor(UniqueFd listening) noexcept;

  /// The next connection, non-blocking and close-on-exec; empty when none waits. `subject` names
  /// the listener in the error. RESOURCE_EXHAUSTED asks the caller to pause.
  Result<UniqueFd> try_accept(const std::string& subject);

  int fd() const noexcept { return listening_.get(); }

 private:
  Result<UniqueFd> turn_one_away(const std::string& subject, int reason);

  UniqueFd listening_;
  UniqueFd spare_;
};

}  // namespace nearcall
