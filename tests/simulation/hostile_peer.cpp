// SPDX-License-Identifier: Apache-2.0
// The vocabulary of a hostile peer.
#include "simulation/hostile_peer.hpp"

#include "support/frames.hpp"

#include <array>
#include <string_view>

namespace nearcall::test {

namespace http2 = detail::http2;
namespace {

using frames::FrameType;
namespace flag = frames::flag;

/// A header field as a literal without indexing (RFC 7541 section 6.2.2), whatever is in it.
std::string literal(std::string_view name, std::string_view value) {
  const auto text = [](std::string_view of) {
    std::string coded;
    if (of.size() < 127) {
      coded += static_cast<char>(of.size());
    } else {
      std::size_t rest = of.size() - 127;
      coded += '\x7f';
      for (; rest >= 128; rest /= 128)
        coded += static_cast<char>(rest % 128 + 128);
      coded += static_cast<char>(rest);
    }
    return coded.append(of);
  };
  return '\0' + text(name) + text(value);
}

}  // namespace

std::string HostilePeer::filling(std::uint32_t most) {
  return std::string(choices_.below(most), static_cast<char>(choices_.below(256)));
}

std::string HostilePeer::hello() {
  std::string text = role_ == http2::Role::client ? frames::preface() : std::string();
  if (choices_.one_in(2)) return text + frames::settings() + frames::settings_ack();
  return text + setting() + frames::settings_ack();
}

std::string HostilePeer::setting() {
  static constexpr std::array<std::uint32_t, 8> values = {
      0, 1, 100, 16'384, 65'535, 0x7fff'ffff, 0x8000'0000, 0xffff'ffff};
  if (is_careful_) {
    return frames::settings({{http2::SettingId::initial_window_size, choices_.below(256) * 256}});
  }
  const auto id = static_cast<http2::SettingId>(choices_.below(10));
  const std::uint32_t value = values[choices_.below(values.size())];
  return frames::settings({{id, value}});
}

std::uint32_t HostilePeer::stream() {
  if (!is_careful_ && choices_.one_in(4)) return choices_.below(next_stream_ + 4);
  return open_.empty() ? 0 : open_[choices_.below(static_cast<std::uint32_t>(open_.size()))];
}

std::uint8_t HostilePeer::end_of(std::uint32_t stream) {
  if (is_careful_) std::erase(open_, stream);
  return flag::end_stream;
}

std::string HostilePeer::fields() {
  std::string block;
  for (std::uint32_t i = choices_.below(4); i > 0; --i) {
    switch (choices_.below(6)) {
      case 0:
        block += literal("x-any-bin", "AQID,AQID,," + std::string(choices_.below(250), ','));
        break;
      case 1:
        block += literal("grpc-timeout", choices_.one_in(2) ? "10m" : "99999999H");
        break;
      case 2:
        block += literal("x-" + filling(40), filling(200));
        break;
      case 3:
        block += literal("grpc-encoding", "gzip");
        break;
      case 4:  // into the dynamic table, and out of it again
        block += '\x40' + literal("kept", filling(200)).substr(1) + std::string(200, '\xbe');
        break;
      default:
        if (!is_careful_) block += filling(20);
        break;
    }
  }
  return block;
}

std::string HostilePeer::head() {
  std::string block;
  if (role_ == http2::Role::client) {
    static constexpr std::array<std::string_view, 6> paths = {
        "/test.Simulated/Unary", "/test.Simulated/Expand", "/test.Simulated/Collect",
        "/test.Simulated/Chat",  "/test.Simulated/None",   "//"};
    block = literal(":method", "POST") + literal(":scheme", "http") +
            literal(":path", paths[choices_.below(paths.size())]) + literal("te", "trailers") +
            literal("content-type", "application/grpc");
  } else if (!choices_.one_in(4)) {
    block = literal(":status", choices_.one_in(8) ? "103" : "200") +
            literal("content-type", "application/grpc");
  } else {
    block = literal("grpc-status", std::to_string(choices_.below(20))) +
            literal("grpc-message", filling(300));
  }
  block += fields();
  std::uint32_t id = stream();
  if (role_ == http2::Role::client && (is_careful_ || !choices_.one_in(4))) {
    id = next_stream_;
    next_stream_ += 2;
    open_.push_back(id);
  }
  const bool is_end = block.starts_with(literal("grpc-status", "0").substr(0, 13));
  const std::uint8_t end = is_end || choices_.one_in(3) ? end_of(id) : 0;
  if (!choices_.one_in(8)) return frames::headers(id, block, flag::end_headers | end);
  const std::size_t cut = choices_.below(static_cast<std::uint32_t>(block.size() + 1));
  const bool is_open = !is_careful_ && choices_.one_in(4);
  return frames::headers(id, block.substr(0, cut), end) +
         frames::continuation(id, block.substr(cut), is_open ? 0 : flag::end_headers);
}

std::string HostilePeer::message() {
  static constexpr std::array<std::uint32_t, 5> sizes = {0, 20, 4000, 60'000, 0xffff'ffff};
  // A wish for many large replies (service.hpp), as protobuf's StringValue.
  const std::string wish =
      "\x0a\x0c"
      "1 50000 20 0";
  std::string text(1, choices_.one_in(8) ? '\1' : '\0');
  if (choices_.one_in(2)) {
    text += frames::be32(static_cast<std::uint32_t>(wish.size())) + wish;
  } else {
    text +=
        frames::be32(sizes[choices_.below(sizes.size())]) + filling(is_careful_ ? 1000 : 20'000);
  }
  const std::uint32_t id = stream();
  const std::uint8_t end = choices_.one_in(3) ? end_of(id) : 0;
  if (!choices_.one_in(6)) return frames::data(id, text, end);
  return frames::padded_data(id, text, static_cast<std::uint8_t>(choices_.below(256)), end);
}

std::string HostilePeer::rare() {
  switch (choices_.below(is_careful_ ? 4 : 9)) {
    case 0:
      return frames::ping("12345678");
    case 1:
      return frames::priority(stream(), 0);
    case 2:
      return frames::raw(static_cast<FrameType>(0xee), 0, stream(), filling(2000));
    case 3:
      return frames::data(stream(), "");
    case 4:
      return frames::raw(static_cast<FrameType>(choices_.below(256)),
                         static_cast<std::uint8_t>(choices_.below(256)), stream(), filling(2000));
    case 5:
      return frames::raw(static_cast<FrameType>(choices_.below(10)), 0, stream(), filling(20),
                         choices_.below(200));
    case 6:
      return filling(40);
    case 7:
      return frames::continuation(stream(), fields());
    default:
      return frames::goaway(stream(), frames::ErrorCode::no_error, filling(200));
  }
}

std::string HostilePeer::next() {
  if (is_careful_ && open_.empty()) {
    return role_ == http2::Role::client ? head() : frames::ping("12345678");
  }
  switch (choices_.below(10)) {
    case 0:
    case 1:
    case 2:
      return head();
    case 3:
    case 4:
    case 5:
      return message();
    case 6: {
      const std::uint32_t id = stream();
      end_of(id);
      return frames::rst_stream(id, frames::ErrorCode::cancel);
    }
    case 7:
      if (!is_careful_ && choices_.one_in(4)) return frames::window_update(stream(), 0x7fff'ffff);
      return frames::window_update(choices_.one_in(2) ? 0 : stream(),
                                   choices_.below(256) * 256 + 1);
    case 8:
      return setting();
    default:
      return rare();
  }
}

}  // namespace nearcall::test
