// SPDX-License-Identifier: Apache-2.0
// MessageAssembler: the messages of one direction of a call, out of the fragments they arrive in.
#pragma once

#include "base/bytes.hpp"
#include "grpc/arrival_buffer.hpp"
#include "grpc/message_prefix.hpp"

#include <nearcall/status.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace nearcall::inline v0::detail::grpc {

/// Cuts the body of a request or a response into its messages (PROTOCOL-HTTP2.md,
/// "Length-Prefixed-Message"), however the bytes are split into fragments.
///
///     boundary --prefix--> body --last byte--> boundary          failed is final
///
/// A message that lies whole in one fragment is handed out where it lies. One that does not is
/// collected in a buffer of its own, into whose free_tail() the caller may read from the transport
/// without a copy. Size and flag are judged on the prefix, before any byte of the message is kept.
///
/// Thread safety: none; owned by the connection's driver. The view of a message lives until the
/// next call that is not const, and no longer than the fragment it may lie in.
class MessageAssembler {
 public:
  enum class Kind : std::uint8_t {
    need_more,   ///< the fragment is used up
    message,     ///< `message` is the next one; there may be more in the fragment
    compressed,  ///< the same, of one that has to be inflated
    failed,      ///< error() says why; the fragment is left as it was
  };
  struct Step {
    Kind kind = Kind::need_more;
    ByteSpan message;
    /// What the message took of the stream.
    std::size_t arrived_size() const noexcept { return message_prefix_size + message.size(); }
  };

  /// `max_message_size` is the largest message that is taken.
  explicit MessageAssembler(std::size_t max_message_size) noexcept : max_(max_message_size) {}

  /// Compressed messages are handed out: the peer has named an encoding that somebody knows.
  void accept_compressed() noexcept { accepts_compressed_ = true; }
  /// What the first compressed message fails with: the peer has named an encoding that nobody
  /// knows. Until then it is INTERNAL, since none was named.
  void refuse_compressed(Status why) noexcept { refusal_ = std::move(why); }

  /// Takes the next message off the front of `input`, or all of `input` when none is complete. Call
  /// it until it says need_more; also with an empty `input`, after advance().
  Step next(ByteSpan& input) {
    if (state_ == State::boundary && input.size() >= message_prefix_size &&
        input[0] == uncompressed_flag) {
      const std::size_t length = load_be32(input.data() + 1);
      if (length <= input.size() - message_prefix_size && length <= max_) {
        const ByteSpan message = input.subspan(message_prefix_size, length);
        input = input.subspan(message_prefix_size + length);
        return {Kind::message, message};
      }
    }
    return next_slowly(input);
  }

  /// How many bytes at the front of `bytes`, which begin where a message does, are whole messages.
  static std::size_t whole_messages(ByteSpan bytes) noexcept;

  /// Where the transport may put the next bytes of the message that is under way; empty when there
  /// is none, so its first bytes must go through next(). Memory grows with what arrives: expect
  /// less than missing(). Follow with advance() and next().
  MutableByteSpan free_tail();
  /// Counts bytes written to free_tail() as arrived. REQUIRES: count <= its size.
  void advance(std::size_t count);

  /// The caller is done with the last message, whose memory goes if it is large.
  void release() noexcept {
    if (state_ != State::delivered) return;
    buffer_.expect(0);
    state_ = State::boundary;
  }

  /// Nobody wants what is under way, nor what follows: its memory goes. Final, as a failure is.
  void drop() noexcept {
    buffer_ = ArrivalBuffer();
    state_ = State::failed;
  }

  /// Whether the next byte begins a message.
  bool is_at_boundary() const noexcept { return state_ == State::boundary; }
  /// Whether the end of the stream would cut a message in two.
  bool is_mid_message() const noexcept {
    return state_ == State::prefix || (state_ == State::body && buffer_.missing() != 0);
  }
  /// OK where the stream may end, INTERNAL inside a message, error() after a failure.
  Status end_of_stream() const;
  /// Why it failed; OK before that.
  const Status& error() const noexcept { return error_; }

  /// How many bytes of the message under way are held here.
  std::size_t buffered() const noexcept { return state_ == State::body ? buffer_.size() : 0; }
  /// How many bytes of the message under way are still to come; 0 while its length is not known.
  std::size_t missing() const noexcept { return state_ == State::body ? buffer_.missing() : 0; }
  std::size_t max_message_size() const noexcept { return max_; }
  /// How much memory is held for messages.
  std::size_t capacity() const noexcept { return buffer_.capacity(); }

 private:
  enum class State : std::uint8_t {
    boundary,   // between two messages
    prefix,     // some of the five bytes are here
    body,       // buffer_ knows the length and holds what has come
    delivered,  // the caller looks at buffer_; the next call is at a boundary
    failed,
  };

  Step next_slowly(ByteSpan& input);
  /// Moves prefix bytes over; whether all five are here.
  bool take_prefix(ByteSpan& input) noexcept;
  /// Judges a complete prefix; on success a body of its length is awaited.
  bool begin_body();
  Step take_body(ByteSpan& input);
  Kind body_kind() const noexcept {
    return prefix_[0] == compressed_flag ? Kind::compressed : Kind::message;
  }
  void fail(Status why);

  std::size_t max_;
  ArrivalBuffer buffer_;
  Status error_;
  Status refusal_;  // of what is compressed; OK: no encoding was named
  std::array<std::byte, message_prefix_size> prefix_{};
  std::uint8_t prefix_size_ = 0;
  bool accepts_compressed_ = false;
  State state_ = State::boundary;
};

}  // namespace nearcall::inline v0::detail::grpc
