// SPDX-License-Identifier: Apache-2.0
// CallOptions: what a client says about one call: its deadline, metadata, limits, cancellation.
#pragma once

#include <nearcall/codec.hpp>
#include <nearcall/metadata.hpp>
#include <nearcall/task.hpp>

#include <algorithm>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <optional>
#include <stop_token>
#include <string_view>
#include <utility>

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0 {

class ServerContext;
class TraceContext;

/// What a client says about one call. Fluent: `CallOptions().timeout(1s).metadata("user", "7")`.
///
/// A value: the call copies what it needs before it returns. Thread safety: as its members.
class CallOptions {
 public:
  CallOptions() = default;
  /// Of a call that is made for another one, in its handler: `CallOptions(context, "request-id")`.
  /// It ends when that one does: by its deadline, and with CANCELLED when nobody waits for that one
  /// any more. What else is said here may only end it sooner. Of the metadata it takes over all
  /// values of the keys that are named, and the trace that the call is in: `traceparent`, with a
  /// new span, and `tracestate` (trace_context.hpp).
  ///
  /// `context` is the ServerContext, on its thread; it may go before the call does.
  template <std::same_as<ServerContext> Context, std::convertible_to<std::string_view>... Keys>
  explicit CallOptions(Context& context, const Keys&... keys)
      : deadline_of_served_(context.deadline()), cancellation_of_served_(context.cancellation()) {
    (take_over(context.metadata(), keys), ...);
    if (!context.metadata().empty()) take_over_trace(context.metadata());
  }

  /// The call ends with DEADLINE_EXCEEDED this long after it was started, on both sides: it is sent
  /// as `grpc-timeout`, as it is given here, or what is left of it where the call had to wait. Zero
  /// or less has passed already.
  CallOptions& timeout(std::chrono::nanoseconds duration) & {
    timeout_ = duration;
    return *this;
  }
  CallOptions timeout(std::chrono::nanoseconds duration) && { return std::move(timeout(duration)); }
  /// The same as a point in time; the earlier one of both counts.
  CallOptions& deadline(std::chrono::steady_clock::time_point when) & {
    deadline_ = when;
    return *this;
  }
  CallOptions deadline(std::chrono::steady_clock::time_point when) && {
    return std::move(deadline(when));
  }
  /// Adds a request header. What Metadata::add() refuses fails the call with that status.
  CallOptions& metadata(std::string_view key, std::string_view value) & {
    Result<void> added = metadata_.add(key, value);
    if (!added && misuse_.ok()) misuse_ = std::move(added).error();
    return *this;
  }
  CallOptions metadata(std::string_view key, std::string_view value) && {
    return std::move(metadata(key, value));
  }
  /// Where in a trace the call is, instead of what was said before: its `traceparent` and
  /// `tracestate`.
  CallOptions& trace(const TraceContext& context) &;
  CallOptions trace(const TraceContext& context) &&;
  /// Ends the call with CANCELLED as soon as a stop is requested, from any thread.
  CallOptions& cancellation(std::stop_token token) & {
    cancellation_ = std::move(token);
    return *this;
  }
  CallOptions cancellation(std::stop_token token) && {
    return std::move(cancellation(std::move(token)));
  }
  /// The largest message that is taken, in bytes; a larger one ends the call with
  /// RESOURCE_EXHAUSTED. Default: the channel's, which is 4 MiB.
  CallOptions& max_receive_message_size(std::size_t bytes) & {
    max_receive_ = bytes;
    return *this;
  }
  CallOptions max_receive_message_size(std::size_t bytes) && {
    return std::move(max_receive_message_size(bytes));
  }
  /// Whether the call waits for the server where it cannot be reached, instead of failing with
  /// UNAVAILABLE (gRPC's wait-for-ready.md); by default what the channel's service config says of
  /// the method, else false. It waits until its deadline, or until it is cancelled, so give it one
  /// of them. It fails at once where waiting does not help: the target is wrong, the server does
  /// not serve this user or is not the expected one, or speaks something else. What the server may
  /// have begun fails as always: that is no waiting any more.
  CallOptions& wait_for_ready(bool waits = true) & {
    waits_for_ready_ = waits;
    return *this;
  }
  CallOptions wait_for_ready(bool waits = true) && { return std::move(wait_for_ready(waits)); }
  /// The largest message that is sent, in bytes before compression; a larger one ends the call with
  /// RESOURCE_EXHAUSTED, and none of it is sent. Default: the channel's, which is protobuf's 2 GiB.
  CallOptions& max_send_message_size(std::size_t bytes) & {
    max_send_ = bytes;
    return *this;
  }
  CallOptions max_send_message_size(std::size_t bytes) && {
    return std::move(max_send_message_size(bytes));
  }
  /// What requests are compressed with, where that makes them smaller: Codec::gzip(), for example;
  /// Codec::identity(): they are not. Default: as the channel's, which has to
  /// know it (ChannelOptions::codec(); else FAILED_PRECONDITION); the threshold is the channel's. A
  /// server that does not know it ends the call with UNIMPLEMENTED.
  CallOptions& compression(const Codec& codec) & {
    compression_ = &codec;
    return *this;
  }
  CallOptions compression(const Codec& codec) && { return std::move(compression(codec)); }

  // What was said.

  std::optional<std::chrono::nanoseconds> timeout() const noexcept { return timeout_; }
  /// The earlier one of what was given and that of the call which is served; time_point::max() if
  /// there is none.
  std::chrono::steady_clock::time_point deadline() const noexcept {
    return std::min(deadline_, deadline_of_served_);
  }
  const Metadata& metadata() const noexcept { return metadata_; }
  const std::stop_token& cancellation() const noexcept { return cancellation_; }
  /// That of the call that it is made for: the first one that stops ends it.
  const std::stop_token& cancellation_of_served() const noexcept { return cancellation_of_served_; }
  std::optional<std::size_t> max_receive_message_size() const noexcept { return max_receive_; }
  /// Nothing if it was not said.
  std::optional<bool> waits_for_ready() const noexcept { return waits_for_ready_; }
  std::optional<std::size_t> max_send_message_size() const noexcept { return max_send_; }
  /// Null: the channel's.
  const Codec* compression() const noexcept { return compression_; }
  /// What metadata() refused first, or OK: the call fails with it before anything is sent.
  const Status& misuse() const noexcept { return misuse_; }

 private:
  friend detail::Access;
  using TimePoint = std::chrono::steady_clock::time_point;

  void take_over_trace(const Metadata& served);
  void take_over(const Metadata& from, std::string_view key) {
    for (const std::string_view value : from.get_all(key))
      metadata(key, value);
  }

  std::optional<std::chrono::nanoseconds> timeout_;
  TimePoint deadline_ = TimePoint::max();
  TimePoint deadline_of_served_ = TimePoint::max();
  Metadata metadata_;
  std::stop_token cancellation_;
  std::stop_token cancellation_of_served_;
  std::optional<std::size_t> max_receive_;
  std::optional<bool> waits_for_ready_;
  std::optional<std::size_t> max_send_;
  const Codec* compression_ = nullptr;
  Status misuse_;
};

static_assert(safe_in_co_await<CallOptions>);

}  // namespace nearcall::inline v0

#pragma GCC visibility pop
