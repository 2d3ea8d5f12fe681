// SPDX-License-Identifier: Apache-2.0
// The two frames of a refusal.
#include "server/refusal_notice.hpp"

#include "base/bytes.hpp"
#include "http2/protocol.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

namespace nearcall::inline v0::detail {
namespace {

constexpr std::size_t header_size = 9;  // 9113 4.1: length, type, flags, stream
constexpr std::size_t goaway_size = 8;  // 9113 6.8: last stream, code
constexpr std::size_t most_text = 256;

/// A header of a frame without flags on stream 0.
std::byte* put_header(std::byte* to, std::size_t length, http2::FrameType type) noexcept {
  std::memset(to, 0, header_size);
  store_be24(to, static_cast<std::uint32_t>(length));
  to[3] = static_cast<std::byte>(type);
  return to + header_size;
}

/// GOAWAY with last id 0: no call was begun. In one write with SETTINGS, which a client takes for
/// leave to send what it does not keep.
void send_goaway(Transport& transport, http2::ErrorCode code, std::string_view text) {
  std::array<std::byte, 2 * header_size + goaway_size + most_text> notice{};
  std::byte* end = put_header(notice.data(), 0, http2::FrameType::settings);
  end = put_header(end, goaway_size + text.size(), http2::FrameType::goaway);
  store_be32(end, 0);
  store_be32(end + 4, static_cast<std::uint32_t>(code));
  end =
      std::copy_n(reinterpret_cast<const std::byte*>(text.data()), text.size(), end + goaway_size);
  const iovec whole{notice.data(), static_cast<std::size_t>(end - notice.data())};
  static_cast<void>(transport.try_write(std::span(&whole, 1)));
}

}  // namespace

void send_refusal_notice(Transport& transport, std::string_view policy) {
  send_goaway(transport, http2::ErrorCode::inadequate_security,
              "not admitted; the server's policy: " + std::string(policy.substr(0, 200)));
}

void send_move_notice(Transport& transport) {
  send_goaway(transport, http2::ErrorCode::no_error, "another server has taken the name over");
}

}  // namespace nearcall::inline v0::detail
