// SPDX-License-Identifier: Apache-2.0
// KeptRequest: a serialised request that can be sent more than once.
#pragma once

#include "base/owned_bytes.hpp"
#include "connection/message_stream.hpp"
#include "grpc/message_prefix.hpp"

#include <nearcall/status.hpp>

#include <google/protobuf/message_lite.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>

namespace nearcall::inline v0::detail {

/// The request of a call whose caller may drop the message before the call has begun: serialised
/// once, sent at most twice.
///
/// A small one lies in here, and sending it copies it into the output, as serialising it there
/// would: what a repeat costs the call that needs none is no allocation, and a copy of a few bytes.
/// A large one is on the heap and shared with the session: it is never copied.
class KeptRequest {
 public:
  /// RESOURCE_EXHAUSTED if it is too large to be sent at all.
  Status keep(const google::protobuf::MessageLite& message) {
    const std::size_t size = message.ByteSizeLong();
    if (size > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
      return Status(StatusCode::resource_exhausted, "the request is over protobuf's 2 GiB");
    }
    size_ = grpc::message_prefix_size + size;
    std::byte* to = small_.data();
    if (size_ > small_.size()) {
      OwnedBytes bytes(size_);
      to = bytes.writable();
      large_ = std::move(bytes);
    }
    grpc::write_prefix(to, grpc::uncompressed_flag, static_cast<std::uint32_t>(size));
    message.SerializeWithCachedSizesToArray(
        reinterpret_cast<std::uint8_t*>(to + grpc::message_prefix_size));
    return Status();
  }
  bool is_kept() const noexcept { return size_ != 0; }
  ByteSpan bytes() const noexcept {
    return large_.empty() ? ByteSpan(small_).first(size_) : large_.span();
  }
  /// As the only message of the call. REQUIRES: it is kept, and the session stays on this thread.
  void send(MessageStream& to) const {
    if (large_.empty()) {
      to.write_framed(bytes(), /*end_stream=*/true);
    } else {
      to.write_framed(large_, /*end_stream=*/true);
    }
  }
  void drop() noexcept {
    size_ = 0;
    large_ = OwnedBytes();
  }

 private:
  std::array<std::byte, 192> small_;
  OwnedBytes large_;
  std::size_t size_ = 0;
};

}  // namespace nearcall::inline v0::detail
