// SPDX-License-Identifier: Apache-2.0
// DirectClient: a ClientConnection and a scripted peer on one thread, stepped by the test; and
// attempts and calls on it.
#pragma once

#include "client/call.hpp"
#include "client/client_connection.hpp"
#include "client/script_methods.hpp"
#include "transport/socket_transport.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace nearcall::test {

namespace http2 = detail::http2;

/// A ClientConnection whose other end is a SessionPeer; nothing happens but in turn().
/// Thread safety: none.
class DirectClient final : public detail::ClientDriver {
 public:
  explicit DirectClient(const ConnectionLimits& limits = ConnectionLimits(),
                        const http2::SessionOptions& of_peer = http2::SessionOptions()) {
    Result<detail::SocketPair> pair = detail::make_socketpair();
    peer_ = std::make_unique<SessionPeer>(http2::Role::server, std::move(pair->second), of_peer);
    client_ = std::make_unique<detail::ClientConnection>(
        std::move(pair->first), "mine", limits, *this, counters, detail::SteadyClock::now());
  }

  detail::ClientConnection& client() noexcept { return *client_; }
  SessionPeer& peer() noexcept { return *peer_; }
  const detail::BoundMethod& method() const noexcept { return method_; }
  /// Before there are calls.
  void set_config(const detail::MethodConfig& config, detail::ChannelRetries& retries) noexcept {
    method_.config = &config;
    method_.retries = &retries;
  }
  void close_peer() noexcept { peer_.reset(); }

  /// What the client has to say goes over, and the answer comes back.
  void turn() {
    client_->pump().flush(detail::SteadyClock::now());
    if (peer_ != nullptr) peer_->turn();
    take_in();
  }
  /// The client takes in what has come.
  void take_in() {
    using Progress = detail::Pump::Progress;
    const detail::TimePoint now = detail::SteadyClock::now();
    while (client_->pump().read(detail::read_scratch(), now) == Progress::some) {
    }
    client_->pump().flush(now);
  }
  /// Opens `attempt` and lets the peer take it in; the peer's stream for it.
  http2::Stream& open(detail::Attempt& attempt) {
    open_unsent(attempt);
    turn();
    return *peer_->newest();
  }
  void open_unsent(detail::Attempt& attempt) {
    attempt.open(*client_, method_.head, {}, /*loop=*/nullptr);
  }
  http2::Stream& open(detail::Call& call) {
    call.open(*client_, /*loop=*/nullptr, call.now());
    turn();
    return *peer_->newest();
  }

  void on_output() override { ++outputs; }
  void on_room() override { ++rooms; }
  void on_closing() override { ++closings; }

  detail::ConnectionCounters counters;
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
  std::unique_ptr<SessionPeer> peer_;
  std::unique_ptr<detail::ClientConnection> client_;
};

/// An attempt, and what it said.
class DirectAttempt final : private detail::AttemptObserver {
 public:
  DirectAttempt() : attempt(*this, std::size_t{4} * 1024 * 1024) {}

  int headers = 0;
  std::vector<detail::Outcome> outcomes;
  std::vector<Status> bad_messages;
  detail::Attempt attempt;

  bool has_ended() const { return !outcomes.empty(); }
  detail::Seen seen() const { return outcomes.at(0).seen; }
  const Status& status() const { return outcomes.at(0).status; }

 private:
  void on_headers() override { ++headers; }
  void on_outcome(detail::Outcome outcome) override { outcomes.push_back(std::move(outcome)); }
  void on_bad_message(Status why) override { bad_messages.push_back(std::move(why)); }
  void on_write(const detail::grpc::OutgoingMessage& /*message*/) override {}
  std::string_view receive_limit() const noexcept override { return "the test's limit"; }
  std::string_view send_limit() const noexcept override { return "the test's limit"; }
};

/// A call that nobody waits for, and how often it said something.
class DirectCall final : private detail::CallWaiter {
 public:
  explicit DirectCall(const DirectClient& direct,
                      const CallOptions& options = patient(),
                      detail::Clock clock = detail::Clock())
      : call(*this, direct.method(), options, ChannelOptions(), clock) {}

  int changes = 0;
  int repeats = 0;
  std::optional<detail::TimePoint> repeat_at;
  detail::Call call;

 private:
  void on_change() override { ++changes; }
  void on_repeat(std::optional<detail::TimePoint> at) override {
    ++repeats;
    repeat_at = at;
  }
};

}  // namespace nearcall::test
