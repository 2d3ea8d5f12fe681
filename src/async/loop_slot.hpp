// SPDX-License-Identifier: Apache-2.0
// LoopSlot: a small number under which each loop keeps something of one owner.
#pragma once

#include <cstddef>
#include <mutex>
#include <vector>

namespace nearcall::inline v0::detail {

/// The number of a place that each loop has for one owner (LoopCore::slot()): no two owners have
/// the same one at a time, and numbers are used again, so that they stay small.
///
/// Whoever has one sees to it that no loop keeps anything under it when it goes.
/// Thread safety: immutable; any thread.
class LoopSlot {
 public:
  LoopSlot() : number_(take()) {}
  LoopSlot(const LoopSlot&) = delete;
  LoopSlot& operator=(const LoopSlot&) = delete;
  ~LoopSlot() {
    Numbers& all = numbers();
    const std::lock_guard lock(all.mutex);
    all.free.push_back(number_);
  }

  std::size_t number() const noexcept { return number_; }

 private:
  struct Numbers {
    std::mutex mutex;
    std::size_t count = 0;
    std::vector<std::size_t> free;
  };
  /// Never destroyed: owners may live as long as the process.
  static Numbers& numbers() {
    static auto* const all = new Numbers;
    return *all;
  }
  static std::size_t take() {
    Numbers& all = numbers();
    const std::lock_guard lock(all.mutex);
    if (all.free.empty()) return all.count++;
    const std::size_t number = all.free.back();
    all.free.pop_back();
    return number;
  }

  const std::size_t number_;
};

}  // namespace nearcall::inline v0::detail
