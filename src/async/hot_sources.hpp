// SPDX-License-Identifier: Apache-2.0
// HotSources: the few connections that a loop polls directly while it has nothing else to do.
#pragma once

#include "base/clock.hpp"

#include <array>
#include <cstddef>

namespace nearcall::inline v0::detail {

class HotSources;

/// A connection that can be polled directly, without epoll. Stops being hot when destroyed.
class SpinSource {
 public:
  SpinSource() noexcept = default;
  SpinSource(const SpinSource&) = delete;
  SpinSource& operator=(const SpinSource&) = delete;
  virtual ~SpinSource();

  /// Tries a direct non-blocking read, and acts on what it brought; whether it brought anything.
  virtual bool spin_once() = 0;
  /// Announces that nobody polls from now on: true if a descriptor in the loop will tell of news,
  /// false if there are some already (spin_once() is called then, and the source stays hot).
  virtual bool prepare_park() = 0;

  bool is_hot() const noexcept { return set_ != nullptr; }

 private:
  friend class HotSources;

  HotSources* set_ = nullptr;
  std::size_t index_ = 0;
  /// Of the set's spinning time, when it last made progress.
  Duration progress_at_{};
};

/// The hot sources of one loop: those that had traffic lately, at most sixteen.
///
/// Invariant: a source that leaves the set has announced it, so that nothing is missed after.
/// Thread safety: none; owned by the loop.
class HotSources {
 public:
  static constexpr std::size_t capacity = 16;

  HotSources() noexcept = default;
  HotSources(const HotSources&) = delete;
  HotSources& operator=(const HotSources&) = delete;
  ~HotSources();

  bool empty() const noexcept { return count_ == 0; }
  /// `source` had traffic. When the set is full, takes the place of the source whose traffic was
  /// longest ago; false if even that one has news.
  bool mark(SpinSource& source);
  void unmark(SpinSource& source) noexcept;

  /// A stretch of polling begins; the time before it counts against nobody.
  void begin(TimePoint now) noexcept { last_pass_ = now; }
  /// Polls each source once; whether any made progress. Parks those that had none for more than
  /// `patience` of polling.
  bool poll(TimePoint now, Duration patience);
  /// Parks all sources; false if some had news, which have been read then.
  bool park();

 private:
  std::array<SpinSource*, capacity> sources_{};
  std::size_t count_ = 0;
  TimePoint last_pass_{};
  /// How long this set has been polled, over all stretches.
  Duration spun_{};
};

}  // namespace nearcall::inline v0::detail
