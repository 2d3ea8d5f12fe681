// SPDX-License-Identifier: Apache-2.0
// Acceptor: takes connections from a listening socket, also when descriptors run out.
#pragma once

#include "base/fork_mark.hpp"
#include "base/unshared_fd.hpp"

#include <nearcall/result.hpp>

#include <cstdint>
#include <string>

namespace nearcall::inline v0::detail {

/// A listening socket, and one spare descriptor.
///
/// Connections leave 32 descriptors to the rest of the program (half of them, where the limit is
/// below 64). When the process has no descriptor left, a connection would wait in the backlog
/// unanswered and keep the socket readable. The spare one is released to accept and close it, and
/// taken back. A forked child gets none of it. Thread safety: none.
class Acceptor {
 public:
  /// Whether other processes listen on the same socket, and shall go on when this one does not.
  enum class Sharing : std::uint8_t { none, shared };

  explicit Acceptor(UniqueFd listening, Sharing sharing = Sharing::none) noexcept;
  /// In the process that made it, and not shared: nobody can connect any more, even if a copy of
  /// the socket is left somewhere.
  ~Acceptor();
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  /// The next connection, non-blocking and close-on-exec; empty when none waits. `subject` names
  /// the listener in the error. RESOURCE_EXHAUSTED asks the caller to pause.
  Result<UniqueFd> try_accept(const std::string& subject);

  Sharing sharing() const noexcept { return sharing_; }
  void set_sharing(Sharing sharing) noexcept { sharing_ = sharing; }

  /// Nobody can connect any more. On a Unix socket those who have connected are still handed over.
  /// REQUIRES: not shared.
  void stop_listening() noexcept;

  int fd() const noexcept { return listening_.get(); }

 private:
  Result<UniqueFd> turn_one_away(const std::string& subject, int reason);

  const detail::UnsharedFd listening_;
  const ForkMark made_in_;
  UniqueFd spare_;
  Sharing sharing_;
  bool is_listening_ = true;
};

/// For a listener that is used out of order.
[[noreturn]] void fail_listener_order() noexcept;

}  // namespace nearcall::inline v0::detail
