// SPDX-License-Identifier: Apache-2.0
// What a codec makes of a text, and what it makes of that.
#pragma once

#include "base/bytes.hpp"

#include <nearcall/codec.hpp>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace nearcall::test {

/// `text`, compressed; empty if it does not fit into twice its size.
inline std::string compressed(const Codec& codec, std::string_view text) {
  std::vector<std::byte> room(2 * text.size() + 100);
  const std::size_t size = codec.compress(detail::as_bytes(text), room);
  return std::string(detail::as_text(std::span(room).first(size)));
}

/// A text that compresses to about a third.
inline std::string words(std::size_t size) {
  std::string text;
  for (unsigned seed = 1; text.size() < size; seed = seed * 1103515245 + 12345) {
    text += seed >> 16 & 1 ? "nearcall " : "message ";
    text += std::to_string(seed >> 8 & 0xff);
  }
  text.resize(size);
  return text;
}

/// Takes what is inflated in pieces of `piece` bytes, `most` at the most.
class StringOutput final : public CodecOutput {
 public:
  explicit StringOutput(std::size_t piece, std::size_t most = std::size_t{1} << 30)
      : piece_(piece), most_(most) {}

  std::span<std::byte> space() override {
    piece_.resize(std::min(piece_.size(), most_ - text.size()));
    return piece_;
  }
  void advance(std::size_t count) override {
    text += detail::as_text(std::span(piece_).first(count));
  }

  std::string text;

 private:
  std::vector<std::byte> piece_;
  std::size_t most_;
};

}  // namespace nearcall::test
