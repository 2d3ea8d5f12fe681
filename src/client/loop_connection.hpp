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
#include <optional>
#include <stop_token>

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
  /// `channel` outlives every call that is submitted.
  LoopConnection(ChannelCore& channel, EventLoop& loop);
  LoopConnection(const LoopConnection&) = delete;
  LoopConnection& operator=(const LoopConnection&) = delete;
  ~LoopConnection();

  /// Lets go of a connection, from any thread: it goes on its loop's, if that is still there.
  static void dispose(std::shared_ptr<LoopConnection> connection);
  /// Opens `call` now, or when it is connected and there is room.
  void submit(AsyncCall& call);
  /// Takes no calls any more.
  bool is_closing() const noexcept { return phase_ == Phase::closing; }
  EventLoop& loop() const noexcept { return *loop_; }

  void on_output() override;
  void on_room() override;
  void on_closing() override;

 private:
  enum class Phase : std::uint8_t { idle, connecting, connected, closing };

  /// Goes with the loop, and tells the connection.
  class Anchor final : public LoopOwned {
   public:
    explicit Anchor(LoopConnection& connection) noexcept : connection_(&connection) {}
    ~Anchor() override;
    void detach() noexcept { connection_ = nullptr; }

   private:
    LoopConnection* connection_;
  };
  class OpenWaiting final : public Runnable {
   public:
    explicit OpenWaiting(LoopConnection& connection) noexcept : connection_(&connection) {}
    void run() noexcept override { connection_->open_waiting(); }

   private:
    LoopConnection* connection_;
  };

  static void on_connect_done(void* self) noexcept;
  static void on_connect_late(void* self) noexcept;
  void connect();
  void finish_connect();
  void fail_waiting(const Status& why);
  void open_waiting();
  void on_loop_gone() noexcept;

  ChannelCore* channel_;
  EventLoop* loop_;
  Anchor* anchor_;
  Phase phase_ = Phase::idle;
  std::optional<ClientConnection> client_;
  std::optional<LoopDriver> driver_;
  IntrusiveList<AsyncCall> waiting_;
  OpenWaiting open_waiting_{*this};
  std::stop_source abandon_;
  Task<Result<std::unique_ptr<Connection>>> connecting_;
  Timer connect_timer_;
};

}  // namespace nearcall::detail
