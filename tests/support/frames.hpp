// SPDX-License-Identifier: Apache-2.0
// Frames: builders of HTTP/2 frames as bytes, right or wrong, for tests that read like the RFC.
#pragma once

#include "base/bytes.hpp"
#include "http2/frame.hpp"
#include "http2/hpack/encoder.hpp"
#include "http2/protocol.hpp"
#include "http2/settings.hpp"

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace nearcall::test::frames {

namespace http2 = detail::http2;

using http2::ErrorCode;
using http2::FrameType;
using http2::SettingId;
using http2::StreamId;
namespace flag = http2::frame_flag;

inline std::string be32(std::uint32_t value) {
  std::string bytes(4, '\0');
  detail::store_be32(reinterpret_cast<std::byte*>(bytes.data()), value);
  return bytes;
}

/// Any frame; nothing about it is checked. `length` is that of the payload unless it is given.
inline std::string raw(FrameType type,
                       std::uint8_t flags,
                       StreamId stream,
                       std::string_view payload,
                       std::int64_t length = -1) {
  std::string frame(http2::frame_header_size, '\0');
  const auto size = length < 0 ? payload.size() : static_cast<std::size_t>(length);
  http2::store_frame_header(reinterpret_cast<std::byte*>(frame.data()),
                            {static_cast<std::uint32_t>(size), type, flags, stream});
  return frame.append(payload);
}

inline std::string preface() {
  return std::string(http2::client_preface);
}
inline std::string settings(std::initializer_list<http2::Setting> entries = {}) {
  std::string payload;
  for (const http2::Setting& entry : entries) {
    std::string bytes(http2::payload_size::setting, '\0');
    http2::store_setting(reinterpret_cast<std::byte*>(bytes.data()), entry);
    payload += bytes;
  }
  return raw(FrameType::settings, 0, 0, payload);
}
inline std::string settings_ack() {
  return raw(FrameType::settings, flag::ack, 0, "");
}
inline std::string headers(StreamId stream,
                           std::string_view block,
                           std::uint8_t flags = flag::end_headers) {
  return raw(FrameType::headers, flags, stream, block);
}
inline std::string continuation(StreamId stream,
                                std::string_view block,
                                std::uint8_t flags = flag::end_headers) {
  return raw(FrameType::continuation, flags, stream, block);
}
inline std::string data(StreamId stream, std::string_view bytes, std::uint8_t flags = 0) {
  return raw(FrameType::data, flags, stream, bytes);
}
inline std::string padded_data(StreamId stream,
                               std::string_view bytes,
                               std::uint8_t padding,
                               std::uint8_t flags = 0) {
  std::string payload(1, static_cast<char>(padding));
  payload.append(bytes).append(padding, '\0');
  return raw(FrameType::data, flags | flag::padded, stream, payload);
}
inline std::string rst_stream(StreamId stream, ErrorCode code) {
  return raw(FrameType::rst_stream, 0, stream, be32(static_cast<std::uint32_t>(code)));
}
inline std::string ping(std::string_view eight_bytes, std::uint8_t flags = 0) {
  return raw(FrameType::ping, flags, 0, eight_bytes);
}
inline std::string goaway(StreamId last, ErrorCode code, std::string_view debug = {}) {
  return raw(FrameType::goaway, 0, 0,
             be32(last) + be32(static_cast<std::uint32_t>(code)) + std::string(debug));
}
inline std::string window_update(StreamId stream, std::uint32_t increment) {
  return raw(FrameType::window_update, 0, stream, be32(increment));
}
inline std::string priority(StreamId stream, StreamId depends_on, std::uint8_t weight = 15) {
  return raw(FrameType::priority, 0, stream, be32(depends_on) + static_cast<char>(weight));
}

/// A header block that leaves the dynamic table alone: literals without indexing.
inline std::string block(std::initializer_list<http2::HeaderField> fields) {
  http2::HpackEncoder encoder;
  std::vector<http2::HeaderField> literal(fields);
  for (http2::HeaderField& field : literal) {
    field.indexing = http2::Indexing::without;
  }
  std::vector<std::byte> bytes;
  encoder.encode(literal, bytes);
  return std::string(detail::as_text(bytes));
}
inline std::string request_block(std::string_view path = "/a.B/C") {
  return block({{":method", "POST"},
                {":scheme", "http"},
                {":path", path},
                {":authority", "localhost"},
                {"te", "trailers"},
                {"content-type", "application/grpc"}});
}
inline std::string response_block() {
  return block({{":status", "200"}, {"content-type", "application/grpc"}});
}
inline std::string trailers_block() {
  return block({{"grpc-status", "0"}});
}

}  // namespace nearcall::test::frames
