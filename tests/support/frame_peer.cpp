// SPDX-License-Identifier: Apache-2.0
// Saying bytes and hearing frames.
#include "support/frame_peer.hpp"

#include "support/io.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

namespace nearcall::test {

namespace http2 = detail::http2;
namespace {

constexpr int longest_wait = 10'000;
constexpr std::size_t most_kept = std::size_t{1} << 20U;  // of a body
/// At once: more, and a socket would ask the kernel for a larger buffer.
constexpr std::size_t most_said = std::size_t{64} * 1024;

}  // namespace

FramePeer::FramePeer(const std::string& path, Manner manner)
    : FramePeer(http2::Role::client, connect_raw(path), manner) {
}

FramePeer::FramePeer(http2::Role role, std::unique_ptr<Transport> transport, Manner manner)
    : transport_(std::move(transport)),
      manner_(manner),
      preface_left_(role == http2::Role::server ? http2::client_preface.size() : 0) {
}

// ---- speaking -----------------------------------------------------------------------------------

bool FramePeer::greet() {
  constexpr std::uint32_t most = 0x7fff'ffff;
  return greet({{http2::SettingId::initial_window_size, most}}) &&
         say(frames::window_update(0, most - 65'535));
}

bool FramePeer::greet(std::initializer_list<http2::Setting> settings) {
  acknowledges_ = manner_ == lively;
  const bool is_said =
      say((preface_left_ > 0 ? "" : frames::preface()) + frames::settings(settings));
  return is_said && hear_until([this] { return frames_heard(http2::FrameType::settings) > 1; });
}

void FramePeer::say_hello(std::initializer_list<http2::Setting> settings) {
  say(frames::preface() + frames::settings(settings) + frames::settings_ack());
}

bool FramePeer::say(std::string_view bytes) {
  if (manner_ == passive) {
    const bool is_said = say_deaf(bytes, longest_wait) == bytes.size();
    EXPECT_TRUE(is_said);
    return is_said;
  }
  while ((!bytes.empty() || !answers_.empty()) && !cannot_write_) {
    const bool has_written = bytes.empty() ? answer_some() : write_some(bytes);
    const bool has_read = read_some();
    if (has_written || has_read) continue;
    if (has_closed_ ? !park(*transport_, Interest::write)
                    : !park(*transport_, {Interest::read, Interest::write}, longest_wait))
      break;
  }
  if (cannot_write_) hear_end();
  return bytes.empty() && !has_closed_ && !cannot_write_;
}

std::size_t FramePeer::say_deaf(std::string_view bytes, int patience) {
  const std::size_t all = bytes.size();
  while (!bytes.empty() && !cannot_write_) {
    if (!write_some(bytes) && !park(*transport_, {Interest::write}, patience)) break;
  }
  return all - bytes.size();
}

void FramePeer::ask(http2::StreamId stream, std::string_view path, std::string_view timeout) {
  std::string block = frames::request_block(path);
  if (!timeout.empty()) block += frames::block({{"grpc-timeout", timeout}});
  say(frames::headers(stream, block));
}

void FramePeer::ask_whole(http2::StreamId stream,
                          std::string_view path,
                          const Text& request,
                          std::string_view timeout) {
  ask(stream, path, timeout);
  say(frames::data(stream, framed(request), frames::flag::end_stream));
}

/// Whether something moved.
bool FramePeer::write_some(std::string_view& bytes) {
  const IoResult result = write_once(*transport_, bytes.substr(0, most_said));
  bytes.remove_prefix(result.count());
  cannot_write_ |= result.kind() == IoResult::Kind::failed;
  return result.kind() == IoResult::Kind::bytes;
}

bool FramePeer::answer_some() {
  std::string_view left = answers_;
  const bool has_written = write_some(left);
  answers_.erase(0, answers_.size() - left.size());
  return has_written;
}

// ---- listening ----------------------------------------------------------------------------------

void FramePeer::listen() {
  while (read_some()) {
  }
}

bool FramePeer::hear_until(const std::function<bool()>& is_done) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(longest_wait);
  while (!is_done()) {
    if (has_closed_) return false;
    if (std::chrono::steady_clock::now() > until) {
      ADD_FAILURE() << "nothing came in time";
      return false;
    }
    const bool answers = !answers_.empty() && !cannot_write_;
    const bool has_written = answers && answer_some();
    const bool has_read = read_some();
    if (has_written || has_read || has_closed_) continue;
    if (answers) {
      park(*transport_, {Interest::read, Interest::write}, 1000);
    } else {
      park(*transport_, {Interest::read}, 1000);
    }
  }
  return true;
}

bool FramePeer::hear_end() {
  return hear_until([this] { return has_closed_; });
}

const HeardStream& FramePeer::hear(http2::StreamId id) {
  hear_until([&] { return streams_[id].is_over(); });
  return streams_[id];
}

/// Whether something came.
bool FramePeer::read_some() {
  static thread_local std::array<std::byte, std::size_t{256} * 1024> buffer;
  if (has_closed_) return false;
  const IoResult result = transport_->try_read(buffer);
  if (result.kind() != IoResult::Kind::bytes) {
    has_closed_ = result.kind() != IoResult::Kind::would_block;
    return false;
  }
  std::string_view fresh = detail::as_text(std::span(buffer).first(result.count()));
  bytes_heard_ += fresh.size();
  const std::size_t preface = std::min(preface_left_, fresh.size());
  fresh.remove_prefix(preface);
  preface_left_ -= preface;
  heard_ += fresh;
  std::string_view rest = heard_;
  while (std::optional<HeardFrame> frame = take_frame(rest))
    take(*std::move(frame));
  heard_.erase(0, heard_.size() - rest.size());
  return true;
}

// ---- what was heard -----------------------------------------------------------------------------

bool FramePeer::has_ended() {
  listen();
  return has_closed_;
}

template <class Matches>
std::vector<HeardFrame> FramePeer::heard_such(Matches matches) {
  listen();
  std::vector<HeardFrame> found;
  std::copy_if(frames_.begin(), frames_.end(), std::back_inserter(found), matches);
  return found;
}

std::vector<HeardFrame> FramePeer::heard(http2::FrameType type) {
  return heard_such([type](const HeardFrame& frame) { return frame.header.type == type; });
}

std::vector<HeardFrame> FramePeer::heard_on(http2::StreamId id) {
  return heard_such([id](const HeardFrame& frame) { return frame.header.stream == id; });
}

void FramePeer::take(HeardFrame frame) {
  const http2::StreamId id = frame.header.stream;
  ++counts_[frame.header.type];
  switch (frame.header.type) {
    case http2::FrameType::settings:
      take_settings(frame);
      break;
    case http2::FrameType::window_update:
      credit_[id] += frame.number_at(0);
      break;
    case http2::FrameType::goaway:
      if (goaway_ && *goaway_ != http2::ErrorCode::no_error) break;
      goaway_ = frame.code();
      goaway_text_ = frame.payload.substr(8);
      break;
    case http2::FrameType::rst_stream:
      streams_[id].reset = frame.code();
      break;
    case http2::FrameType::headers:
    case http2::FrameType::continuation:
      take_headers(frame);
      break;
    case http2::FrameType::data:
      if (streams_[id].body.size() < most_kept) streams_[id].body += frame.payload;
      if (frame.header.has(http2::frame_flag::end_stream)) streams_[id].has_ended = true;
      break;
    default:
      break;
  }
  if (manner_ == passive) frames_.push_back(std::move(frame));
}

void FramePeer::take_settings(const HeardFrame& frame) {
  for (std::string_view rest = frame.payload; rest.size() >= http2::payload_size::setting;
       rest.remove_prefix(http2::payload_size::setting)) {
    const http2::Setting setting = http2::load_setting(detail::as_bytes(rest).data());
    if (setting.id == http2::SettingId::initial_window_size) initial_window_ = setting.value;
  }
  if (!frame.header.has(http2::frame_flag::ack) && acknowledges_)
    answers_ += frames::settings_ack();
}

void FramePeer::take_headers(const HeardFrame& frame) {
  HeardStream& stream = streams_[frame.header.stream];
  block_ += frame.payload;
  if (frame.header.type == http2::FrameType::headers &&
      frame.header.has(http2::frame_flag::end_stream))
    stream.has_ended = true;
  if (!frame.header.has(http2::frame_flag::end_headers)) return;
  http2::HeaderList list;
  EXPECT_TRUE(decoder_.decode(detail::as_bytes(block_), list)) << "the other side's HPACK is wrong";
  block_.clear();
  for (const detail::HeaderView& field : list)
    stream.fields[std::string(field.name)] = field.value;
}

}  // namespace nearcall::test
