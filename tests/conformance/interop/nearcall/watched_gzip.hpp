// SPDX-License-Identifier: Apache-2.0
// WatchedGzip: gzip that tells which messages were compressed, for the cases about that.
#pragma once

#include <nearcall/codec.hpp>

#include <atomic>
#include <utility>

namespace interop {

/// Takes gzip's place where it is named to a channel or a server.
class WatchedGzip final : public nearcall::Codec {
 public:
  std::string_view name() const noexcept override { return "gzip"; }
  std::size_t compress(std::span<const std::byte> message, std::span<std::byte> to) const override {
    return gzip().compress(message, to);
  }
  nearcall::Result<void> inflate(std::span<const std::byte> compressed,
                                 nearcall::CodecOutput& to) const override {
    inflated_ = true;
    return gzip().inflate(compressed, to);
  }

  /// Whether a message was inflated since the last question: where one message is read at a time,
  /// whether that was compressed.
  bool was_used() const { return inflated_.exchange(false); }

 private:
  mutable std::atomic<bool> inflated_{false};
};

inline const WatchedGzip watched_gzip;

}  // namespace interop
