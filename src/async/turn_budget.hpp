// SPDX-License-Identifier: Apache-2.0
// TurnBudget: how much one turn of a loop does for its sources before the next turn begins.
#pragma once

#include <algorithm>
#include <cstddef>

namespace nearcall::inline v0::detail {

/// How much one turn of a loop does for its sources together. A source that has had its own share,
/// or finds the budget spent, goes on in the next turn, behind those that wait already.
///
/// The unit of work is what a byte of input costs at worst, a few nanoseconds: a whole budget is
/// one to two milliseconds.
///
/// Thread safety: the loop's thread.
class TurnBudget {
 public:
  static constexpr std::size_t whole = std::size_t{256} * 1024;
  /// What one source may take of a turn, at most a little more.
  static constexpr std::size_t share = whole / 4;
  /// How many bytes may be written in a turn that is used up, by those who come first.
  static constexpr std::size_t late_output = std::size_t{512} * 1024;

  void begin_turn() noexcept {
    left_ = whole;
    spent_ = 0;
    late_output_left_ = late_output;
  }
  void spend(std::size_t work) noexcept {
    left_ -= std::min(left_, work);
    spent_ += work;
  }
  /// Whoever is next may do one piece of work, whatever it costs.
  void admit_one() noexcept { left_ = std::max(left_, std::size_t{1}); }
  /// Nothing more is begun in this turn.
  bool is_spent() const noexcept { return left_ == 0; }
  /// All that was done in this turn, also beyond the budget.
  std::size_t spent() const noexcept { return spent_; }
  /// Whether a source is served at once that has waited for no turn yet. The other half of the
  /// budget is kept for those that have.
  bool admits_newcomers() const noexcept { return left_ > whole / 2; }
  std::size_t late_output_left() const noexcept { return late_output_left_; }
  void spend_late_output(std::size_t bytes) noexcept {
    late_output_left_ -= std::min(late_output_left_, bytes);
  }

 private:
  std::size_t left_ = whole;
  std::size_t spent_ = 0;
  std::size_t late_output_left_ = late_output;
};

}  // namespace nearcall::inline v0::detail
