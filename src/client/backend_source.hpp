// SPDX-License-Identifier: Apache-2.0
// BackendSource: a target of a channel that stands for backends which come and go.
#pragma once

#include "base/clock.hpp"

#include <nearcall/result.hpp>
#include <nearcall/status.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace nearcall::inline v0::detail {

/// A target that stands for backends which come and go. It looks when it is asked to; what takes
/// longer it says later, by the function that it was made with.
///
/// Thread safety: one thread at a time.
class BackendSource {
 public:
  virtual ~BackendSource() = default;
  /// Looks, if it is time to. Whether something may have changed since the last time.
  virtual bool look(TimePoint now) = 0;
  /// Where the backends are, as far as is known.
  virtual const std::vector<std::string>& targets() const noexcept = 0;
  /// It is not known yet, and will be said.
  virtual bool is_looking() const noexcept = 0;
  /// Why there is none; OK as long as nothing is wrong.
  virtual const Status& failure() const noexcept = 0;
  /// When it is time to look again, for who waits for a backend.
  virtual TimePoint next_look() const noexcept = 0;
  /// One of its backends could not be reached.
  virtual void note_failure() = 0;
  /// Something has changed at path().
  virtual void note_change() = 0;
  /// Which path's changes would tell (PathWatch); empty: none.
  virtual std::string path() const = 0;
};

/// Where a host's name leads: targets, in the order in which they are to be tried. Runs on a thread
/// of its own.
struct HostResolver {
  std::function<Result<std::vector<std::string>>(const std::string& host, unsigned port)> resolve;
};

/// That of the system: getaddrinfo(3), so /etc/hosts, DNS and the order of RFC 6724.
Result<std::vector<std::string>> resolve_host(const std::string& host, unsigned port);

}  // namespace nearcall::inline v0::detail
