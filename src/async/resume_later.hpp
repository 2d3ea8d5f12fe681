// SPDX-License-Identifier: Apache-2.0
// ResumeLater: work in a queue that is a suspended coroutine.
#pragma once

#include "async/busy_meter.hpp"
#include "async/runnable.hpp"

#include <coroutine>

namespace nearcall::inline v0::detail {

/// Resumes a coroutine when its turn comes.
class ResumeLater final : public Runnable {
 public:
  ResumeLater() noexcept = default;
  explicit ResumeLater(std::coroutine_handle<> waiting) noexcept : waiting_(waiting) {}
  void set(std::coroutine_handle<> waiting) noexcept { waiting_ = Suspended(waiting); }
  void run() noexcept override { waiting_.resume(); }

 private:
  Suspended waiting_;
};

}  // namespace nearcall::inline v0::detail
