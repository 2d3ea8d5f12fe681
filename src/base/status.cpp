// SPDX-License-Identifier: Apache-2.0
// Status: OK is null, a failure lives on the heap.
#include "base/quote.hpp"

#include <nearcall/metadata.hpp>
#include <nearcall/status.hpp>

#include <array>

namespace nearcall::inline v0 {
namespace {

constexpr std::int32_t last_code = static_cast<std::int32_t>(StatusCode::unauthenticated);

bool is_in_the_list(StatusCode code) {
  const auto number = static_cast<std::int32_t>(code);
  return number >= 0 && number <= last_code;
}

}  // namespace

struct Status::FailureInfo {
  StatusCode code;
  StatusReason reason;
  std::string message;
  std::string details;
  Metadata trailers;
};

std::string_view to_string(StatusCode code) {
  static constexpr std::array<std::string_view, last_code + 1> names = {"OK",
                                                                        "CANCELLED",
                                                                        "UNKNOWN",
                                                                        "INVALID_ARGUMENT",
                                                                        "DEADLINE_EXCEEDED",
                                                                        "NOT_FOUND",
                                                                        "ALREADY_EXISTS",
                                                                        "PERMISSION_DENIED",
                                                                        "RESOURCE_EXHAUSTED",
                                                                        "FAILED_PRECONDITION",
                                                                        "ABORTED",
                                                                        "OUT_OF_RANGE",
                                                                        "UNIMPLEMENTED",
                                                                        "INTERNAL",
                                                                        "UNAVAILABLE",
                                                                        "DATA_LOSS",
                                                                        "UNAUTHENTICATED"};
  return is_in_the_list(code) ? names[static_cast<std::size_t>(code)] : "UNKNOWN";
}

std::string_view to_string(StatusReason reason) {
  switch (reason) {
    case StatusReason::none:
      return "none";
    case StatusReason::bad_target:
      return "bad_target";
    case StatusReason::no_server:
      return "no_server";
    case StatusReason::no_permission:
      return "no_permission";
    case StatusReason::refused:
      return "refused";
    case StatusReason::wrong_server:
      return "wrong_server";
    case StatusReason::not_grpc:
      return "not_grpc";
    case StatusReason::server_stopping:
      return "server_stopping";
    case StatusReason::connection_lost:
      return "connection_lost";
    case StatusReason::system_limit:
      return "system_limit";
    case StatusReason::limit:
      return "limit";
    case StatusReason::address_in_use:
      return "address_in_use";
    case StatusReason::misuse:
      return "misuse";
    case StatusReason::no_answer:
      return "no_answer";
  }
  return "none";
}

Status::Status(StatusCode code, std::string message) {
  if (code == StatusCode::ok) return;
  if (!is_in_the_list(code)) {
    std::string number = "unknown status code " + std::to_string(static_cast<std::int32_t>(code));
    if (!message.empty()) number.append(": ").append(message);
    message = std::move(number);
    code = StatusCode::unknown;
  }
  failure_.reset(new FailureInfo{code, StatusReason::none, std::move(message), {}, {}});
}

Status::Status(const Status& other)
    : failure_(other.failure_ ? new FailureInfo(*other.failure_) : nullptr) {
}

Status& Status::operator=(const Status& other) {
  if (this != &other) {
    failure_.reset(other.failure_ ? new FailureInfo(*other.failure_) : nullptr);
  }
  return *this;
}

void Status::Deleter::operator()(FailureInfo* failure) const noexcept {
  delete failure;
}

StatusCode Status::code() const noexcept {
  return failure_ ? failure_->code : StatusCode::ok;
}

StatusReason Status::reason() const noexcept {
  return failure_ ? failure_->reason : StatusReason::none;
}

const std::string& Status::message() const noexcept {
  static const std::string none;
  return failure_ ? failure_->message : none;
}

const std::string& Status::details() const noexcept {
  static const std::string none;
  return failure_ ? failure_->details : none;
}

const Metadata& Status::trailers() const noexcept {
  static const Metadata none;
  return failure_ ? failure_->trailers : none;
}

Status& Status::with_details(std::string bytes) & {
  if (failure_) failure_->details = std::move(bytes);
  return *this;
}

Status Status::with_details(std::string bytes) && {
  return std::move(with_details(std::move(bytes)));
}

Status& Status::with_trailers(Metadata trailers) & {
  if (failure_) failure_->trailers = std::move(trailers);
  return *this;
}

Status Status::with_trailers(Metadata trailers) && {
  return std::move(with_trailers(std::move(trailers)));
}

Status& Status::with_reason(StatusReason reason) & noexcept {
  if (failure_) failure_->reason = reason;
  return *this;
}

Status Status::with_reason(StatusReason reason) && noexcept {
  return std::move(with_reason(reason));
}

std::string Status::to_string() const {
  std::string text(nearcall::to_string(code()));
  if (!message().empty()) text.append(": ").append(detail::escaped(message()));
  return text;
}

bool operator==(const Status& a, const Status& b) {
  return a.code() == b.code() && a.message() == b.message() && a.details() == b.details();
}

}  // namespace nearcall::inline v0
