// SPDX-License-Identifier: Apache-2.0
// Frame rules: one function a rule.
#include "http2/frame_rules.hpp"

#include <algorithm>
#include <array>

namespace nearcall::inline v0::detail::http2 {
namespace {

Failure<Violation> protocol_failure(std::string_view what) {
  return connection_error(ErrorCode::protocol_error, what);
}
Failure<Violation> size_failure(std::string_view what) {
  return connection_error(ErrorCode::frame_size_error, what);
}

Result<void, Violation> check_settings(const FrameHeader& header, const ConnectionLimits& limits) {
  if (header.stream != 0) return protocol_failure("SETTINGS on a stream");
  if (header.has(frame_flag::ack) && header.length != 0) {
    return size_failure("SETTINGS ACK with a payload");
  }
  if (header.length % payload_size::setting != 0) return size_failure("SETTINGS of odd length");
  if (header.length / payload_size::setting > limits.max_settings_entries) {
    return connection_error(ErrorCode::enhance_your_calm,
                            "too many entries in SETTINGS (max_settings_entries)");
  }
  return {};
}

Result<void, Violation> check_headers(const FrameHeader& header, const ConnectionLimits& limits) {
  if (header.stream == 0) return protocol_failure("HEADERS or CONTINUATION on stream 0");
  // A frame's padding and priority fields are not part of the block.
  static constexpr std::uint64_t around_block = 1 + 255 + payload_size::priority;
  if (header.length > limits.max_header_block_size + around_block) {
    return connection_error(ErrorCode::enhance_your_calm,
                            "header block too large (max_header_block_size)");
  }
  return {};
}

constexpr std::array<std::string_view, 9> methods = {
    "GET ", "POST ", "PUT ", "HEAD ", "DELETE ", "OPTIONS ", "PATCH ", "CONNECT ", "TRACE "};

bool looks_like_tls(std::string_view bytes) noexcept {
  return bytes.starts_with("\x16\x03") || bytes.starts_with("\x15\x03");
}

}  // namespace

Result<void, Violation> check_first_frame(const FrameHeader& header, const std::byte* raw) {
  if (header.type == FrameType::settings && !header.has(frame_flag::ack)) return {};
  const std::string_view text = as_text({raw, frame_header_size});
  if (text.starts_with("HTTP/1.")) return protocol_failure("HTTP/1.1 response");
  if (looks_like_tls(text)) return protocol_failure("TLS record");
  const bool is_frame = header.type <= FrameType::continuation;
  return protocol_failure(is_frame ? "the first frame is not SETTINGS" : "not HTTP/2");
}

Result<void, Violation> check_frame_header(const FrameHeader& header,
                                           std::uint32_t max_frame_size,
                                           const ConnectionLimits& limits) {
  if (header.length > max_frame_size) return size_failure("frame above SETTINGS_MAX_FRAME_SIZE");
  switch (header.type) {
    case FrameType::data:
      if (header.stream == 0) return protocol_failure("DATA on stream 0");
      if (header.has(frame_flag::padded) && header.length == 0) {
        return size_failure("padded DATA without a pad length");
      }
      return {};
    case FrameType::headers:
    case FrameType::continuation:
      return check_headers(header, limits);
    case FrameType::priority:
      if (header.stream == 0) return protocol_failure("PRIORITY on stream 0");
      if (header.length != payload_size::priority) return size_failure("PRIORITY of odd length");
      return {};
    case FrameType::rst_stream:
      if (header.stream == 0) return protocol_failure("RST_STREAM on stream 0");
      if (header.length != payload_size::rst_stream) {
        return size_failure("RST_STREAM of odd length");
      }
      return {};
    case FrameType::settings:
      return check_settings(header, limits);
    case FrameType::push_promise:  // 8.4: we are a server, or a client that said ENABLE_PUSH 0
      return protocol_failure("PUSH_PROMISE");
    case FrameType::ping:
      if (header.stream != 0) return protocol_failure("PING on a stream");
      if (header.length != payload_size::ping) return size_failure("PING of odd length");
      return {};
    case FrameType::goaway:
      if (header.stream != 0) return protocol_failure("GOAWAY on a stream");
      if (header.length < payload_size::goaway) return size_failure("GOAWAY too short");
      return {};
    case FrameType::window_update:
      if (header.length != payload_size::window_update) {
        return size_failure("WINDOW_UPDATE of odd length");
      }
      return {};
  }
  return {};  // 4.1: types that we do not know are none of our business
}

PrefaceReader::State PrefaceReader::read(ByteSpan& input) noexcept {
  if (size_ == 0 && as_text(input).starts_with(client_preface)) [[likely]] {
    input = input.subspan(client_preface.size());
    return State::complete;
  }
  while (size_ < seen_.size() && !input.empty()) {
    seen_[size_++] = static_cast<char>(input.front());
    input = input.subspan(1);
    const std::string_view seen(seen_.data(), size_);
    if (client_preface.starts_with(seen)) continue;
    if (const State state = classify(); state != State::incomplete) return state;
  }
  const bool is_whole = std::string_view(seen_.data(), size_) == client_preface;
  return is_whole ? State::complete : State::incomplete;
}

PrefaceReader::State PrefaceReader::classify() noexcept {
  const std::string_view seen(seen_.data(), size_);
  if (looks_like_tls(seen)) {
    what_ = "TLS ClientHello";
    return State::wrong;
  }
  const auto may_become = [&](std::string_view text) { return text.starts_with(seen); };
  const auto has_become = [&](std::string_view text) { return seen.starts_with(text); };
  if (std::ranges::any_of(methods, has_become)) {
    what_ = "HTTP/1.1 request";
    return State::wrong;
  }
  if (std::ranges::any_of(methods, may_become) || seen == "\x16" || seen == "\x15") {
    return State::incomplete;
  }
  what_ = "not HTTP/2";
  return State::wrong;
}

}  // namespace nearcall::inline v0::detail::http2
