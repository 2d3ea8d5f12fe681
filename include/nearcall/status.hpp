// SPDX-License-Identifier: Apache-2.0
// How a call ended: the status codes of gRPC and the Status value.
#pragma once

#include <nearcall/version.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0 {

class Metadata;

/// The canonical status codes (gRPC: doc/statuscodes.md). The numbers go over the wire as
/// `grpc-status` and never change.
enum class StatusCode : std::int32_t {
  ok = 0,
  cancelled = 1,
  unknown = 2,
  invalid_argument = 3,
  deadline_exceeded = 4,
  not_found = 5,
  already_exists = 6,
  permission_denied = 7,
  resource_exhausted = 8,
  failed_precondition = 9,
  aborted = 10,
  out_of_range = 11,
  unimplemented = 12,
  internal = 13,
  unavailable = 14,
  data_loss = 15,
  unauthenticated = 16,
};

/// The name of a code as gRPC spells it: "NOT_FOUND". A number outside the list gives "UNKNOWN".
std::string_view to_string(StatusCode code);

/// Why this process failed a call, or could not serve, where a program may want to act on it: start
/// the server, ask for a permission, try again later. Never sent: what the peer answered has
/// `none`. The list may grow.
enum class StatusReason : std::uint8_t {
  /// Nothing to say beside the code.
  none,
  /// The target, or the address to listen at, is malformed or of an unknown kind: mend the
  /// configuration.
  bad_target,
  /// Nobody listens at the address: start the server.
  no_server,
  /// The system lets this user not open or make the socket: change its mode, or join its group.
  no_permission,
  /// The server listens, and its policy does not serve this user.
  refused,
  /// Whoever listens at the address is not whom the client expects.
  wrong_server,
  /// Whoever listens at the address speaks something else than gRPC.
  not_grpc,
  /// The server stops, or its place is taken by a successor: try again soon.
  server_stopping,
  /// The connection ended while the call was under way; the server may have seen it.
  connection_lost,
  /// This process, or the system, has no more descriptors or memory.
  system_limit,
  /// One of the limits of nearcall at either side: of connections, calls, or sizes.
  limit,
  /// Another server has the address.
  address_in_use,
  /// The program asked for what cannot be, such as a blocking call on a running event loop.
  misuse,
  /// Whoever is at the address let the time pass that an attempt to connect has, or said nothing.
  no_answer,
};

/// The name of a reason as it is spelled above: "no_server".
std::string_view to_string(StatusReason reason);

/// How a call ended. One pointer wide: OK is null, and everything else lives behind the pointer.
///
///     co_return Status::not_found("no such user").with_details(bytes);
///
/// A value: copies are independent. Thread safety: as a std::string.
class [[nodiscard]] Status {
 public:
  /// OK.
  Status() noexcept = default;
  /// `message` is for people, and is sent to the peer. With StatusCode::ok this is OK, without a
  /// message; a number outside the list makes UNKNOWN, and stands in the message.
  Status(StatusCode code, std::string message);
  Status(const Status& other);
  Status& operator=(const Status& other);
  Status(Status&&) noexcept = default;
  Status& operator=(Status&&) noexcept = default;
  ~Status() = default;

  // A failure of each code, with a message for people: Status::not_found("no such user").

  static Status cancelled(std::string message) {
    return {StatusCode::cancelled, std::move(message)};
  }
  static Status unknown(std::string message) { return {StatusCode::unknown, std::move(message)}; }
  static Status invalid_argument(std::string message) {
    return {StatusCode::invalid_argument, std::move(message)};
  }
  static Status deadline_exceeded(std::string message) {
    return {StatusCode::deadline_exceeded, std::move(message)};
  }
  static Status not_found(std::string message) {
    return {StatusCode::not_found, std::move(message)};
  }
  static Status already_exists(std::string message) {
    return {StatusCode::already_exists, std::move(message)};
  }
  static Status permission_denied(std::string message) {
    return {StatusCode::permission_denied, std::move(message)};
  }
  static Status resource_exhausted(std::string message) {
    return {StatusCode::resource_exhausted, std::move(message)};
  }
  static Status failed_precondition(std::string message) {
    return {StatusCode::failed_precondition, std::move(message)};
  }
  static Status aborted(std::string message) { return {StatusCode::aborted, std::move(message)}; }
  static Status out_of_range(std::string message) {
    return {StatusCode::out_of_range, std::move(message)};
  }
  static Status unimplemented(std::string message) {
    return {StatusCode::unimplemented, std::move(message)};
  }
  static Status internal(std::string message) { return {StatusCode::internal, std::move(message)}; }
  static Status unavailable(std::string message) {
    return {StatusCode::unavailable, std::move(message)};
  }
  static Status data_loss(std::string message) {
    return {StatusCode::data_loss, std::move(message)};
  }
  static Status unauthenticated(std::string message) {
    return {StatusCode::unauthenticated, std::move(message)};
  }

  /// Whether the call succeeded.
  bool ok() const noexcept { return failure_ == nullptr; }
  StatusCode code() const noexcept;
  /// Why this process failed the call; `none` when OK, or when the peer failed it.
  StatusReason reason() const noexcept;
  /// As the peer or the handler wrote it; to_string() is safe to print. Empty when OK.
  const std::string& message() const noexcept;
  /// The bytes of `grpc-status-details-bin`: a serialised google.rpc.Status by convention. Empty
  /// when there are none.
  const std::string& details() const noexcept;
  /// The trailers that came with the failure; empty when OK or when the failure was local.
  const Metadata& trailers() const noexcept;

  // What a failure carries beside its code and message. OK carries nothing: it stays as it is.

  /// Details, which a server sends with the failure.
  Status& with_details(std::string bytes) &;
  Status with_details(std::string bytes) &&;
  /// Trailers: those that came, at a client; a server sends them with the failure, beside those of
  /// ServerContext::add_trailer().
  Status& with_trailers(Metadata trailers) &;
  Status with_trailers(Metadata trailers) &&;
  /// The reason, for this process only.
  Status& with_reason(StatusReason reason) & noexcept;
  Status with_reason(StatusReason reason) && noexcept;

  /// "NOT_FOUND: no such user", or "OK", for a log or a terminal: what is not seen in the message,
  /// such as control characters, and what is no UTF-8, is escaped ("\x1b").
  std::string to_string() const;

  /// Compares code, message and details.
  friend bool operator==(const Status& a, const Status& b);

 private:
  struct FailureInfo;
  struct Deleter {
    void operator()(FailureInfo* failure) const noexcept;
  };
  std::unique_ptr<FailureInfo, Deleter> failure_;
};

}  // namespace nearcall::inline v0

#pragma GCC visibility pop
