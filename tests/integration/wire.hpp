// SPDX-License-Identifier: Apache-2.0
// Wire: a socket whose other end is ours; it says any bytes, and notes the frames that it hears.
#pragma once

#include "base/unique_fd.hpp"
#include "http2/hpack/decoder.hpp"
#include "support/frames.hpp"

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace nearcall::test {

namespace http2 = detail::http2;

/// One end of a connection, client or server, with no engine behind it: nothing that it says is
/// checked. It acknowledges SETTINGS and does nothing else by itself. Waits are bounded.
/// Thread safety: none.
class Wire {
 public:
  /// What came on one stream.
  struct Stream {
    std::map<std::string, std::string> fields;  // of all header blocks
    std::string body;
    bool has_ended = false;
    std::optional<http2::ErrorCode> reset;

    bool is_over() const noexcept { return has_ended || reset.has_value(); }
    std::string field(const std::string& name) const;
  };

  enum class End : std::uint8_t { client, server };

  /// Connects to a server's socket file.
  explicit Wire(const std::string& path);
  explicit Wire(detail::UniqueFd socket, End end);

  /// The preface and SETTINGS, and the server's answer; with windows that nothing can fill.
  bool greet();
  /// The same with these SETTINGS, and the connection's window as it is.
  bool greet(std::initializer_list<http2::Setting> settings);

  /// Says all of it and takes in meanwhile what comes. False once the other side has closed.
  bool say(std::string_view bytes);
  /// Says it without listening, as far as the other side takes it: how many bytes it took before
  /// nothing moved for `patience` milliseconds.
  std::size_t say_deaf(std::string_view bytes, int patience = 200);
  /// Listens until `is_done`; false if the other side closed before, or ten seconds passed.
  bool hear_until(const std::function<bool()>& is_done);
  /// Listens until the other side closes.
  bool hear_end();
  /// Listens until the stream has ended or was reset.
  const Stream& hear(http2::StreamId id);

  const Stream& stream(http2::StreamId id) { return streams_[id]; }
  const std::map<http2::StreamId, Stream>& streams() const noexcept { return streams_; }
  std::optional<http2::ErrorCode> goaway() const noexcept { return goaway_; }
  const std::string& goaway_text() const noexcept { return goaway_text_; }
  /// What WINDOW_UPDATEs gave: to a stream, or with 0 to the connection.
  std::size_t credit(http2::StreamId id) { return credit_[id]; }
  /// The other side's SETTINGS_INITIAL_WINDOW_SIZE.
  std::size_t initial_window() const noexcept { return initial_window_; }
  std::size_t bytes_heard() const noexcept { return bytes_heard_; }
  std::size_t frames_heard(http2::FrameType type) const {
    const auto found = frames_.find(type);
    return found == frames_.end() ? 0 : found->second;
  }
  bool has_closed() const noexcept { return has_closed_; }
  bool acknowledges = true;

 private:
  enum class Moved : std::uint8_t { yes, no };
  Moved step(std::string_view& bytes, bool listens, int patience);
  void read_some();
  void take_frames();
  void take(const http2::FrameHeader& header, std::string_view payload);
  void take_headers(const http2::FrameHeader& header, std::string_view block);

  detail::UniqueFd socket_;
  std::string heard_;
  std::size_t preface_left_ = 0;
  std::map<http2::StreamId, std::size_t> credit_;
  std::size_t initial_window_ = http2::default_setting::initial_window_size;
  std::string answers_;  // ACKs to be said
  std::size_t bytes_heard_ = 0;
  bool has_closed_ = false;
  bool cannot_write_ = false;
  std::map<http2::StreamId, Stream> streams_;
  std::map<http2::FrameType, std::size_t> frames_;
  std::optional<http2::ErrorCode> goaway_;
  std::string goaway_text_;
  http2::HpackDecoder decoder_{{1U << 20U, 1U << 16U}};
};

/// The header block of a request to `path`.
std::string request_to(std::string_view path);
inline const std::string unary_path = "/nearcall.test.Echo/Unary";
inline const std::string expand_path = "/nearcall.test.Echo/Expand";
inline const std::string collect_path = "/nearcall.test.Echo/Collect";
inline const std::string chat_path = "/nearcall.test.Echo/Chat";

/// A message with its prefix.
std::string framed(std::string_view bytes, char flag = 0);

/// HEADERS and DATA of a whole call.
std::string whole_call(http2::StreamId id, std::string_view path, std::string_view message);

}  // namespace nearcall::test
