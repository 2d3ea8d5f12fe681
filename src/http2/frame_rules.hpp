// SPDX-License-Identifier: Apache-2.0
// Frame rules: what is wrong with a frame, as far as its header shows it (RFC 9113 section 6).
#pragma once

#include "http2/frame.hpp"
#include "http2/violation.hpp"

#include <nearcall/connection_limits.hpp>
#include <nearcall/result.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace nearcall::inline v0::detail::http2 {

/// The first frame of each side is SETTINGS (section 3.4). `raw`: the header's bytes; where they
/// are no frame at all the violation says what they look like.
Result<void, Violation> check_first_frame(const FrameHeader& header, const std::byte* raw);
/// Lengths, and whether the frame belongs to a stream or to the connection.
Result<void, Violation> check_frame_header(const FrameHeader& header,
                                           std::uint32_t max_frame_size,
                                           const ConnectionLimits& limits);

/// Reads the client's connection preface (3.4).
class PrefaceReader {
 public:
  enum class State : std::uint8_t { incomplete, complete, wrong };

  /// Takes bytes of the preface off the front of `input`.
  State read(ByteSpan& input) noexcept;
  /// What came instead: "HTTP/1.1 request", "TLS ClientHello" or "not HTTP/2".
  /// REQUIRES: read() answered `wrong`.
  std::string_view what() const noexcept { return what_; }

 private:
  State classify() noexcept;

  std::array<char, client_preface.size()> seen_{};
  std::uint8_t size_ = 0;
  std::string_view what_;
};

}  // namespace nearcall::inline v0::detail::http2
