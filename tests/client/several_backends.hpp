// SPDX-License-Identifier: Apache-2.0
// SeveralBackends: scripted servers that come and go, each of which answers with its name.
#pragma once

#include "client/script_methods.hpp"
#include "support/call_form.hpp"
#include "support/log_capture.hpp"

#include <nearcall/event_loop.hpp>
#include <nearcall/picker.hpp>
#include <nearcall/sync_wait.hpp>

#include <google/protobuf/wrappers.pb.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace nearcall::test {

/// One server of a channel to several.
class NamedBackend {
 public:
  explicit NamedBackend(std::string name)
      : name_(std::move(name)), server_({[this](SessionPeer& peer) { serve(peer); }}) {}

  /// Nobody listens until it is up again; what is connected stays.
  void take_down() noexcept { is_up_ = false; }
  void bring_up() noexcept { is_up_ = true; }
  /// Ends calls with UNAVAILABLE.
  void refuse_calls() noexcept { refuses_ = true; }
  /// Takes no more calls on any connection, as one that stops.
  void leave() noexcept { leaves_ = true; }
  /// What its health service says; -1, as at first: it has none.
  void set_health(int status) noexcept { health_ = status; }
  int attempts() const noexcept { return attempts_; }

  Result<std::unique_ptr<Transport>> connect(const std::string& name) {
    ++attempts_;
    if (is_up_) return server_.accept();
    return Status(StatusCode::unavailable, name + ": nobody listens")
        .with_reason(StatusReason::no_server);
  }

 private:
  void serve(SessionPeer& peer) {
    while (http2::Stream* const stream = peer.next_call()) {
      if (leaves_) {
        peer.take_none("it leaves");
        peer.flush();
        return;
      }
      if (peer.header(":path") == "/grpc.health.v1.Health/Watch") {
        answer_watch(peer, *stream);
      } else if (refuses_) {
        peer.headers(
            *stream,
            {{":status", "200"}, {"content-type", "application/grpc"}, {"grpc-status", "14"}},
            /*end_stream=*/true);
      } else {
        peer.answer(*stream, name_);
      }
    }
  }

  /// The call goes on until the client ends it.
  void answer_watch(SessionPeer& peer, http2::Stream& stream) const {
    if (health_ < 0) {
      return peer.headers(
          stream, {{":status", "200"}, {"content-type", "application/grpc"}, {"grpc-status", "12"}},
          /*end_stream=*/true);
    }
    google::protobuf::Int32Value response;
    response.set_value(health_);
    peer.begin(stream);
    peer.message(stream, response);
  }

  const std::string name_;
  std::atomic<int> health_{-1};
  std::atomic<bool> refuses_{false};
  std::atomic<bool> leaves_{false};
  std::atomic<bool> is_up_{true};
  std::atomic<int> attempts_{0};
  ScriptedServer server_;
};

/// Tests of both forms: the servers "a", "b" and "c".
class SeveralBackends : public LogCheckedTest, public testing::WithParamInterface<CallForm> {
 protected:
  NamedBackend& at(const std::string& name) { return backends_.at(name); }
  ChannelOptions options() {
    return ChannelOptions().connector(
        [this](const ConnectContext& context) { return connect(*this, context.target()); });
  }
  Channel channel(ChannelOptions with) { return Channel::to_any({"a", "b", "c"}, std::move(with)); }
  Channel channel() { return channel(options()); }

  /// Who answers, or how it failed.
  Result<Text> call(const Channel& channel, const CallOptions& with = patient()) {
    const ClientStub stub(channel, test_methods);
    return is_blocking() ? call_unary(stub, with) : sync_wait(await_unary(stub, with));
  }
  std::string who_answers(const Channel& channel, const CallOptions& with = patient()) {
    const Result<Text> reply = call(channel, with);
    return reply ? reply->value() : reply.status().to_string();
  }
  std::string who_answers(const Channel& channel, int calls) {
    std::string all;
    for (int i = 0; i < calls; ++i)
      all += who_answers(channel);
    return all;
  }
  bool is_blocking() const { return GetParam() == CallForm::blocking; }

 private:
  static Task<Result<std::unique_ptr<Transport>>> connect(SeveralBackends& test, std::string name) {
    co_return test.at(name).connect(name);
  }

  static std::map<std::string, NamedBackend> make() {
    std::map<std::string, NamedBackend> made;
    for (const char* const name : {"a", "b", "c"})
      made.try_emplace(name, name);
    return made;
  }

  std::map<std::string, NamedBackend> backends_ = make();
};

}  // namespace nearcall::test
