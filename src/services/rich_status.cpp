// SPDX-License-Identifier: Apache-2.0
// RichStatus to and from the bytes of a google.rpc.Status.
#include <nearcall/rich_status.hpp>

#include <nearcall_contract/google/rpc/status.pb.h>

namespace nearcall::inline v0 {
namespace {

using Wire = nearcall_contract::google::rpc::Status;

/// A number outside the list is UNKNOWN, as that of the call is.
StatusCode code_of(const Wire& wire) {
  return Status(static_cast<StatusCode>(wire.code()), std::string()).code();
}

}  // namespace

Result<RichStatus> RichStatus::from(const Status& status) {
  RichStatus rich(status.code(), status.message());
  if (status.details().empty()) return rich;
  Wire wire;
  if (!wire.ParseFromString(status.details()))
    return Status::internal("grpc-status-details-bin is no google.rpc.Status");
  if (code_of(wire) != status.code()) {
    return Status::internal("grpc-status-details-bin is of code " + std::to_string(wire.code()) +
                            ", and the call ended with " +
                            std::to_string(static_cast<int>(status.code())));
  }
  rich.message_ = std::move(*wire.mutable_message());
  for (google::protobuf::Any& detail : *wire.mutable_details())
    rich.details_.push_back(std::move(detail));
  return rich;
}

Status RichStatus::to_status() const {
  Wire wire;
  wire.set_code(static_cast<int>(code_));
  wire.set_message(message_);
  for (const google::protobuf::Any& detail : details_)
    *wire.add_details() = detail;
  return Status(code_, message_).with_details(wire.SerializeAsString());
}

}  // namespace nearcall::inline v0
