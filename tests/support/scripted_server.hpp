// SPDX-License-Identifier: Apache-2.0
// ScriptedServer: a server that does on each connection what the test says, good or bad.
#pragma once

#include "http2/session_options.hpp"
#include "support/frame_peer.hpp"
#include "support/io.hpp"
#include "support/session_peer.hpp"
#include "support/transport_kinds.hpp"
#include "transport/socket_transport.hpp"

#include <nearcall/channel.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace nearcall::test {

namespace http2 = detail::http2;

/// Runs one script for each connection that a channel makes, on a thread of its own; the last
/// script goes for all later connections too. Make it before the channel: it waits for its scripts.
template <class Peer>
class ScriptedServerOf {
 public:
  using Script = std::function<void(Peer&)>;

  /// `options` go to each peer.
  template <class... Options>
  explicit ScriptedServerOf(std::vector<Script> scripts, const Options&... options)
      : scripts_(std::move(scripts)),
        run_([options...](const Script& script, std::unique_ptr<Transport> end) {
          EXPECT_TRUE(finish_handshake(*end));
          Peer peer(http2::Role::server, std::move(end), options...);
          script(peer);
        }) {}

  /// Where the two ends of a connection come from: the channel's, and a script's. A pair of sockets
  /// if nothing is said.
  void make_ends(std::function<TransportPair()> make) { make_ends_ = std::move(make); }
  /// Options of a channel that leads here.
  ChannelOptions options() {
    return ChannelOptions().connector([this](const ConnectContext&) { return connect(*this); });
  }
  std::size_t connection_count() const {
    const std::lock_guard lock(mutex_);
    return threads_.size();
  }
  /// Waits until all scripts so far have ended, and closed their connections.
  void join() {
    const std::lock_guard lock(mutex_);
    for (std::jthread& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
  }
  std::unique_ptr<Transport> accept() {
    TransportPair ends = make_ends_();
    const std::lock_guard lock(mutex_);
    const Script& script = scripts_[std::min(threads_.size(), scripts_.size() - 1)];
    threads_.emplace_back(
        [this, script, end = std::move(ends.second)]() mutable { run_(script, std::move(end)); });
    return std::move(ends.first);
  }

 private:
  static TransportPair make_sockets() {
    Result<detail::SocketPair> pair = detail::make_socketpair();
    EXPECT_TRUE(pair.ok());
    return std::move(*pair);
  }
  static Task<Result<std::unique_ptr<Transport>>> connect(ScriptedServerOf& server) {
    co_return server.accept();
  }

  const std::vector<Script> scripts_;
  std::function<TransportPair()> make_ends_ = &make_sockets;
  const std::function<void(const Script&, std::unique_ptr<Transport>)> run_;
  mutable std::mutex mutex_;
  std::vector<std::jthread> threads_;
};

/// Keeps the rules of HTTP/2.
using ScriptedServer = ScriptedServerOf<SessionPeer>;
/// Keeps no rules.
using HostileServer = ScriptedServerOf<FramePeer>;

}  // namespace nearcall::test
