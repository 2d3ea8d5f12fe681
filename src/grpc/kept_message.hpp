// SPDX-License-Identifier: Apache-2.0
// KeptMessage: a serialised message that can be sent more than once.
#pragma once

#include "base/owned_bytes.hpp"
#include "grpc/outgoing_message.hpp"

#include <array>
#include <cstddef>
#include <cstring>

namespace nearcall::inline v0::detail::grpc {

/// A message whose owner may drop it before it is sent: serialised once, sent at most twice.
///
/// A small one lies in here, and sending it copies it, as serialising it into the output would:
/// what a repeat costs the call that needs none is no allocation, and a copy of a few bytes. A
/// large one is on the heap, to be shared.
class KeptMessage {
 public:
  /// REQUIRES: message.check() is OK.
  void keep(const OutgoingMessage& message) { message.write(make_room(message.size())); }
  /// What was written already, with its prefix.
  void keep(ByteSpan framed) {
    std::memcpy(make_room(framed.size()), framed.data(), framed.size());
  }
  void drop() noexcept {
    size_ = 0;
    large_ = OwnedBytes();
  }
  bool is_kept() const noexcept { return size_ != 0; }

  /// It lies in here.
  bool is_small() const noexcept { return large_.empty(); }
  /// All of it, with its prefix.
  ByteSpan bytes() const noexcept {
    return large_.empty() ? ByteSpan(small_).first(size_) : large_.span();
  }
  /// The same, to be shared; empty if it is small.
  const OwnedBytes& shared() const noexcept { return large_; }

 private:
  std::byte* make_room(std::size_t size) {
    size_ = size;
    if (size <= small_.size()) return small_.data();
    large_ = OwnedBytes(size);
    return large_.writable();
  }

  std::array<std::byte, 192> small_;
  OwnedBytes large_;
  std::size_t size_ = 0;
};

}  // namespace nearcall::inline v0::detail::grpc
