// SPDX-License-Identifier: Apache-2.0
// ClientConnection: the client's end of a connection, whoever drives it.
#pragma once

#include "async/turn_queue.hpp"
#include "client/keep_alive_pace.hpp"
#include "connection/connection_counters.hpp"
#include "connection/head_memory.hpp"
#include "connection/pump.hpp"
#include "connection/session_commands.hpp"

#include <nearcall/connection_limits.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace nearcall::inline v0::detail {

/// The driver of a ClientConnection.
class ClientDriver {
 public:
  /// There is output.
  virtual void on_output() = 0;
  /// The server takes more streams.
  virtual void on_room() = 0;
  /// No call is taken any more: it has ended, or the server said GOAWAY.
  virtual void on_closing() = 0;
  /// Where coroutines wait for later turns of its loop; null where it has none.
  virtual TurnQueue* turn_queue() noexcept { return nullptr; }

 protected:
  ~ClientDriver() = default;
};

/// A header block that says nothing but what most calls hear.
enum class PlainBlock : std::uint8_t {
  none,
  headers,      // of a response that goes on, without metadata, which compresses nothing
  ok_trailers,  // without metadata
};

/// Who the server of a connection is, also for calls that outlive the connection.
///
/// Thread safety: that of a std::shared_ptr: a call that is over may be dropped on any thread.
class SharedPeer {
 public:
  SharedPeer() noexcept = default;
  explicit SharedPeer(const PeerIdentity& peer) : shared_(new Shared{peer}) {}
  SharedPeer(const SharedPeer& other) noexcept : shared_(other.shared_) {
    if (shared_ != nullptr) shared_->users.fetch_add(1, std::memory_order_relaxed);
  }
  SharedPeer& operator=(SharedPeer other) noexcept {
    std::swap(shared_, other.shared_);
    return *this;
  }
  ~SharedPeer() {
    if (shared_ != nullptr && shared_->users.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      delete shared_;
    }
  }

  explicit operator bool() const noexcept { return shared_ != nullptr; }
  /// Nobody known where it is of no connection.
  const PeerIdentity& identity() const noexcept {
    static const PeerIdentity nobody;
    return shared_ != nullptr ? shared_->peer : nobody;
  }

 private:
  struct Shared {
    PeerIdentity peer;
    std::atomic<std::size_t> users{1};
  };
  Shared* shared_ = nullptr;
};

/// The client's end of a connection.
///
/// Thread safety: none; the driver's.
class ClientConnection final : public PumpHandler {
 public:
  ClientConnection(std::unique_ptr<Transport> transport,
                   std::string target,
                   const ConnectionLimits& limits,
                   ClientDriver& driver,
                   ConnectionCounters& counters,
                   TimePoint now);

  /// From now on it is lost if the server is silent for too long. `pace` outlives it.
  void keep_alive(KeepAlivePace& pace, TimePoint now) noexcept {
    pace_ = &pace;
    pump_.keep_alive(pace.options(), now);
  }

  /// Whether a call may be opened now, later, or never.
  http2::Session::OpenState open_state() const noexcept;
  Pump& pump() noexcept { return pump_; }
  const http2::Session& session() const noexcept { return pump_.session(); }
  SessionCommands<ClientConnection> commands() noexcept { return {*this, pump_.session()}; }
  std::size_t call_count() const noexcept { return pump_.session().stream_count(); }
  /// UNAVAILABLE: the target, and why the connection ended.
  Status lost_status() const;
  /// It takes no more calls.
  bool said_goaway() const noexcept { return goaway_.has_value(); }
  /// By the server's policy: there is no point in trying again.
  bool is_refused() const noexcept { return goaway_ == http2::ErrorCode::inadequate_security; }

  // For its streams.

  void on_output() {
    if (!pump_.has_ended()) driver_->on_output();
  }
  TurnQueue* turn_queue() noexcept { return driver_->turn_queue(); }
  void release(http2::Stream& stream);
  http2::DataEvent data_behind(http2::Stream& stream) {
    return pump_.session().data_behind(stream);
  }
  /// What was noted of a block that is all head (HeadMemory): it need not be read again.
  PlainBlock plain_block(const http2::HeaderList& list) noexcept {
    const PlainBlock* const known = plain_blocks_.find(list);
    return known != nullptr && list.size() == list.head_count() ? *known : PlainBlock::none;
  }
  void note_plain_block(const http2::HeaderList& list, PlainBlock block) {
    if (list.head_token() != 0 && list.size() == list.head_count()) plain_blocks_.keep(list, block);
  }

  const std::string& target() const noexcept { return target_; }
  /// As observers know it.
  std::uint64_t id() const noexcept { return observed_.id; }
  const SharedPeer& shared_peer() {
    if (!peer_) peer_ = SharedPeer(pump_.peer());
    return peer_;
  }
  /// Whether the server has said anything that HTTP/2 knows.
  bool has_settings() const noexcept { return pump_.session().has_peer_settings(); }

  void on_event(const http2::Event& event) override;
  void on_end(EndReason reason, std::string_view what) override;

 private:
  void on_goaway(const http2::GoawayEvent& event);
  void ask_less_often();
  StatusReason lost_reason() const noexcept;

  const std::string target_;
  ClientDriver* driver_;
  ConnectionCounters* counters_;
  ObservedConnection observed_;
  KeepAlivePace* pace_ = nullptr;
  std::string end_text_;
  std::optional<http2::ErrorCode> goaway_;  // of the last one
  SharedPeer peer_;
  HeadMemory<PlainBlock> plain_blocks_;
  Pump pump_;
};

}  // namespace nearcall::inline v0::detail
