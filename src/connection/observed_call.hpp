// SPDX-License-Identifier: Apache-2.0
// ObservedCall: one call that observers are told of.
#pragma once

#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "connection/observed.hpp"

#include <nearcall/metadata.hpp>
#include <nearcall/method.hpp>
#include <nearcall/observer.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace nearcall::inline v0::detail {

/// One call that observers are told of. Exists for calls that are observed, and for no others.
///
/// Thread safety: none; its call's.
class ObservedCall {
 public:
  /// The call begins. All of that outlives it. `connection`: at a server.
  ObservedCall(const Observed& observed,
               const Method& method,
               const Metadata& metadata,
               TimePoint now,
               std::uint64_t connection = 0) noexcept;
  ObservedCall(const ObservedCall&) = delete;
  ObservedCall& operator=(const ObservedCall&) = delete;

  void begin_attempt(std::uint64_t connection, TimePoint now) noexcept;
  /// Of several that are under way, by a hedgingPolicy: the one with that number is the current
  /// one, which what follows is about. REQUIRES: it has not ended.
  void select(std::uint64_t number) noexcept;
  /// Nothing, where there is none.
  void end_attempt(const Status& how, Observer::AttemptEnd then, TimePoint now) noexcept;
  void note_sent(const Observer::Message& message) noexcept;
  void note_received(const Observer::Message& message) noexcept;
  /// The call's one request is kept compressed, of `size` bytes.
  void keep_size(std::size_t size) noexcept { kept_size_ = size; }
  /// That request is sent, which is as long.
  void note_sent_kept(std::size_t framed_size) noexcept;
  /// Messages that were sent in another attempt are sent again, with their prefixes.
  void note_sent_again(ByteSpan framed) noexcept;
  /// The attempt that is under way ends so, and the call.
  void end(const Status& how, TimePoint now) noexcept;

 private:
  Observer& observer() const noexcept { return observed_->observer(); }

  const Observed* observed_;
  bool is_attempted_ = false;
  std::size_t kept_size_ = 0;  // 0: as it is sent
  Observer::Call call_;
  Observer::Attempt attempt_;
  /// Those that are under way beside it.
  std::vector<Observer::Attempt> others_;
};

}  // namespace nearcall::inline v0::detail
