// SPDX-License-Identifier: Apache-2.0
// InflatedMessage: a compressed message as it was, in memory that has a bound.
#pragma once

#include "base/bytes.hpp"
#include "base/heap_block.hpp"

#include <nearcall/codec.hpp>
#include <nearcall/status.hpp>

#include <google/protobuf/message_lite.h>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <vector>

namespace nearcall::inline v0::detail::grpc {

/// What a compressed message was made of. Memory grows with what comes out, twice as much at most,
/// and ends at the limit: a bomb costs what a large message does.
///
/// Thread safety: none.
class InflatedMessage final : private CodecOutput {
 public:
  /// `max_size` is the largest message that is taken.
  explicit InflatedMessage(std::size_t max_size) noexcept : max_(std::min(max_size, max_parsed)) {}

  /// OK, RESOURCE_EXHAUSTED beyond the limit, or INTERNAL where the codec refuses it. Once.
  Status inflate(const Codec& codec, ByteSpan compressed);
  std::size_t size() const noexcept { return size_; }
  std::size_t capacity() const noexcept { return capacity_; }
  /// REQUIRES: inflate() was OK.
  bool parse(google::protobuf::MessageLite& into) const;

 private:
  static constexpr std::size_t first_block = 4096;
  /// No message that protobuf parses is larger.
  static constexpr std::size_t max_parsed{std::numeric_limits<int>::max()};

  struct Piece {
    HeapBlock block;
    std::size_t size = 0;
  };

  // CodecOutput
  MutableByteSpan space() override;
  void advance(std::size_t count) override;

  const std::size_t max_;
  /// What the first piece should have room for.
  std::size_t expected_ = 0;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
  std::size_t offered_ = 0;  // by the last space()
  std::vector<Piece> pieces_;
};

}  // namespace nearcall::inline v0::detail::grpc
