// SPDX-License-Identifier: Apache-2.0
// ScriptedPeer: the other side of a session under test; it says frames and notes what it hears.
#pragma once

#include "http2/session.hpp"
#include "support/frames.hpp"
#include "support/heard.hpp"
#include "support/session_pair.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace nearcall::test {

namespace http2 = detail::http2;

/// How bytes reach a session: in chunks of `first`, then of `rest` bytes.
struct Cut {
  std::size_t first = std::string::npos;
  std::size_t rest = std::string::npos;
};
inline constexpr Cut whole{};
inline constexpr Cut byte_by_byte{1, 1};

/// An event in words: "headers 1 :status=200 end", "data 1 hello", "reset 1 CANCEL".
class DescribeEvent {
 public:
  using Words = std::string;

  Words operator()(const http2::NoEvent&) const { return "none"; }
  Words operator()(const http2::HeadersEvent& event) const {
    using Part = http2::HeadersEvent::Part;
    Words words = on_stream("headers", *event.stream);
    if (event.part == Part::informational) words += " 1xx";
    if (event.part == Part::trailers) words += " trailers";
    for (const detail::HeaderView& field : *event.list) {
      words.append(" ").append(field.name).append("=").append(field.value);
    }
    return words + (event.end_stream ? " end" : "");
  }
  Words operator()(const http2::DataEvent& event) const {
    Words words = on_stream("data", *event.stream);
    if (!event.bytes.empty()) words.append(" ").append(detail::as_text(event.bytes));
    return words + (event.end_stream ? " end" : "");
  }
  Words operator()(const http2::ResetEvent& event) const {
    using Cause = http2::ResetEvent::Cause;
    Words words = on_stream("reset", *event.stream);
    words.append(" ").append(to_string(event.code));
    if (event.cause == Cause::unprocessed) words += " unprocessed";
    if (event.cause == Cause::violation) words += " local";
    return words + in_brackets(event.what);
  }
  Words operator()(const http2::WritableEvent& event) const {
    return on_stream("writable", *event.stream);
  }
  Words operator()(const http2::RoomEvent&) const { return "room"; }
  Words operator()(const http2::WritersWaitEvent& event) const {
    return "writers_wait" + in_brackets(event.what);
  }
  Words operator()(const http2::SettingsEvent&) const { return "settings"; }
  Words operator()(const http2::UnknownSettingEvent& event) const {
    return "unknown_setting " + std::to_string(static_cast<int>(event.setting.id)) + "=" +
           std::to_string(event.setting.value);
  }
  Words operator()(const http2::SettingsAckEvent&) const { return "settings_ack"; }
  Words operator()(const http2::GoawayEvent& event) const {
    Words words = "goaway " + std::to_string(event.last) + " ";
    words.append(to_string(event.code));
    if (!event.debug.empty()) words.append(" ").append(detail::as_text(event.debug));
    return words;
  }
  Words operator()(const http2::PingAckEvent& event) const {
    return "ping_ack " + std::to_string(event.opaque);
  }
  Words operator()(const http2::UnknownFrameEvent& event) const {
    Words words = "unknown_frame " + std::to_string(static_cast<int>(event.header.type)) + "/" +
                  std::to_string(event.header.flags) + "/" + std::to_string(event.header.stream);
    if (!event.payload.empty()) words.append(" ").append(detail::as_text(event.payload));
    return words;
  }
  Words operator()(const http2::ConnectionErrorEvent& event) const {
    return "connection_error " + Words(to_string(event.code)) + in_brackets(event.what);
  }

 private:
  static Words on_stream(std::string_view what, const http2::Stream& stream) {
    return Words(what) + " " + std::to_string(stream.id());
  }
  static Words in_brackets(std::string_view what) {
    return what.empty() ? Words() : " (" + Words(what) + ")";
  }
};
inline std::string describe(const http2::Event& event) {
  return std::visit(DescribeEvent(), event);
}

/// A session, and the peer that a test plays. By default everything that happens is noted in
/// events(), and DATA is consumed at once.
class ScriptedPeer {
 public:
  using Session = http2::Session;
  using Stream = http2::Stream;

  explicit ScriptedPeer(http2::Role role,
                        const http2::SessionOptions& options = {},
                        Cut cut = whole)
      : session_(role, options, now_), cut_(cut) {}

  /// Past the handshake, with nothing noted yet.
  static void shake_hands(ScriptedPeer& peer,
                          http2::Role role,
                          std::initializer_list<http2::Setting> settings = {}) {
    if (role == http2::Role::server) peer.says(frames::preface());
    peer.says(frames::settings(settings) + frames::settings_ack());
    peer.hears();
    peer.events();
  }

  /// The peer's bytes reach the session, cut as this peer cuts.
  void says(std::string_view bytes) {
    // Each piece lies in memory of its own, so that sanitizers see a read beyond it or too late.
    for (std::size_t size = cut_.first; !bytes.empty(); size = cut_.rest) {
      const std::string_view piece = bytes.substr(0, size);
      bytes.remove_prefix(piece.size());
      const std::vector<std::byte> copy(detail::as_bytes(piece).begin(),
                                        detail::as_bytes(piece).end());
      session_.receive(copy, now_);
      take_events();
    }
  }
  /// Asks for events that are due without new bytes.
  void take_events() {
    for (http2::Event event = session_.next_event(); !is_none(event);
         event = session_.next_event()) {
      take_event(event);
      const auto* const headers = std::get_if<http2::HeadersEvent>(&event);
      if (headers == nullptr || !looks_behind) continue;
      const http2::DataEvent data = session_.data_behind(*headers->stream);
      if (data.stream != nullptr) take_event(data);
    }
  }

  /// What the session has to say now, as frames.
  std::vector<HeardFrame> hears() { return parse(hears_bytes()); }
  /// The same in words, for comparisons: "SETTINGS ACK", "DATA 1 hello END_STREAM".
  std::vector<std::string> hears_words() {
    std::vector<std::string> words;
    for (const HeardFrame& frame : hears()) {
      words.push_back(in_words(frame));
    }
    return words;
  }
  std::string hears_bytes() { return take_output(session_, now_); }

  /// The events since the last call. DATA that came in pieces is put together.
  std::vector<std::string> events() { return std::exchange(events_, {}); }
  std::string last_event() const { return events_.empty() ? std::string() : events_.back(); }

  Session& session() { return session_; }
  /// The stream of that id, as an event named it.
  Stream& stream(http2::StreamId id) { return *streams_.at(id); }
  void pass(detail::Duration time) {
    now_ += time;
    session_.on_time(now_);
    take_events();
  }
  detail::TimePoint now() const { return now_; }

  /// Called instead of consuming, if set.
  std::function<void(const http2::Event&)> on_event;
  /// Whether it asks for DATA behind headers, as calls do: nothing else may be different then.
  bool looks_behind = false;

  static std::vector<HeardFrame> parse(std::string_view bytes) {
    std::vector<HeardFrame> heard;
    if (bytes.starts_with(http2::client_preface)) bytes.remove_prefix(http2::client_preface.size());
    while (std::optional<HeardFrame> frame = take_frame(bytes))
      heard.push_back(*std::move(frame));
    return heard;
  }

 private:
  void take_event(const http2::Event& event) {
    note(event);
    if (Stream* const stream = stream_of(event)) streams_[stream->id()] = stream;
    if (on_event) {
      on_event(event);
    } else if (const auto* const data = std::get_if<http2::DataEvent>(&event)) {
      session_.consumed(*data->stream, data->bytes.size());
    }
  }
  void note(const http2::Event& event) {
    std::string text = describe(event);
    const auto* const data = std::get_if<http2::DataEvent>(&event);
    if (data != nullptr && !events_.empty()) {
      const std::string prefix = "data " + std::to_string(data->stream->id());
      std::string& last = events_.back();
      if ((last == prefix || last.starts_with(prefix + " ")) && !last.ends_with(" end")) {
        std::string more = text.substr(prefix.size());
        if (last != prefix && !data->bytes.empty()) more.erase(0, 1);
        last += more;
        return;
      }
    }
    events_.push_back(std::move(text));
  }

  detail::TimePoint now_{std::chrono::hours(1)};
  Session session_;
  Cut cut_;
  std::vector<std::string> events_;
  std::map<http2::StreamId, Stream*> streams_;
};

}  // namespace nearcall::test
