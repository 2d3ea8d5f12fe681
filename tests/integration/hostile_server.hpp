// SPDX-License-Identifier: Apache-2.0
// HostileServer: a server without an engine, which says to each client what the test wants.
#pragma once

#include "base/unique_fd.hpp"
#include "integration/wire.hpp"
#include "transport/socket_address.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace nearcall::test {

namespace http2 = detail::http2;

/// A listening socket; each connection does what the script says, on a thread of its own.
class HostileServer {
 public:
  using Script = std::function<void(Wire&)>;

  HostileServer(const std::string& path, Script script)
      : script_(std::move(script)), listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const detail::SocketAddress address = detail::SocketAddress::unix_path(path);
    EXPECT_EQ(::bind(listener_.get(), address.get(), address.size()), 0);
    EXPECT_EQ(::listen(listener_.get(), 64), 0);
    acceptor_ = std::thread([this] { accept_all(); });
  }
  ~HostileServer() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    acceptor_.join();
    for (std::thread& thread : threads_)
      thread.join();
  }
  HostileServer(const HostileServer&) = delete;
  HostileServer& operator=(const HostileServer&) = delete;

 private:
  void accept_all() {
    for (;;) {
      detail::UniqueFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!socket) return;
      threads_.emplace_back([this, end = std::move(socket)]() mutable {
        Wire wire(std::move(end), Wire::End::server);
        script_(wire);
      });
    }
  }

  Script script_;
  detail::UniqueFd listener_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

/// Says `answer` to the first request, and then listens until the client goes.
inline HostileServer::Script answering(std::string answer) {
  return [answer = std::move(answer)](Wire& client) {
    if (!client.greet()) return;
    if (!client.hear_until([&] { return client.frames_heard(http2::FrameType::headers) > 0; }))
      return;
    client.say(answer);
    client.hear_end();
  };
}

inline std::string begin() {
  return frames::headers(1, frames::response_block());
}
inline std::string ok() {
  return frames::headers(1, frames::trailers_block(),
                         http2::frame_flag::end_headers | http2::frame_flag::end_stream);
}

}  // namespace nearcall::test
