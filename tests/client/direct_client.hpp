// SPDX-License-Identifier: Apache-2.0
// DirectClient: a ClientConnection and a scripted peer on one thread, stepped by the test.
#pragma once

#include "client/client_connection.hpp"
#include "client/scripted_server.hpp"

#include <string>

namespace nearcall::test {

/// A call without anybody who waits: counts its changes, and how often it was told that it was not
/// begun.
class DirectCall final : public detail::ClientCall {
 public:
  explicit DirectCall(const detail::BoundMethod& method, const CallOptions& options = patient())
      : ClientCall(method, options, std::size_t{4} * 1024 * 1024) {}

  int changes = 0;
  int not_begun = 0;
  bool wants_to_begin_again = false;

 private:
  void on_change() override { ++changes; }
  Again begin_again() override {
    ++not_begun;
    return wants_to_begin_again ? Again::yes : Again::no;
  }
};

/// A ClientConnection whose other end is a ScriptedPeer; nothing happens but in turn().
/// Thread safety: none.
class DirectClient final : public detail::ClientDriver {
 public:
  DirectClient() {
    Result<SocketPair> pair = make_socketpair();
    peer_ = std::make_unique<ScriptedPeer>(std::move(pair->second));
    client_ = std::make_unique<detail::ClientConnection>(
        std::move(pair->first), "mine", ConnectionLimits(), *this, SteadyClock::now());
  }

  detail::ClientConnection& client() noexcept { return *client_; }
  ScriptedPeer& peer() noexcept { return *peer_; }
  const detail::BoundMethod& method() const noexcept { return method_; }
  void close_peer() noexcept { peer_.reset(); }

  /// What the client has to say goes over, and the answer comes back.
  void turn() {
    client_->pump().flush(SteadyClock::now());
    if (peer_ != nullptr) peer_->turn();
    take_in();
  }
  /// The client takes in what has come.
  void take_in() {
    using Progress = detail::Pump::Progress;
    const TimePoint now = SteadyClock::now();
    while (client_->pump().read(detail::read_scratch(), now) == Progress::some) {
    }
    client_->pump().flush(now);
  }
  /// Opens `call`; the peer's stream for it.
  http2::Stream& open(DirectCall& call) {
    call.open(*client_, /*loop=*/nullptr, /*end_stream=*/false);
    turn();
    return *peer_->newest();
  }

  void on_output() override { ++outputs; }
  void on_room() override { ++rooms; }
  void on_closing() override { ++closings; }

  int outputs = 0;
  int rooms = 0;
  int closings = 0;

 private:
  detail::BoundMethod method_{test_methods[unary_method],
                              http2::HeaderTemplate{{":method", "POST"},
                                                    {":scheme", "http"},
                                                    {":path", "/test.Script/Unary"},
                                                    {":authority", "localhost"},
                                                    {"te", "trailers"},
                                                    {"content-type", "application/grpc"}}};
  std::unique_ptr<ScriptedPeer> peer_;
  std::unique_ptr<detail::ClientConnection> client_;
};

}  // namespace nearcall::test
