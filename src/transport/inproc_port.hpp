// SPDX-License-Identifier: Apache-2.0
// InprocPort: a name within this process, and the connections that wait there.
#pragma once

#include "base/fork_mark.hpp"
#include "base/unique_fd.hpp"

#include <nearcall/result.hpp>
#include <nearcall/transport.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>

namespace nearcall::inline v0::detail {

/// Where a listener and connectors of one process meet. A name has one port at a time; a forked
/// child begins with no names.
///
/// Thread safety: any thread.
class InprocPort {
 public:
  enum class Offer : std::uint8_t { taken, full, closed };

  /// Takes the name; `backlog` connections may wait. UNAVAILABLE ("address in use") where it is
  /// taken, RESOURCE_EXHAUSTED where there is no descriptor left.
  static Result<std::shared_ptr<InprocPort>> open(const std::string& name, std::size_t backlog);
  /// The port of a name; null if nobody listens there.
  static std::shared_ptr<InprocPort> find(const std::string& name);

  /// open() and find() are the ways to one.
  InprocPort(std::string name, std::size_t backlog, UniqueFd waiting) noexcept;
  InprocPort(const InprocPort&) = delete;
  InprocPort& operator=(const InprocPort&) = delete;
  ~InprocPort() = default;

  /// Readable while a connection waits.
  int fd() const noexcept { return waiting_fd_.get(); }
  /// Hands the listener's end of a connection over: moved from only if it is taken.
  Offer offer(std::unique_ptr<Transport>& end);
  /// The next one that waits; null if there is none.
  std::unique_ptr<Transport> take();
  /// Gives the name back. What waits can still be taken.
  void close() noexcept;

 private:
  const std::string name_;
  const std::size_t backlog_;
  const UniqueFd waiting_fd_;
  const ForkMark made_in_;
  std::mutex mutex_;
  bool is_closed_ = false;
  std::deque<std::unique_ptr<Transport>> waiting_;
};

}  // namespace nearcall::inline v0::detail
