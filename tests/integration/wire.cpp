// SPDX-License-Identifier: Apache-2.0
// Saying bytes and hearing frames.
#include "integration/wire.hpp"

#include "transport/socket_address.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <chrono>

namespace nearcall::test {

namespace http2 = detail::http2;
namespace {

constexpr int longest_wait = 10'000;
constexpr std::size_t most_kept = std::size_t{1} << 20U;  // of a body

detail::UniqueFd connect_to(const std::string& path) {
  detail::UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const detail::SocketAddress address = detail::SocketAddress::unix_path(path);
  EXPECT_EQ(::connect(socket.get(), address.get(), address.size()), 0) << path;
  return socket;
}

}  // namespace

std::string Wire::Stream::field(const std::string& name) const {
  const auto found = fields.find(name);
  return found == fields.end() ? std::string() : found->second;
}

Wire::Wire(const std::string& path) : Wire(connect_to(path), End::client) {
}

Wire::Wire(detail::UniqueFd socket, End end)
    : socket_(std::move(socket)),
      preface_left_(end == End::server ? http2::client_preface.size() : 0) {
  ::fcntl(socket_.get(), F_SETFL, ::fcntl(socket_.get(), F_GETFL) | O_NONBLOCK);
}

bool Wire::greet() {
  constexpr std::uint32_t most = 0x7fff'ffff;
  return greet({{http2::SettingId::initial_window_size, most}}) &&
         say(frames::window_update(0, most - 65'535));
}

bool Wire::greet(std::initializer_list<http2::Setting> settings) {
  const bool is_said =
      say((preface_left_ > 0 ? "" : frames::preface()) + frames::settings(settings));
  return is_said && hear_until([this] { return frames_heard(http2::FrameType::settings) > 1; });
}

bool Wire::say(std::string_view bytes) {
  while (!bytes.empty() || !answers_.empty()) {
    std::string_view answers = answers_;
    if (bytes.empty()) {
      const Moved moved = step(answers, /*listens=*/false, longest_wait);
      answers_.erase(0, answers_.size() - answers.size());
      if (moved == Moved::no || cannot_write_) break;
      continue;
    }
    if (step(bytes, /*listens=*/true, longest_wait) == Moved::no || cannot_write_) break;
  }
  if (cannot_write_) hear_end();
  return bytes.empty() && !has_closed_ && !cannot_write_;
}

std::size_t Wire::say_deaf(std::string_view bytes, int patience) {
  const std::size_t all = bytes.size();
  while (!bytes.empty() && !cannot_write_) {
    if (step(bytes, /*listens=*/false, patience) == Moved::no) break;
  }
  return all - bytes.size();
}

bool Wire::hear_until(const std::function<bool()>& is_done) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(longest_wait);
  while (!is_done()) {
    if (has_closed_) return false;
    if (std::chrono::steady_clock::now() > until) {
      ADD_FAILURE() << "nothing came in time";
      return false;
    }
    std::string_view nothing;
    std::string_view answers = answers_;
    step(answers.empty() || cannot_write_ ? nothing : answers, /*listens=*/true, 1000);
    if (!answers_.empty()) answers_.erase(0, answers_.size() - answers.size());
  }
  return true;
}

bool Wire::hear_end() {
  return hear_until([this] { return has_closed_; });
}

const Wire::Stream& Wire::hear(http2::StreamId id) {
  hear_until([&] { return streams_[id].is_over(); });
  return streams_[id];
}

/// Writes or reads once, as soon as that is possible.
Wire::Moved Wire::step(std::string_view& bytes, bool listens, int patience) {
  short events = bytes.empty() ? short{0} : short{POLLOUT};
  if (listens) events |= POLLIN;
  pollfd watched{socket_.get(), events, 0};
  const int ready = ::poll(&watched, 1, patience);
  if (ready < 0 && errno == EINTR) return Moved::yes;
  if (ready <= 0) return Moved::no;
  if (listens && (watched.revents & (POLLIN | POLLHUP | POLLERR)) != 0) read_some();
  if (bytes.empty()) return Moved::yes;
  const std::size_t most = std::size_t{256} * 1024;
  const ssize_t sent =
      ::send(socket_.get(), bytes.data(), std::min(bytes.size(), most), MSG_NOSIGNAL);
  if (sent >= 0) {
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  } else if (errno != EAGAIN && errno != EINTR) {
    cannot_write_ = true;
  }
  return Moved::yes;
}

void Wire::read_some() {
  static thread_local std::array<char, 256 * 1024> buffer;
  const ssize_t count = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count <= 0) {
    has_closed_ = true;
    return;
  }
  std::string_view fresh(buffer.data(), static_cast<std::size_t>(count));
  bytes_heard_ += fresh.size();
  const std::size_t preface = std::min(preface_left_, fresh.size());
  fresh.remove_prefix(preface);
  preface_left_ -= preface;
  heard_ += fresh;
  take_frames();
}

void Wire::take_frames() {
  std::size_t at = 0;
  while (heard_.size() - at >= http2::frame_header_size) {
    const http2::FrameHeader header =
        http2::load_frame_header(reinterpret_cast<const std::byte*>(heard_.data() + at));
    if (heard_.size() - at < http2::frame_header_size + header.length) break;
    take(header, std::string_view(heard_).substr(at + http2::frame_header_size, header.length));
    at += http2::frame_header_size + header.length;
  }
  heard_.erase(0, at);
}

void Wire::take(const http2::FrameHeader& header, std::string_view payload) {
  ++frames_[header.type];
  const auto* const raw = reinterpret_cast<const std::byte*>(payload.data());
  switch (header.type) {
    case http2::FrameType::settings:
      for (std::string_view rest = payload; rest.size() >= http2::payload_size::setting;
           rest.remove_prefix(http2::payload_size::setting)) {
        const http2::Setting setting = http2::load_setting(detail::as_bytes(rest).data());
        if (setting.id == http2::SettingId::initial_window_size) initial_window_ = setting.value;
      }
      if (!header.has(http2::frame_flag::ack) && acknowledges) answers_ += frames::settings_ack();
      return;
    case http2::FrameType::window_update:
      credit_[header.stream] += detail::load_be32(raw);
      return;
    case http2::FrameType::goaway:
      if (goaway_ && *goaway_ != http2::ErrorCode::no_error) return;
      goaway_ = static_cast<http2::ErrorCode>(detail::load_be32(raw + 4));
      goaway_text_ = payload.substr(8);
      return;
    case http2::FrameType::rst_stream:
      streams_[header.stream].reset = static_cast<http2::ErrorCode>(detail::load_be32(raw));
      return;
    case http2::FrameType::headers:
      return take_headers(header, payload);
    case http2::FrameType::data: {
      Stream& stream = streams_[header.stream];
      if (stream.body.size() < most_kept) stream.body += payload;
      if (header.has(http2::frame_flag::end_stream)) stream.has_ended = true;
      return;
    }
    default:
      return;
  }
}

void Wire::take_headers(const http2::FrameHeader& header, std::string_view block) {
  http2::HeaderList list;
  EXPECT_TRUE(decoder_.decode(detail::as_bytes(block), list)) << "the other side's HPACK is wrong";
  Stream& stream = streams_[header.stream];
  for (const detail::HeaderView& field : list)
    stream.fields[std::string(field.name)] = field.value;
  if (header.has(http2::frame_flag::end_stream)) stream.has_ended = true;
}

std::string request_to(std::string_view path) {
  return frames::block({{":method", "POST"},
                        {":scheme", "http"},
                        {":path", path},
                        {":authority", "localhost"},
                        {"te", "trailers"},
                        {"content-type", "application/grpc"}});
}

std::string framed(std::string_view bytes, char flag) {
  return std::string(1, flag) + frames::be32(static_cast<std::uint32_t>(bytes.size())) +
         std::string(bytes);
}

std::string whole_call(http2::StreamId id, std::string_view path, std::string_view message) {
  return frames::headers(id, request_to(path)) +
         frames::data(id, framed(message), http2::frame_flag::end_stream);
}

}  // namespace nearcall::test
