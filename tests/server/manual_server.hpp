// SPDX-License-Identifier: Apache-2.0
// ManualServer: a server whose turns and whose time the test moves, and a peer that speaks frames.
#pragma once

#include "server/raw_client.hpp"
#include "server/wrapper_service.hpp"
#include "support/frames.hpp"
#include "support/manual_loop.hpp"

#include <nearcall/event_loop.hpp>
#include <nearcall/server.hpp>

#include <gtest/gtest.h>
#include <poll.h>

#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nearcall::test {

namespace http2 = detail::http2;

// WrapperService's methods.
inline constexpr std::string_view echo = "/test.Wrapper/Echo";
inline constexpr std::string_view hold = "/test.Wrapper/Hold";
inline constexpr std::string_view chat = "/test.Wrapper/Chat";

/// A frame that the server sent.
struct SentFrame {
  http2::FrameHeader header;
  std::string payload;

  /// GOAWAY: the last id it names.
  http2::StreamId last_id() const {
    return detail::load_be32(reinterpret_cast<const std::byte*>(payload.data()));
  }
};

/// A peer that says what the test says, in frames.
class FramePeer {
 public:
  explicit FramePeer(const std::string& path) : connection_(connect_raw(path)) {}

  void say(std::string_view bytes) { EXPECT_TRUE(write_all(*connection_, bytes)); }
  void say_hello(std::initializer_list<http2::Setting> settings = {}) {
    say(frames::preface() + frames::settings(settings) + frames::settings_ack());
  }
  /// Asks for a call of WrapperService's.
  void ask(http2::StreamId stream, std::string_view path, std::string_view timeout = {}) {
    std::string block = frames::block({{":method", "POST"},
                                       {":scheme", "http"},
                                       {":path", path},
                                       {"te", "trailers"},
                                       {"content-type", "application/grpc"}});
    if (!timeout.empty()) block += frames::block({{"grpc-timeout", timeout}});
    say(frames::headers(stream, block));
  }
  void ask_whole(http2::StreamId stream,
                 std::string_view path,
                 const Text& request = Text(),
                 std::string_view timeout = {}) {
    ask(stream, path, timeout);
    say(frames::data(stream, framed(request), frames::flag::end_stream));
  }
  /// Takes what has come up to now.
  void listen() {
    for (;;) {
      IoResult::Kind kind{};
      const std::string bytes = read_once(*connection_, &kind);
      if (kind != IoResult::Kind::bytes) {
        has_ended_ |= kind != IoResult::Kind::would_block;
        return;
      }
      heard_ += bytes;
    }
  }
  bool has_ended() {
    listen();
    return has_ended_;
  }
  /// All frames of that type that came up to now.
  std::vector<SentFrame> heard(http2::FrameType type) {
    return heard_such([type](const http2::FrameHeader& header) { return header.type == type; });
  }
  /// All frames of that stream that came up to now.
  std::vector<SentFrame> heard_on(http2::StreamId id) {
    return heard_such([id](const http2::FrameHeader& header) { return header.stream == id; });
  }

 private:
  template <class Matches>
  std::vector<SentFrame> heard_such(Matches matches) {
    listen();
    std::vector<SentFrame> found;
    for (std::size_t at = 0; at + http2::frame_header_size <= heard_.size();) {
      const auto header =
          http2::load_frame_header(reinterpret_cast<const std::byte*>(heard_.data()) + at);
      at += http2::frame_header_size;
      if (matches(header)) found.push_back({header, heard_.substr(at, header.length)});
      at += header.length;
    }
    return found;
  }

  std::unique_ptr<Transport> connection_;
  std::string heard_;
  bool has_ended_ = false;
};

/// A server on the test's own thread, for which time stands still until the test moves it.
class ManualServerTest : public LogCheckedTest, protected ManualLoop {
 protected:
  ManualServerTest() : ManualLoop(far_ahead) {}

  void start(const ServerOptions& options = ServerOptions()) {
    server_.emplace(loop_, options);
    server_->add_service(service_);
    server_->listen(target());
    ASSERT_TRUE(server_->start());
    spawn(loop_, watch(*server_, has_stopped_));
    settle();
  }
  /// Begins to stop.
  void stop() {
    server_->stop();
    settle();
  }
  std::string path() const { return folder_.file("s"); }
  std::string target() const { return "unix:" + path(); }
  bool has_stopped() const noexcept { return has_stopped_; }

  TempDir folder_;
  WrapperService service_;
  std::optional<Server> server_;

 private:
  static Task<void> watch(Server& server, bool& has_stopped) {
    co_await server.stopped();
    has_stopped = true;
  }

  bool has_stopped_ = false;
};

}  // namespace nearcall::test
