// SPDX-License-Identifier: Apache-2.0
// OutgoingMessage: a message as it is sent, wherever its bytes go.
#pragma once

#include "base/bytes.hpp"
#include "grpc/message_prefix.hpp"

#include <nearcall/status.hpp>

#include <google/protobuf/message_lite.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>

namespace nearcall::inline v0::detail::grpc {

/// One message on its way out, prefix and all: the only place that decides what its flag is and
/// what stands behind it, unless it is compressed (CompressedMessage). Its bytes go to one of three
/// places: write() copies them into memory that the caller has (a session's output), KeptMessage
/// keeps them to be sent more than once, and MessagePieces leaves what is large in them where it
/// lies.
///
/// A value that refers to the message, which must not change, nor be measured anew
/// (ByteSizeLong()), before its bytes are written.
class OutgoingMessage {
 public:
  explicit OutgoingMessage(const google::protobuf::MessageLite& message)
      : message_(&message), message_size_(message.ByteSizeLong()) {}

  /// No protobuf message may be larger than 2 GiB.
  static constexpr std::size_t max_size{std::numeric_limits<std::int32_t>::max()};

  /// OK, or RESOURCE_EXHAUSTED: it is larger than `most`, or than protobuf's 2 GiB.
  Status check(std::size_t most = max_size) const {
    if (is_at_most(most)) return Status();
    std::string why = "a message of " + std::to_string(message_size_) + " bytes is over ";
    why += most < max_size ? "the send limit of " + std::to_string(most) + " bytes"
                           : std::string("protobuf's 2 GiB");
    return Status(StatusCode::resource_exhausted, std::move(why)).with_reason(StatusReason::limit);
  }
  bool is_at_most(std::size_t most) const noexcept {
    return message_size_ <= std::min(most, max_size);
  }
  /// What is written in the end, with the prefix.
  std::size_t size() const noexcept { return message_prefix_size + message_size_; }

  /// Writes size() bytes. REQUIRES: check() is OK.
  void write(std::byte* to) const {
    write_prefix(to);
    message_->SerializeWithCachedSizesToArray(
        reinterpret_cast<std::uint8_t*>(to + message_prefix_size));
  }
  /// Writes message_prefix_size of them, what `message()` is serialised as comes next.
  void write_prefix(std::byte* to) const noexcept {
    grpc::write_prefix(to, uncompressed_flag, static_cast<std::uint32_t>(message_size_));
  }
  const google::protobuf::MessageLite& message() const noexcept { return *message_; }

 private:
  const google::protobuf::MessageLite* message_;
  std::size_t message_size_;
};

}  // namespace nearcall::inline v0::detail::grpc
