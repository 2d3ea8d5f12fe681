// SPDX-License-Identifier: Apache-2.0
// Gathering: a report to which several event loops add their parts, for one who waits for it.
#pragma once

#include <nearcall/task.hpp>
#include <nearcall/wait.hpp>

#include <memory>
#include <mutex>
#include <stop_token>
#include <utility>

namespace nearcall::inline v0::detail {

/// Whoever may still add to a report keeps a share of a Contribution to it. When the last one is
/// gone, however that comes, the report is whole; what is added after the asker went is dropped.
/// `Options` have a `patience`, and `Report` says whether it `is_whole`.
///
/// Thread safety: any thread.
template <class Report, class Options>
class Gathering {
 public:
  explicit Gathering(const Options& options) : options_(options) {}

  class Contribution {
   public:
    explicit Contribution(std::shared_ptr<Gathering> to) noexcept : to_(std::move(to)) {}
    Contribution(const Contribution&) = delete;
    Contribution& operator=(const Contribution&) = delete;
    ~Contribution() { to_->whole_.request_stop(); }

    const Options& options() const noexcept { return to_->options_; }
    /// add(Report&), with the lock.
    template <class Add>
    void add(Add&& add) const {
      const std::lock_guard lock(to_->mutex_);
      add(to_->report_);
    }

   private:
    const std::shared_ptr<Gathering> to_;
  };

  /// Waits until it is whole, or patience is at its end; the report, which says which it was.
  static Task<Report> wait(std::shared_ptr<Gathering> self) {
    const std::stop_token whole = self->whole_.get_token();
    const bool is_late = co_await sleep_for(self->options_.patience, whole);
    const std::lock_guard lock(self->mutex_);
    self->report_.is_whole = !is_late;
    co_return std::move(self->report_);
  }

 private:
  const Options options_;
  std::stop_source whole_;
  std::mutex mutex_;
  Report report_;
};

}  // namespace nearcall::inline v0::detail
