// SPDX-License-Identifier: Apache-2.0
// Codec: a way to compress messages, by the name that gRPC has for it.
#pragma once

#include <nearcall/result.hpp>
#include <nearcall/status.hpp>

#include <cstddef>
#include <span>
#include <string_view>

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0 {

/// Where a codec writes a message that it inflates: memory that its caller bounds.
class CodecOutput {
 public:
  /// Where the next bytes go; empty: the message is larger than its reader takes, and the codec
  /// returns. Valid until the next call.
  virtual std::span<std::byte> space() = 0;
  /// `count` bytes of the last space() are written.
  virtual void advance(std::size_t count) = 0;

 protected:
  ~CodecOutput() = default;
};

/// A way to compress messages. Channels and servers know gzip() and deflate(); derive from it, and
/// name it to both ends (ChannelOptions::codec(), ServerOptions::codec()), for another. What one
/// throws is caught: a message is INTERNAL then, or is sent as it is.
///
/// Whoever is given one keeps a reference: it outlives channels, servers and calls, as a constant
/// does. Thread safety: any number of threads, at the same time.
class Codec {
 public:
  Codec(const Codec&) = delete;
  Codec& operator=(const Codec&) = delete;
  virtual ~Codec() = default;

  /// Messages as they are: switches compression off where something else is the default.
  static const Codec& identity() noexcept;
  /// RFC 1952, by zlib at its default level, as other gRPCs have it. A thread that uses it keeps
  /// its state, of about 300 KiB: that of a loop until it is idle, another one until it ends.
  static const Codec& gzip() noexcept;
  /// RFC 1950 (which is what `deflate` means), in the same way.
  static const Codec& deflate() noexcept;

  /// What it is called in `grpc-encoding`: lower-case letters, digits, `-`, `_` and `.`; one of
  /// another name is never used.
  virtual std::string_view name() const noexcept = 0;
  /// Writes `message`, compressed, to the front of `to`, and returns how long that is; 0 if it does
  /// not fit, which is no fault: the message is sent as it is.
  virtual std::size_t compress(std::span<const std::byte> message,
                               std::span<std::byte> to) const = 0;
  /// Writes what `compressed` was made of to `to`, of which it takes no more than it fills. Any
  /// peer may have made `compressed`. An error says what is wrong with it, for people; the call
  /// ends with INTERNAL.
  virtual Result<void> inflate(std::span<const std::byte> compressed, CodecOutput& to) const = 0;

 protected:
  Codec() = default;
};

/// For write(): this message goes as it is, whatever the call compresses.
struct NoCompression {
  explicit constexpr NoCompression() noexcept = default;
};
inline constexpr NoCompression no_compression{};

}  // namespace nearcall::inline v0

#pragma GCC visibility pop
