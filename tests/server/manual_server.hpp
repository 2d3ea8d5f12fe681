// SPDX-License-Identifier: Apache-2.0
// ManualServer: a server whose turns and whose time the test moves, beside a passive FramePeer.
#pragma once

#include "server/wrapper_service.hpp"
#include "support/frame_peer.hpp"
#include "support/manual_loop.hpp"

#include <nearcall/event_loop.hpp>
#include <nearcall/server.hpp>

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>

namespace nearcall::test {

namespace http2 = detail::http2;

// WrapperService's methods.
inline constexpr std::string_view echo = "/test.Wrapper/Echo";
inline constexpr std::string_view hold = "/test.Wrapper/Hold";
inline constexpr std::string_view chat = "/test.Wrapper/Chat";

/// A server on the test's own thread, for which time stands still until the test moves it.
class ManualServerTest : public LogCheckedTest, protected ManualLoop {
 protected:
  void start(const ServerOptions& options = ServerOptions()) {
    make(options);
    begin();
  }
  /// The two halves of it, for tests whose servers listen at other places, too.
  void make(const ServerOptions& options) {
    server_.emplace(loop_, options);
    server_->add_service(service_);
    server_->listen(target());
  }
  void begin() {
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
