// SPDX-License-Identifier: Apache-2.0
// Runnable: one piece of work in a loop's or a pool's queue; belongs to whoever queued it.
#pragma once

#include "async/intrusive_list.hpp"

namespace nearcall::inline v0::detail {

/// Work that waits in at most one queue. Whoever owns it keeps it alive until it has run or was
/// taken back.
class Runnable : public ListHook {
 public:
  /// Called once a time that it was queued, after it has left the queue; may queue or destroy it.
  virtual void run() noexcept = 0;
  /// Called instead of run() when the queue goes first.
  virtual void drop() noexcept {}

 protected:
  ~Runnable() = default;
};

}  // namespace nearcall::inline v0::detail
