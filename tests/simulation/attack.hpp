// SPDX-License-Identifier: Apache-2.0
// A hostile client at a whole server, and a hostile server at a whole client, in memory.
#pragma once

#include "simulation/choices.hpp"
#include "simulation/hostile_peer.hpp"
#include "simulation/service.hpp"
#include "support/link.hpp"
#include "support/log_capture.hpp"
#include "support/manual_loop.hpp"
#include "support/queue_listener.hpp"

#include <nearcall/channel.hpp>
#include <nearcall/client_stub.hpp>
#include <nearcall/server.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace nearcall::test {

/// What both attacks have: a link, whose other end says what it likes, reads or does not, and a
/// bound for the memory that it can make us keep.
class Attack : protected ManualLoop {
 protected:
  explicit Attack(Choices& choices);

  /// Says these bytes, in pieces, and lets the loop turn between them; false once we have closed.
  bool say(std::string_view bytes);
  /// Takes what we said off the link, if the peer chooses to read.
  void hear();
  void expect_little_memory(std::size_t most) const;

  Choices& choices_;
  LogCapture log_;
  std::shared_ptr<Link> link_ =
      std::make_shared<Link>(Link::Manner::by_hand, std::size_t{64} * 1024);
  std::unique_ptr<Transport> ours_;
  std::unique_ptr<Transport> theirs_;
  std::size_t memory_before_ = 0;
};

/// A server with one hostile client. In the end an honest one is served.
class AttackOnServer final : private Attack {
 public:
  explicit AttackOnServer(Choices& choices);
  AttackOnServer(const AttackOnServer&) = delete;
  AttackOnServer& operator=(const AttackOnServer&) = delete;
  ~AttackOnServer();
  /// The peer says `bytes`, which are any; false once the server has closed.
  bool feed(std::string_view bytes);
  /// The peer says what a HostilePeer would; returns how many times, until we closed.
  int run(int steps);
  void finish();

 private:
  Task<void> call_honestly();

  SimulatedService service_;
  std::shared_ptr<ConnectionQueue> queue_ = std::make_shared<ConnectionQueue>();
  std::optional<Server> server_;
  bool is_served_ = false;
};

/// A client with calls on a connection to a hostile server. In the end each call is over, by its
/// deadline at the latest.
class AttackOnClient final : private Attack {
 public:
  explicit AttackOnClient(Choices& choices);
  AttackOnClient(const AttackOnClient&) = delete;
  AttackOnClient& operator=(const AttackOnClient&) = delete;
  ~AttackOnClient();
  bool feed(std::string_view bytes);
  int run(int steps);
  void finish();

 private:
  Task<Result<std::unique_ptr<Transport>>> connect();
  Task<void> call_unary();
  Task<void> call_chat();

  std::optional<Channel> channel_;
  std::optional<ClientStub> stub_;
  int running_ = 0;
};

}  // namespace nearcall::test
