// SPDX-License-Identifier: Apache-2.0
// StreamList: a list of streams that is threaded through the streams themselves.
#pragma once

#include <cstddef>

namespace nearcall::inline v0::detail::http2 {

class Stream;

/// A stream's place in one list. Membership is the link itself: there is no flag beside it.
struct StreamLink {
  Stream* next = nullptr;
  Stream* previous = nullptr;
  bool is_linked = false;
};

/// A first-in-first-out list of streams; adding, removing and asking take constant time, and
/// nothing is allocated. A stream must be removed before it goes.
template <StreamLink Stream::*link>
class StreamList {
 public:
  bool empty() const noexcept { return first_ == nullptr; }
  Stream* front() const noexcept { return first_; }
  static Stream* after(const Stream& stream) noexcept { return (stream.*link).next; }
  static bool contains(const Stream& stream) noexcept { return (stream.*link).is_linked; }
  bool has_one() const noexcept { return first_ != nullptr && first_ == last_; }

  /// Adds at the end, unless it is in the list already.
  void push(Stream& stream) noexcept {
    StreamLink& here = stream.*link;
    if (here.is_linked) return;
    here = {nullptr, last_, true};
    (last_ != nullptr ? (last_->*link).next : first_) = &stream;
    last_ = &stream;
  }
  /// Adds in front of `next`, which is in the list, or at the end when it is null.
  void insert_before(Stream* next, Stream& stream) noexcept {
    if (next == nullptr) return push(stream);
    StreamLink& here = stream.*link;
    StreamLink& there = next->*link;
    here = {next, there.previous, true};
    (there.previous != nullptr ? (there.previous->*link).next : first_) = &stream;
    there.previous = &stream;
  }
  void remove(Stream& stream) noexcept {
    StreamLink& here = stream.*link;
    if (!here.is_linked) return;
    (here.previous != nullptr ? (here.previous->*link).next : first_) = here.next;
    (here.next != nullptr ? (here.next->*link).previous : last_) = here.previous;
    here = {};
  }
  /// The first one, taken out; null when there is none.
  Stream* pop() noexcept {
    Stream* const taken = first_;
    if (taken != nullptr) remove(*taken);
    return taken;
  }

 private:
  Stream* first_ = nullptr;
  Stream* last_ = nullptr;
};

}  // namespace nearcall::inline v0::detail::http2
