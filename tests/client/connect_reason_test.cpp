// SPDX-License-Identifier: Apache-2.0
// Why a call could not be connected, for programs; whom a channel expects; how long it waits.
#include "client/script_methods.hpp"
#include "support/io.hpp"
#include "support/log_capture.hpp"
#include "support/temp_dir.hpp"
#include "transport/socket_transport.hpp"

#include <nearcall/event_loop.hpp>

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;

class ConnectReason : public LogCheckedTest {
 protected:
  static StatusReason reason_at(const std::string& target) {
    Channel channel(target);
    return call_unary(ClientStub(channel, test_methods)).status().reason();
  }

  TempDir folder_;
};

TEST_F(ConnectReason, ATargetThatIsWrongIsABadTarget) {
  EXPECT_EQ(reason_at("nonsense:://"), StatusReason::bad_target);
}

TEST_F(ConnectReason, NobodyAtAPathIsNoServer) {
  EXPECT_EQ(reason_at("unix:" + folder_.file("nobody")), StatusReason::no_server);
  std::ofstream(folder_.file("file")) << "no socket";
  EXPECT_EQ(reason_at("unix:" + folder_.file("file")), StatusReason::no_server);
}

Task<Result<std::unique_ptr<Transport>>> speak_http1(std::unique_ptr<Transport>& theirs) {
  Result<detail::SocketPair> pair = detail::make_socketpair();
  theirs = std::move(pair->second);
  EXPECT_TRUE(write_all(*theirs, "HTTP/1.1 400 Bad Request\r\n\r\n"));
  co_return std::move(pair->first);
}

TEST_F(ConnectReason, WhatIsNoHttp2IsNotGrpc) {
  std::unique_ptr<Transport> theirs;
  Channel channel(
      "mine", ChannelOptions().connector([&theirs](const auto&) { return speak_http1(theirs); }));

  const Status status = call_unary(ClientStub(channel, test_methods)).status();

  EXPECT_EQ(status.code(), StatusCode::unavailable);
  EXPECT_EQ(status.reason(), StatusReason::not_grpc) << status.to_string();
}

TEST_F(ConnectReason, AConnectionThatIsLostUnderACallSaysSo) {
  ScriptedServer server({[](SessionPeer& peer) { peer.next_call(); }});
  Channel channel("mine", server.options());

  const Status status = call_unary(ClientStub(channel, test_methods)).status();

  EXPECT_EQ(status.reason(), StatusReason::connection_lost) << status.to_string();
}

Task<Result<std::unique_ptr<Transport>>> connect_to(std::unique_ptr<Transport>& theirs) {
  Result<detail::SocketPair> pair = detail::make_socketpair();
  theirs = std::move(pair->second);
  co_return std::move(pair->first);
}

class ExpectedServer : public LogCheckedTest {
 protected:
  Status call(const PeerPolicy& expected) {
    Channel channel("mine", ChannelOptions().expect_server(expected).connector(
                                [this](const auto&) { return connect_to(theirs_); }));
    const CallOptions options = CallOptions().timeout(20ms).metadata("secret", "1");
    return call_unary(ClientStub(channel, test_methods), options).status();
  }
  std::unique_ptr<Transport> theirs_;
};

TEST_F(ExpectedServer, IsToldNothingIfItIsAnotherOne) {
  const Status status = call(PeerPolicy::any_of({}));

  EXPECT_EQ(status.code(), StatusCode::unavailable);
  EXPECT_EQ(status.reason(), StatusReason::wrong_server) << status.to_string();
  EXPECT_EQ(read_kind(*theirs_), IoResult::Kind::end_of_stream) << "without a byte before";
}

TEST_F(ExpectedServer, IsTalkedToIfItIsTheOne) {
  const Status status = call(PeerPolicy::same_user());

  EXPECT_EQ(status.code(), StatusCode::deadline_exceeded) << status.to_string();
  EXPECT_EQ(read_kind(*theirs_), IoResult::Kind::bytes);
}

TEST_F(ExpectedServer, IsNotSaidByThePermissionsOfAFile) {
  const Status status = call(PeerPolicy::by_file_mode());

  EXPECT_EQ(status.code(), StatusCode::failed_precondition);
  EXPECT_EQ(theirs_, nullptr);
}

class SilentServer : public LogCheckedTest {
 protected:
  ScriptedServer server_{{[](SessionPeer& peer) { peer.wait_for_end_silently(); }}};
};

TEST_F(SilentServer, HasAsLongAsTheCallWhateverServersGrantToSilentClients) {
  ConnectionLimits limits;
  limits.handshake_timeout = 10ms;
  Channel channel("mine", server_.options().limits(limits));

  const Status status =
      call_unary(ClientStub(channel, test_methods), CallOptions().timeout(60ms)).status();

  EXPECT_EQ(status.code(), StatusCode::deadline_exceeded) << status.to_string();
}

TEST_F(SilentServer, HasAsLongAsTheChannelSays) {
  Channel channel("mine", server_.options().connect_timeout(10ms));

  const Status status = call_unary(ClientStub(channel, test_methods)).status();

  EXPECT_EQ(status.code(), StatusCode::unavailable) << status.to_string();
}

using Attempted = Task<Result<std::unique_ptr<Transport>>>;

Attempted take_an_hour(ConnectContext) {
  co_await sleep_for(1h);
  co_return Status(StatusCode::internal, "not reached");
}
Attempted throw_at_once(ConnectContext) {
  throw std::runtime_error("broken");
  co_return nullptr;
}
Attempted make_nothing(ConnectContext) {
  co_return std::unique_ptr<Transport>();
}

/// In both forms.
void expect_reason(ChannelOptions options, StatusReason reason) {
  const Channel channel("mine", std::move(options.connect_timeout(20ms)));
  const ClientStub stub(channel, test_methods);
  const Status blocking = call_unary(stub).status();
  EXPECT_EQ(to_string(blocking.reason()), to_string(reason)) << blocking.to_string();
  const Status awaited = sync_wait(await_unary(stub)).status();
  EXPECT_EQ(to_string(awaited.reason()), to_string(reason)) << awaited.to_string();
}

TEST_F(ConnectReason, AnAttemptThatTakesTooLongHasNoAnswer) {
  expect_reason(ChannelOptions().connector(take_an_hour), StatusReason::no_answer);
}

TEST_F(ConnectReason, AConnectorThatThrowsOrMakesNothingIsMisuse) {
  expect_reason(ChannelOptions().connector(throw_at_once), StatusReason::misuse);
  expect_reason(ChannelOptions().connector(make_nothing), StatusReason::misuse);
}

}  // namespace
}  // namespace nearcall::test
