// SPDX-License-Identifier: Apache-2.0
// Who is polled directly, and who no longer.
#include "async/hot_sources.hpp"

namespace nearcall::inline v0::detail {

SpinSource::~SpinSource() {
  if (set_ != nullptr) set_->unmark(*this);
}

HotSources::~HotSources() {
  while (count_ > 0)
    unmark(*sources_[count_ - 1]);
}

bool HotSources::mark(SpinSource& source) {
  if (source.set_ == nullptr) {
    if (count_ == capacity) {
      SpinSource* coldest = sources_[0];
      for (SpinSource* other : sources_) {
        if (other->progress_at_ < coldest->progress_at_) coldest = other;
      }
      if (!coldest->prepare_park()) return false;
      unmark(*coldest);
    }
    source.set_ = this;
    source.index_ = count_;
    sources_[count_++] = &source;
  }
  source.progress_at_ = spun_;
  return true;
}

void HotSources::unmark(SpinSource& source) noexcept {
  if (source.set_ != this) return;
  SpinSource* const last = sources_[--count_];
  sources_[source.index_] = last;
  last->index_ = source.index_;
  source.set_ = nullptr;
}

// Both loops go backwards: a source that leaves on the way is replaced by one that had its turn.
// Others that leave on the way are no harm: one source may be polled twice or wait for the next
// pass.
bool HotSources::poll(TimePoint now, Duration patience) {
  spun_ += now - last_pass_;
  last_pass_ = now;
  bool has_progress = false;
  for (std::size_t index = count_; index-- > 0;) {
    if (index >= count_) continue;
    SpinSource& source = *sources_[index];
    if (source.spin_once()) {
      has_progress = true;
      if (index < count_ && sources_[index] == &source) source.progress_at_ = spun_;
    } else if (index < count_ && sources_[index] == &source &&
               spun_ - source.progress_at_ > patience && source.prepare_park()) {
      unmark(source);
    }
  }
  return has_progress;
}

bool HotSources::park() {
  bool is_quiet = true;
  for (std::size_t index = count_; index-- > 0;) {
    if (index >= count_) continue;
    SpinSource& source = *sources_[index];
    if (source.prepare_park()) {
      unmark(source);
    } else {
      is_quiet = false;
      source.spin_once();
    }
  }
  return is_quiet;
}

}  // namespace nearcall::inline v0::detail
