// SPDX-License-Identifier: Apache-2.0
// CodecSet: the encodings that one side of a connection can read, and which of them the other can.
#pragma once

#include <nearcall/codec.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nearcall::inline v0::detail::grpc {

/// The codecs that a channel or a server knows: gzip, deflate, and those that its user has added.
///
/// Thread safety: immutable.
class CodecSet {
 public:
  /// Which of them somebody takes: a bit for each, in their order.
  using Mask = std::uint32_t;
  /// Those that a user adds beyond as many are not known.
  static constexpr std::size_t max_codecs = 32;

  explicit CodecSet(std::span<const Codec* const> added = {});
  /// Those without any that a user has added.
  static const CodecSet& usual();

  /// The one of that name; null if there is none. "identity" is none of them.
  const Codec* find(std::string_view name) const noexcept;
  /// What `grpc-accept-encoding` says of this side.
  const std::string& accepted() const noexcept { return accepted_; }
  /// What a peer's `grpc-accept-encoding` says of its own.
  Mask read_accepted(std::string_view value) const noexcept;
  bool is_in(Mask mask, const Codec& codec) const noexcept;
  /// Whether it is one of them.
  bool has(const Codec& codec) const noexcept { return is_in(~Mask{0}, codec); }

 private:
  std::vector<const Codec*> codecs_;
  std::string accepted_ = "identity";
};

}  // namespace nearcall::inline v0::detail::grpc
