// SPDX-License-Identifier: Apache-2.0
// Choices: what a simulation decides by, a seed or the bytes of a fuzzer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace nearcall::test {

class Choices {
 public:
  virtual ~Choices() = default;
  /// 0 to `count` - 1. REQUIRES: count > 0.
  virtual std::uint32_t below(std::uint32_t count) = 0;

  bool one_in(std::uint32_t count) { return below(count) == 0; }
  std::uint32_t between(std::uint32_t least, std::uint32_t most) {
    return least + below(most - least + 1);
  }
};

/// The same seed, the same choices, on every machine.
class SeededChoices final : public Choices {
 public:
  explicit SeededChoices(std::uint64_t seed) noexcept : state_(seed) {}

  std::uint32_t below(std::uint32_t count) override {
    // SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
    std::uint64_t mixed = state_ += 0x9e3779b97f4a7c15U;
    mixed = (mixed ^ (mixed >> 30U)) * 0xbf58476d1ce4e5b9U;
    mixed = (mixed ^ (mixed >> 27U)) * 0x94d049bb133111ebU;
    return static_cast<std::uint32_t>((mixed ^ (mixed >> 31U)) % count);
  }

 private:
  std::uint64_t state_;
};

/// One choice a byte; always 0 once they are used up.
class ByteChoices final : public Choices {
 public:
  explicit ByteChoices(std::span<const std::uint8_t> bytes) noexcept : bytes_(bytes) {}

  bool are_used_up() const noexcept { return next_ == bytes_.size(); }
  std::uint32_t below(std::uint32_t count) override {
    return are_used_up() ? 0 : bytes_[next_++] % count;
  }

 private:
  std::span<const std::uint8_t> bytes_;
  std::size_t next_ = 0;
};

}  // namespace nearcall::test
