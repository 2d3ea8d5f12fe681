// SPDX-License-Identifier: Apache-2.0
// RetryPolicy: what a call does when an attempt has ended.
#pragma once

#include <nearcall/status.hpp>

#include <cstdint>

namespace nearcall::inline v0::detail {

/// What the server may have seen of an attempt that has ended.
enum class Seen : std::uint8_t {
  nothing,   // no byte of it was sent
  refused,   // it was sent, and provably not processed: REFUSED_STREAM, or GOAWAY
  perhaps,   // it may have been processed, in part or whole
  answered,  // the server said how it ended
};

/// How an attempt ended. A value.
struct Outcome {
  Seen seen = Seen::perhaps;
  Status status;
};

/// What a call still has of its request when an attempt has ended.
enum class RequestLeft : std::uint8_t {
  whole,      // one message, at hand
  unwritten,  // messages, none of which was taken from the writer yet
  gone,       // messages that were streamed: nobody keeps them
};

/// What a call does when an attempt has ended: ends, or is attempted once more. A call that the
/// server provably did not process is repeated once
/// (docs/decisions/009-where-a-call-is-repeated.md), unless the server serves this user never, or
/// has said nothing for as long as one waits for it.
///
/// No I/O, and no clock: what decides comes in as an argument. Thread safety: none.
class RetryPolicy {
 public:
  enum class Action : std::uint8_t {
    finish,                  // with the outcome's status
    finish_without_request,  // the same, but for its request it would be repeated
    repeat,                  // now
  };

  Action resume(const Outcome& outcome, RequestLeft left) noexcept {
    const bool is_unprocessed = outcome.seen == Seen::nothing || outcome.seen == Seen::refused;
    const StatusReason reason = outcome.status.reason();
    const bool is_hopeless = reason == StatusReason::refused || reason == StatusReason::no_answer;
    if (!is_unprocessed || is_hopeless || has_repeated_) return Action::finish;
    if (left == RequestLeft::gone) return Action::finish_without_request;
    has_repeated_ = true;
    return Action::repeat;
  }
  /// Whether the attempt to come is not the first one.
  bool has_repeated() const noexcept { return has_repeated_; }

 private:
  bool has_repeated_ = false;
};

}  // namespace nearcall::inline v0::detail
