// SPDX-License-Identifier: Apache-2.0
// Status: OK is null, a failure lives on the heap.
#include "base/check.hpp"

#include <nearcall/metadata.hpp>
#include <nearcall/status.hpp>

#include <array>

namespace nearcall {

struct Status::FailureInfo {
  StatusCode code;
  std::string message;
  std::string details;
  Metadata trailers;
};

std::string_view to_string(StatusCode code) {
  static constexpr std::array<std::string_view, 17> names = {"OK",
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
  const auto index = static_cast<std::size_t>(code);
  return index < names.size() ? names[index] : "UNKNOWN";
}

Status::Status(StatusCode code, std::string message)
    : failure_(new FailureInfo{code, std::move(message), {}, {}}) {
  CHECK(code != StatusCode::ok);
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

Status& Status::with_details(std::string bytes) {
  CHECK(failure_ != nullptr);
  failure_->details = std::move(bytes);
  return *this;
}

Status& Status::with_trailers(Metadata trailers) {
  CHECK(failure_ != nullptr);
  failure_->trailers = std::move(trailers);
  return *this;
}

std::string Status::to_string() const {
  std::string text(nearcall::to_string(code()));
  if (!message().empty()) text.append(": ").append(message());
  return text;
}

bool operator==(const Status& a, const Status& b) {
  return a.code() == b.code() && a.message() == b.message() && a.details() == b.details();
}

}  // namespace nearcall
