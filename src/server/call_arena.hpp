// SPDX-License-Identifier: Apache-2.0
// CallArena: the arena of one call, and of its reply until that is sent.
#pragma once

#include "base/owned_bytes.hpp"

#include <google/protobuf/arena.h>

#include <cstddef>
#include <memory>

namespace nearcall::inline v0::detail {

/// An arena whose first block lies behind it, in memory that the thread keeps for frames: calls
/// with small messages get and give back no other. It goes with its last reference.
///
/// Thread safety: made and referred to on one thread; the arena itself is for any.
class CallArena final : public BytesOwner {
 public:
  /// What it takes while its messages are small.
  static constexpr std::size_t size = 2048;

  struct Release {
    void operator()(CallArena* arena) const noexcept { arena->release_reference(); }
  };
  using Ptr = std::unique_ptr<CallArena, Release>;

  static Ptr make();
  google::protobuf::Arena& arena() noexcept { return arena_; }

 private:
  explicit CallArena(const google::protobuf::ArenaOptions& options) : arena_(options) {}
  ~CallArena() = default;
  void on_unreferenced() noexcept override;

  google::protobuf::Arena arena_;
};

}  // namespace nearcall::inline v0::detail
