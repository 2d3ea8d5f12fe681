// SPDX-License-Identifier: Apache-2.0
// LoopConnection: the connection of a channel on one event loop.
#pragma once

#include "async/intrusive_list.hpp"
#include "async/loop_core.hpp"
#include "client/client_connection.hpp"
#include "connection/loop_driver.hpp"

#include <nearcall/event_loop.hpp>
#include <nearcall/transport.hpp>

#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

namespace nearcall::detail {

class AsyncCall;
class ChannelCore;

/// The connection of a channel on one loop: connects when its first call comes, keeps calls back
/// until there is room for them, and is replaced by the channel once it is closing.
///
/// Thread safety: the loop's thread.
class LoopConnection final : public ClientDriver,
                             public std::enable_shared_from_this<LoopConnection> {
 public:
  LoopConnection(ChannelCore& channel, EventLoop& loop);
  LoopConnection(const LoopConnection&) = delete;
  LoopConnection& operator=(const LoopConnection&) = delete;
  ~LoopConnection();

  /// Lets go of a connection, from any thread: it goes on its loop's, if that is still there.
  static void dispose(std::shared_ptr<LoopConnection> connection);
  /// Opens `call` now, or when it is connected and there is room.
  void submit(AsyncCall& call, const ChannelCore& channel);
  /// Submits `call`, which was not begun here, once more, to the loop's connection of then: not
  /// before the caller, who is handling what came, has returned.
  void repeat(AsyncCall& call);
  /// A call that was submitted here is over. An attempt to connect that nobody waits for any more
  /// is given up.
  void on_call_over();
  /// Takes no calls any more.
  bool is_closing() const noexcept { return phase_ == Phase::closing; }
  bool is_loop_gone() const noexcept { return anchor_ == nullptr; }

  void on_output() override;
  void on_room() override;
  void on_closing() override;

 private:
  enum class Phase : std::uint8_t { idle, connecting, connected, closing };

  /// What other threads may ask of the loop: whether it is still there. It is not destroyed before
  /// the gate is shut.
  struct Gate {
    explicit Gate(EventLoop& of) noexcept : loop(&of) {}
    void shut() noexcept {
      const std::lock_guard lock(mutex);
      loop = nullptr;
    }
    std::mutex mutex;
    EventLoop* loop;
  };
  /// Goes with the loop, and tells the connection.
  class Anchor final : public LoopOwned {
   public:
    explicit Anchor(LoopConnection& connection) noexcept : connection_(&connection) {}
    ~Anchor() override;
    void detach() noexcept { connection_ = nullptr; }

   private:
    LoopConnection* connection_;
  };
  class GoOn final : public Runnable {
   public:
    explicit GoOn(LoopConnection& connection) noexcept : connection_(&connection) {}
    void run() noexcept override { connection_->go_on(); }

   private:
    LoopConnection* connection_;
  };

  static void on_connect_done(void* self) noexcept;
  static void on_connect_late(void* self) noexcept;
  void connect(const ChannelCore& channel);
  void finish_connect();
  void give_up_attempt();
  static void fail(IntrusiveList<AsyncCall>& calls, const Status& why);
  /// None of those that wait here was begun.
  void hand_back_waiting();
  void open_waiting();
  /// What has to wait until nothing of the connection is on the stack.
  void ask_to_go_on();
  void go_on();
  void on_loop_gone() noexcept;

  /// May be gone when nobody waits.
  std::weak_ptr<ChannelCore> channel_;
  const std::string target_;
  const ConnectionLimits limits_;
  EventLoop* loop_;
  const std::shared_ptr<Gate> gate_;
  Anchor* anchor_;
  Phase phase_ = Phase::idle;
  std::optional<ClientConnection> client_;
  std::optional<LoopDriver> driver_;
  IntrusiveList<AsyncCall> waiting_;
  IntrusiveList<AsyncCall> repeated_;
  GoOn go_on_{*this};
  std::stop_source abandon_;
  Task<Result<std::unique_ptr<Transport>>> connecting_;
  Timer connect_timer_;
};

}  // namespace nearcall::detail
