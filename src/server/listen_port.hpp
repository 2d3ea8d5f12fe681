// SPDX-License-Identifier: Apache-2.0
// ListenPort: one listener on a loop: accepts, checks who it is, and hands connections on.
#pragma once

#include "async/loop_core.hpp"
#include "async/run_member.hpp"
#include "server/pending_handshake.hpp"
#include "server/server_shared.hpp"

#include <nearcall/peer_policy.hpp>
#include <nearcall/transport.hpp>

#include <memory>

namespace nearcall::inline v0::detail {

/// One listener on a loop: does the handshakes of its transports, and then asks who that is. Peers
/// that the policy does not admit, and those beyond the connection limits, are closed before a byte
/// of theirs is read, the former with a notice; failures to accept are retried after 10 ms,
/// doubling to 1 s. Whether clients still find the listener is looked at every five seconds. Once a
/// successor has its name, those who still wait are told to connect anew, and nobody is served: as
/// many as the server may have connections, and as long as it need not pause for a second.
///
/// Thread safety: the loop's thread.
class ListenPort final : public FdWatcher, public PendingHandshake::Owner {
 public:
  /// What its server does with what it has to tell.
  class Owner {
   public:
    virtual void take(std::unique_ptr<Transport> transport, ConnectionQuota::Place place) = 0;
    /// It is of no use any more: a successor has the listener's name, or the last connection that
    /// could come has ended.
    virtual void on_listener_end() noexcept = 0;

   protected:
    ~Owner() = default;
  };

  ListenPort(ServerShared& shared,
             LoopCore& core,
             std::unique_ptr<Listener> listener,
             PeerPolicy policy,
             Owner& owner);
  ListenPort(const ListenPort&) = delete;
  ListenPort& operator=(const ListenPort&) = delete;
  ~ListenPort();

  void start();
  /// Lets nobody connect any more, and takes those who have, as many as the server may: some have
  /// sent a request.
  void drain();
  /// Takes no more connections; the name goes with the port.
  void unbind() noexcept;

  void on_fd_events(std::uint32_t epoll_events) override;
  void on_handshake_end(PendingHandshake& handshake, std::error_code error) override;
  void on_handshake_evicted(PendingHandshake& handshake) override;

 private:
  static void on_timer(void* self) noexcept;
  static void on_check_timer(void* self) noexcept;
  void check_name();
  void accept_all();
  void go_on_next_turn();
  void accept_waiting();
  void take(std::unique_ptr<Transport> connection);
  void await_handshake(std::unique_ptr<Transport> connection);
  void drop_handshakes() noexcept;
  void admit(std::unique_ptr<Transport> connection);
  void refuse_handshake(const Transport& refused, std::error_code error);
  void refuse(const Transport& refused, Observer::Refusal reason, std::string_view why);
  void wait_for_more();
  void end();
  void pause(const Status& why);
  void unwatch() noexcept;

  ServerShared* shared_;
  LoopCore* core_;
  std::unique_ptr<Listener> listener_;
  const PeerPolicy policy_;
  Owner* owner_;
  int watched_fd_ = -1;
  short watched_events_ = 0;
  bool is_unbound_ = false;
  bool has_successor_ = false;
  /// How many were accepted since.
  std::size_t after_successor_ = 0;
  Duration pause_{};
  Timer timer_;
  Timer check_timer_;
  RunMember<&ListenPort::accept_all> accept_on_{*this};
  IntrusiveList<PendingHandshake> handshakes_;
  LogLimiter refusal_limiter_;
  LogLimiter failure_limiter_;
  LogLimiter check_limiter_;
};

}  // namespace nearcall::inline v0::detail
