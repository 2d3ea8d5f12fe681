// SPDX-License-Identifier: Apache-2.0
// RichStatus: a failure with details that are messages. Link nearcall::rich_errors.
#pragma once

#include <nearcall/result.hpp>
#include <nearcall/status.hpp>

#include <google/protobuf/any.pb.h>
#include <google/protobuf/message.h>

#include <concepts>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0 {

/// A failure whose details are messages: gRPC's richer error model, a google.rpc.Status in
/// `grpc-status-details-bin`, as grpc++, .NET and Go write and read it. A handler builds one:
///
///     google::rpc::RetryInfo later;
///     later.mutable_retry_delay()->set_seconds(5);
///     co_return RichStatus(StatusCode::unavailable, "too busy").add(later).to_status();
///
/// and a client reads it:
///
///     const Result<RichStatus> rich = RichStatus::from(reply.status());
///     if (auto later = rich->find<google::rpc::RetryInfo>()) wait_for(later->retry_delay());
///
/// Any message may be a detail. Those of google.rpc are in nearcall::error_details, for programs
/// that have no other copy of them; this class goes with each.
///
/// A value. Thread safety: as a std::string.
class RichStatus {
 public:
  /// OK has no details: to_status() leaves them out.
  RichStatus(StatusCode code, std::string message) : code_(code), message_(std::move(message)) {}

  /// What a call has ended with; without details where the peer has sent none. INTERNAL if what it
  /// has sent is no google.rpc.Status, or one of another code.
  static Result<RichStatus> from(const Status& status);
  /// For a handler to return. What is sent of it has to fit into trailers, of which other
  /// implementations take 8 KiB: beyond `max_sent_header_list_size` the details are left out.
  Status to_status() const;

  /// Adds a detail.
  template <std::derived_from<google::protobuf::Message> Detail>
  RichStatus& add(const Detail& detail) & {
    details_.emplace_back().PackFrom(detail);
    return *this;
  }
  template <std::derived_from<google::protobuf::Message> Detail>
  RichStatus add(const Detail& detail) && {
    return std::move(add(detail));
  }

  StatusCode code() const noexcept { return code_; }
  const std::string& message() const noexcept { return message_; }
  /// All details, also of types that the program does not know.
  std::span<const google::protobuf::Any> details() const noexcept { return details_; }
  /// The first detail of that type that can be read.
  template <std::derived_from<google::protobuf::Message> Detail>
  std::optional<Detail> find() const {
    for (const google::protobuf::Any& any : details_) {
      Detail detail;
      if (any.UnpackTo(&detail)) return detail;
    }
    return std::nullopt;
  }

 private:
  StatusCode code_;
  std::string message_;
  std::vector<google::protobuf::Any> details_;
};

}  // namespace nearcall::inline v0

#pragma GCC visibility pop
