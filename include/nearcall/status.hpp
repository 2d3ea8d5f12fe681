// SPDX-License-Identifier: Apache-2.0
// How a call ended: the status codes of gRPC and the Status value.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace nearcall {

class Metadata;

/// The canonical status codes (gRPC: doc/statuscodes.md). The numbers go over the wire as
/// `grpc-status` and never change.
enum class StatusCode : std::uint8_t {
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

/// How a call ended. One pointer wide: OK is null, and everything else lives behind the pointer.
///
/// A value: copies are independent. Thread safety: as a std::string.
class [[nodiscard]] Status {
 public:
  /// OK.
  Status() noexcept = default;
  /// A failure. REQUIRES: code != StatusCode::ok. `message` is for people, and is sent to the peer.
  Status(StatusCode code, std::string message);
  Status(const Status& other);
  Status& operator=(const Status& other);
  Status(Status&&) noexcept = default;
  Status& operator=(Status&&) noexcept = default;
  ~Status() = default;

  /// Whether the call succeeded.
  bool ok() const noexcept { return failure_ == nullptr; }
  StatusCode code() const noexcept;
  /// Empty when OK.
  const std::string& message() const noexcept;
  /// The bytes of `grpc-status-details-bin`: a serialised google.rpc.Status by convention. Empty
  /// when there are none.
  const std::string& details() const noexcept;
  /// The trailers that came with the failure; empty when OK or when the failure was local.
  const Metadata& trailers() const noexcept;

  /// Gives this failure details, which a server sends with it. REQUIRES: !ok().
  Status& with_details(std::string bytes);
  /// Gives this failure trailers: those that came, at a client; a server sends them with it, beside
  /// those of ServerContext::add_trailer(). REQUIRES: !ok().
  Status& with_trailers(Metadata trailers);

  /// "NOT_FOUND: no such user", or "OK".
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

}  // namespace nearcall
