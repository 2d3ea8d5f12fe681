// SPDX-License-Identifier: Apache-2.0
// ListenPort: one listener on a loop: accepts, checks who it is, and hands connections on.
#pragma once

#include "async/loop_core.hpp"
#include "server/server_shared.hpp"

#include <nearcall/peer_policy.hpp>
#include <nearcall/transport.hpp>

#include <functional>
#include <memory>

namespace nearcall::detail {

/// One listener on a loop. Peers that the policy does not admit, and those beyond the connection
/// limits, are closed before a byte of theirs is read; failures to accept are retried after 10 ms,
/// doubling to 1 s.
///
/// Thread safety: the loop's thread.
class ListenPort final : public FdWatcher {
 public:
  using Sink = std::function<void(std::unique_ptr<Transport>, ConnectionQuota::Place)>;

  ListenPort(ServerShared& shared,
             LoopCore& core,
             std::unique_ptr<Listener> listener,
             PeerPolicy policy,
             Sink sink);
  ListenPort(const ListenPort&) = delete;
  ListenPort& operator=(const ListenPort&) = delete;
  ~ListenPort();

  void start() { accept_all(); }
  /// Takes those who wait already, as many as the server may have, and then no more: they have
  /// connected, and some have sent a request.
  void drain();
  /// Takes no more connections; the name goes with the port.
  void unbind() noexcept;

  void on_fd_events(std::uint32_t epoll_events) override;

 private:
  class AcceptOn final : public Runnable {
   public:
    explicit AcceptOn(ListenPort& port) noexcept : port_(&port) {}
    void run() noexcept override { port_->accept_all(); }

   private:
    ListenPort* port_;
  };

  static void on_timer(void* self) noexcept;
  void accept_all();
  void take(std::unique_ptr<Transport> connection);
  void wait_for_more();
  void pause(const Status& why);
  void unwatch() noexcept;

  ServerShared* shared_;
  LoopCore* core_;
  std::unique_ptr<Listener> listener_;
  const PeerPolicy policy_;
  Sink sink_;
  int watched_fd_ = -1;
  short watched_events_ = 0;
  bool is_unbound_ = false;
  Duration pause_{};
  Timer timer_;
  AcceptOn accept_on_{*this};
  LogLimiter refusal_limiter_;
  LogLimiter failure_limiter_;
};

}  // namespace nearcall::detail
