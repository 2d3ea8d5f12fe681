// SPDX-License-Identifier: Apache-2.0
// What observers are told of a call, and in which order.
#include "connection/observed_call.hpp"

#include "base/check.hpp"
#include "grpc/message_prefix.hpp"

#include <algorithm>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

void count(Observer::Messages& in, const Observer::Message& message) noexcept {
  ++in.count;
  in.size += message.size;
  in.compressed_size += message.compressed_size;
}

}  // namespace

ObservedCall::ObservedCall(const Observed& observed,
                           const Method& method,
                           const Metadata& metadata,
                           TimePoint now,
                           std::uint64_t connection) noexcept
    : observed_(&observed),
      call_{.origin = observed.origin(),
            .id = Observed::next_id(),
            .method = method,
            .metadata = metadata,
            .begun = now,
            .ended = {},
            .connection = connection,
            .sent = {},
            .received = {}} {
  observer().on_call_begun(call_);
}

void ObservedCall::begin_attempt(std::uint64_t connection, TimePoint now) noexcept {
  if (std::exchange(is_attempted_, true)) others_.push_back(attempt_);
  attempt_ = Observer::Attempt();
  attempt_.number = ++call_.attempts;
  attempt_.connection = connection;
  attempt_.begun = now;
  observer().on_attempt_begun(call_, attempt_);
}

void ObservedCall::select(std::uint64_t number) noexcept {
  if (is_attempted_ && attempt_.number == number) return;
  const auto other = std::find_if(others_.begin(), others_.end(), [number](const auto& attempt) {
    return attempt.number == number;
  });
  CHECK(other != others_.end());
  std::swap(attempt_, *other);
  if (!std::exchange(is_attempted_, true)) others_.erase(other);
}

void ObservedCall::end_attempt(const Status& how,
                               Observer::AttemptEnd then,
                               TimePoint now) noexcept {
  if (!std::exchange(is_attempted_, false)) return;
  attempt_.ended = now;
  observer().on_attempt_ended(call_, attempt_, how, then);
}

void ObservedCall::note_sent(const Observer::Message& message) noexcept {
  count(call_.sent, message);
  count(attempt_.sent, message);
  observer().on_message_sent(call_, message);
}

void ObservedCall::note_received(const Observer::Message& message) noexcept {
  count(call_.received, message);
  count(attempt_.received, message);
  observer().on_message_received(call_, message);
}

void ObservedCall::note_sent_kept(std::size_t framed_size) noexcept {
  const std::size_t sent = framed_size - grpc::message_prefix_size;
  note_sent({kept_size_ != 0 ? kept_size_ : sent, sent});
}

void ObservedCall::note_sent_again(ByteSpan framed) noexcept {
  while (framed.size() >= grpc::message_prefix_size) {
    const std::size_t size = load_be32(framed.data() + 1);
    note_sent({size, size});
    framed = framed.subspan(grpc::message_prefix_size + size);
  }
}

void ObservedCall::end(const Status& how, TimePoint now) noexcept {
  end_attempt(how, Observer::AttemptEnd::last, now);
  call_.ended = now;
  observer().on_call_ended(call_, how);
}

}  // namespace nearcall::inline v0::detail
