// SPDX-License-Identifier: Apache-2.0
// FramePeer: one end of a connection with no engine behind it; it says any bytes, and notes what it
// hears.
#pragma once

#include "http2/hpack/decoder.hpp"
#include "http2/session_options.hpp"
#include "support/frames.hpp"
#include "support/heard.hpp"
#include "support/messages.hpp"

#include <nearcall/transport.hpp>

#include <cstddef>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace nearcall::test {

namespace http2 = detail::http2;

/// Client or server, over any transport; nothing that it says is checked. Waits are bounded.
/// Thread safety: none.
class FramePeer {
 public:
  enum class Manner : std::uint8_t {
    /// Acknowledges SETTINGS once it has greeted, and listens while it speaks.
    lively,
    /// Acknowledges nothing, and listens when it is told to: beside what it talks to on one thread.
    passive,
  };
  using enum Manner;

  /// A client, connected to a server's socket file.
  explicit FramePeer(const std::string& path, Manner manner = lively);
  FramePeer(http2::Role role, std::unique_ptr<Transport> transport, Manner manner = lively);

  // ---- speaking ----

  /// The preface and SETTINGS, and the other side's answer; with windows that nothing can fill.
  bool greet();
  /// The same with these SETTINGS, and the connection's window as it is.
  bool greet(std::initializer_list<http2::Setting> settings);
  /// The preface, SETTINGS and the ACK of those that will come, without an answer.
  void say_hello(std::initializer_list<http2::Setting> settings = {});
  /// Says all of it. False once the other side has gone.
  bool say(std::string_view bytes);
  /// Says it without listening, as far as the other side takes it: how many bytes it took before
  /// nothing moved for `patience` milliseconds.
  std::size_t say_deaf(std::string_view bytes, int patience = 200);
  /// HEADERS of a call.
  void ask(http2::StreamId stream, std::string_view path, std::string_view timeout = {});
  /// And its only message.
  void ask_whole(http2::StreamId stream,
                 std::string_view path,
                 const Text& request = Text(),
                 std::string_view timeout = {});

  /// Goes.
  void close() noexcept { transport_->abort(std::make_error_code(std::errc::connection_aborted)); }

  // ---- listening ----

  /// Takes what has come up to now.
  void listen();
  /// Listens until `is_done`; false if the other side closed before, or ten seconds passed.
  bool hear_until(const std::function<bool()>& is_done);
  /// Listens until the other side closes.
  bool hear_end();
  /// Listens until the stream has ended or was reset.
  const HeardStream& hear(http2::StreamId id);

  // ---- what was heard ----

  /// Listens to what has come, and says whether that was the end.
  bool has_ended();
  /// All frames of that type that came up to now; only a passive peer keeps them.
  std::vector<HeardFrame> heard(http2::FrameType type);
  /// The same of a stream.
  std::vector<HeardFrame> heard_on(http2::StreamId id);
  const HeardStream& stream(http2::StreamId id) { return streams_[id]; }
  const std::map<http2::StreamId, HeardStream>& streams() const noexcept { return streams_; }
  /// The code of the first that named an error, else of the last.
  std::optional<http2::ErrorCode> goaway() const noexcept { return goaway_; }
  const std::string& goaway_text() const noexcept { return goaway_text_; }
  /// What WINDOW_UPDATEs gave: to a stream, or with 0 to the connection.
  std::size_t credit(http2::StreamId id) { return credit_[id]; }
  /// The other side's SETTINGS_INITIAL_WINDOW_SIZE.
  std::size_t initial_window() const noexcept { return initial_window_; }
  std::size_t bytes_heard() const noexcept { return bytes_heard_; }
  std::size_t frames_heard(http2::FrameType type) const {
    const auto found = counts_.find(type);
    return found == counts_.end() ? 0 : found->second;
  }

 private:
  bool write_some(std::string_view& bytes);
  bool answer_some();
  bool read_some();
  void take(HeardFrame frame);
  void take_settings(const HeardFrame& frame);
  void take_headers(const HeardFrame& frame);
  template <class Matches>
  std::vector<HeardFrame> heard_such(Matches matches);

  std::unique_ptr<Transport> transport_;
  Manner manner_;
  std::size_t preface_left_;
  std::string heard_;    // a frame that is not whole yet
  std::string answers_;  // ACKs to be said
  bool acknowledges_ = false;
  bool has_closed_ = false;
  bool cannot_write_ = false;

  std::vector<HeardFrame> frames_;
  std::map<http2::FrameType, std::size_t> counts_;
  std::map<http2::StreamId, HeardStream> streams_;
  std::map<http2::StreamId, std::size_t> credit_;
  std::size_t initial_window_ = http2::default_setting::initial_window_size;
  std::size_t bytes_heard_ = 0;
  std::optional<http2::ErrorCode> goaway_;
  std::string goaway_text_;
  std::string block_;  // of headers that are not whole yet
  http2::HpackDecoder decoder_{{1U << 20U, 1U << 16U}};
};

}  // namespace nearcall::test
