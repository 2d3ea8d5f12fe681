// SPDX-License-Identifier: Apache-2.0
// Why a call could not be connected, for programs; whom a channel expects; how long it waits.
#include "base/unique_fd.hpp"
#include "client/script_methods.hpp"
#include "support/enough_time.hpp"
#include "support/io.hpp"
#include "support/limit_set.hpp"
#include "support/log_capture.hpp"
#include "support/temp_dir.hpp"
#include "transport/socket_address.hpp"
#include "transport/socket_transport.hpp"

#include <nearcall/event_loop.hpp>

#include <gtest/gtest.h>
#include <sys/fsuid.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <ostream>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

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
  Status call(const PeerPolicy& expected, CallOptions options = patient()) {
    Channel channel("mine", ChannelOptions().expect_server(expected).connector(
                                [this](const auto&) { return connect_to(theirs_); }));
    options.metadata("secret", "1");
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
  with_enough_time([this](std::chrono::milliseconds timeout) {
    const Status status = call(PeerPolicy::same_user(), CallOptions().timeout(timeout));

    EXPECT_EQ(status.code(), StatusCode::deadline_exceeded) << status.to_string();
    return theirs_ != nullptr && read_kind(*theirs_) == IoResult::Kind::bytes;
  });
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

TEST_F(SilentServer, HasAsLongAsTheAwaitedCallToo) {
  ConnectionLimits limits;
  limits.handshake_timeout = 10ms;
  Channel channel("mine", server_.options().limits(limits));
  const CallOptions options = CallOptions().timeout(60ms);

  const Status status = sync_wait(await_unary(ClientStub(channel, test_methods), options)).status();

  EXPECT_EQ(status.code(), StatusCode::deadline_exceeded) << status.to_string();
}

TEST_F(SilentServer, HasAsLongAsTheChannelSays) {
  Channel channel("mine", server_.options().connect_timeout(10ms));
  const ClientStub stub(channel, test_methods);

  for (const Status& status : {call_unary(stub).status(), sync_wait(await_unary(stub)).status()}) {
    EXPECT_EQ(status.code(), StatusCode::unavailable) << status.to_string();
    EXPECT_EQ(status.reason(), StatusReason::no_answer) << status.to_string();
  }
}

/// Whether short calls to a server that says nothing take a second connection in the end.
bool is_given_up_by(const std::function<Status(const ClientStub&)>& call) {
  ScriptedServer server({[](SessionPeer& peer) { peer.wait_for_end_silently(); }});
  const Channel channel("mine", server.options().connect_timeout(30ms));
  const ClientStub stub(channel, test_methods);
  constexpr int most = 300;
  for (int i = 0; i < most && server.connection_count() < 2; ++i)
    EXPECT_FALSE(call(stub).ok());
  return server.connection_count() > 1;
}

TEST_F(SilentServer, IsGivenUpThoughNoCallHasTheTimeThatItHas) {
  const CallOptions options = CallOptions().timeout(10ms);
  const auto blocking = [&](const ClientStub& stub) { return call_unary(stub, options).status(); };
  const auto awaited = [&](const ClientStub& stub) {
    return sync_wait(await_unary(stub, options)).status();
  };

  EXPECT_TRUE(is_given_up_by(blocking));
  EXPECT_TRUE(is_given_up_by(awaited));
}

TEST_F(SilentServer, IsNotTriedAgainWhenOneAttemptTookThePatience) {
  const Channel channel("mine", server_.options().connect_timeout(40ms));
  EXPECT_EQ(channel.connect(20ms).reason(), StatusReason::no_answer);
  EXPECT_EQ(server_.connection_count(), 1U);

  EXPECT_EQ(sync_wait(channel.connect_async(20ms)).reason(), StatusReason::no_answer);
  EXPECT_EQ(server_.connection_count(), 2U);
}

TEST_F(SilentServer, IsHeardByAllWhoWaitOnceItSpeaks) {
  std::promise<void> has_call;
  std::promise<void> may_speak;
  HostileServer server({[&](FramePeer& client) {
    client.hear_until([&] { return client.frames_heard(http2::FrameType::headers) > 0; });
    has_call.set_value();
    may_speak.get_future().wait();
    client.say(frames::settings());
    client.hear_end();
  }});
  const Channel channel("mine", server.options().max_connections(1));
  std::stop_source stop;
  std::jthread calling([&] {
    const CallOptions options = patient().cancellation(stop.get_token());
    EXPECT_EQ(call_unary(ClientStub(channel, test_methods), options).status().code(),
              StatusCode::cancelled);
  });
  has_call.get_future().wait();

  std::future<Status> connecting =
      std::async(std::launch::async, [&channel] { return channel.connect(); });
  connecting.wait_for(20ms);  // it sleeps behind the call by now
  may_speak.set_value();

  EXPECT_EQ(connecting.wait_for(5s), std::future_status::ready);
  stop.request_stop();
  EXPECT_TRUE(connecting.get().ok());
}

using Attempted = Task<Result<std::unique_ptr<Transport>>>;

Attempted take_an_hour(ConnectContext) {
  co_await sleep_for(1h);
  co_return Status(StatusCode::internal, "not reached");
}
Attempted throw_when_asked(ConnectContext) {
  throw std::runtime_error("broken");
  co_return nullptr;
}
Attempted give_nothing(ConnectContext) {
  co_return std::unique_ptr<Transport>();
}

/// In both forms.
void expect_reason(ChannelOptions options, StatusReason reason) {
  const Channel channel("mine", std::move(options));
  const ClientStub stub(channel, test_methods);
  const Status blocking = call_unary(stub).status();
  EXPECT_EQ(to_string(blocking.reason()), to_string(reason)) << blocking.to_string();
  const Status awaited = sync_wait(await_unary(stub)).status();
  EXPECT_EQ(to_string(awaited.reason()), to_string(reason)) << awaited.to_string();
}

TEST_F(ConnectReason, AnAttemptThatTakesTooLongHasNoAnswer) {
  expect_reason(ChannelOptions().connector(take_an_hour).connect_timeout(20ms),
                StatusReason::no_answer);
}

TEST_F(ConnectReason, AConnectorThatThrowsOrMakesNothingIsMisuse) {
  expect_reason(ChannelOptions().connector(throw_when_asked), StatusReason::misuse);
  expect_reason(ChannelOptions().connector(give_nothing), StatusReason::misuse);
}

TEST_F(ConnectReason, ASocketThatThisUserMayNotOpenIsNoPermission) {
  const std::string path = folder_.file("s");
  const detail::SocketAddress address = detail::SocketAddress::unix_path(path);
  const detail::UniqueFd listening(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::bind(listening.get(), address.get(), address.size()), 0);
  ASSERT_EQ(::listen(listening.get(), 8), 0);
  ASSERT_EQ(::chmod(path.c_str(), 0), 0);

  std::thread([&path] {
    ::setfsuid(65534);  // for root; others have no right to it anyway
    const Channel channel("unix:" + path);
    const ClientStub stub(channel, test_methods);
    for (const Status& status :
         {call_unary(stub).status(), sync_wait(await_unary(stub)).status(), channel.connect()}) {
      EXPECT_EQ(status.code(), StatusCode::unavailable) << status.to_string();
      EXPECT_EQ(status.reason(), StatusReason::no_permission) << status.to_string();
    }
  }).join();
}

TEST_F(ConnectReason, WhatIsOverALimitOfThisSideIsALimit) {
  ScriptedServer server({[](SessionPeer& peer) { EXPECT_TRUE(peer.answer_all("reply")); }});
  const Channel channel("mine", server.options());
  const ClientStub stub(channel, test_methods);
  const CallOptions options = patient().max_receive_message_size(1);

  for (const Status& status :
       {call_unary(stub, options).status(), sync_wait(await_unary(stub, options)).status()}) {
    EXPECT_EQ(status.code(), StatusCode::resource_exhausted) << status.to_string();
    EXPECT_EQ(status.reason(), StatusReason::limit) << status.to_string();
  }
}

TEST_F(ConnectReason, AHeaderListOverALimitOfThisSideIsALimit) {
  ScriptedServer server({[](SessionPeer& peer) {
    http2::Stream* const stream = peer.next_call();
    ASSERT_NE(stream, nullptr);
    peer.headers(*stream, {{":status", "200"}, {"long", std::string(2'000, 'x')}});
    EXPECT_TRUE(peer.wait_for_end());
  }});
  const Channel channel("mine", server.options().limits(LimitSet{.max_header_list_size = 1024}));
  const ClientStub stub(channel, test_methods);

  for (const Status& status : {call_unary(stub).status(), sync_wait(await_unary(stub)).status()}) {
    EXPECT_EQ(status.code(), StatusCode::resource_exhausted) << status.to_string();
    EXPECT_EQ(status.reason(), StatusReason::limit) << status.to_string();
    channel.close_idle();
  }
}

Task<Status> block_on_a_loop(const ClientStub& stub) {
  co_return call_unary(stub).status();
}

TEST_F(ConnectReason, WhatTheProgramMayNotAskForIsMisuse) {
  const Channel channel("unix:" + folder_.file("nobody"));
  const ClientStub stub(channel, test_methods);
  const CallOptions options = patient().metadata("grpc-timeout", "1S");

  const Status statuses[] = {
      sync_wait(block_on_a_loop(stub)),
      stub.unary_async<Text>(unary_method, text_of("a"), patient()).status(),
      call_unary(stub, options).status(),
      sync_wait(await_unary(stub, options)).status(),
  };

  for (const Status& status : statuses)
    EXPECT_EQ(status.reason(), StatusReason::misuse) << status.to_string();
}

// ---- what the server says first ---------------------------------------------------------------

/// What a peer does with each connection, and what becomes of calls and of connect().
struct FirstWord {
  const char* name;
  HostileServer::Script script;
  StatusCode code;
  StatusReason reason;

  friend void PrintTo(const FirstWord& word, std::ostream* out) { *out << word.name; }
};

std::vector<FirstWord> first_words() {
  using http2::ErrorCode;
  const auto say = [](std::string bytes) {
    return [said = std::move(bytes)](FramePeer& client) {
      client.say(said);
      client.hear_end();
    };
  };
  return {
      {"Refusal",
       say(frames::settings() +
           frames::goaway(0, ErrorCode::inadequate_security, "not admitted; the policy: x")),
       StatusCode::permission_denied, StatusReason::refused},
      {"Stop", say(frames::settings() + frames::goaway(0, ErrorCode::no_error, "the server stops")),
       StatusCode::unavailable, StatusReason::server_stopping},
      {"AnotherProtocol", say("HTTP/1.1 400 Bad Request\r\n\r\n"), StatusCode::unavailable,
       StatusReason::not_grpc},
      {"FullServer", [](FramePeer&) {}, StatusCode::unavailable, StatusReason::connection_lost},
      {"Silence", [](FramePeer& client) { client.hear_end(); }, StatusCode::unavailable,
       StatusReason::no_answer},
  };
}

class FirstWordTest : public LogCheckedTest, public testing::WithParamInterface<FirstWord> {
 protected:
  void expect(const Status& status) const {
    EXPECT_EQ(status.code(), GetParam().code) << status.to_string();
    EXPECT_EQ(to_string(status.reason()), to_string(GetParam().reason)) << status.to_string();
  }

  static Channel channel_to(HostileServer& server) {
    const bool is_silent = GetParam().reason == StatusReason::no_answer;
    return Channel("mine", server.options().connect_timeout(is_silent ? 30ms : 20s));
  }

  HostileServer server_{{GetParam().script}};
};

INSTANTIATE_TEST_SUITE_P(All, FirstWordTest, testing::ValuesIn(first_words()), [](const auto& of) {
  return of.param.name;
});

TEST_P(FirstWordTest, IsTheReasonOfACall) {
  const Channel channel = channel_to(server_);
  const ClientStub stub(channel, test_methods);

  expect(call_unary(stub).status());
  expect(sync_wait(await_unary(stub)).status());
}

TEST_P(FirstWordTest, IsTheReasonOfConnect) {
  const Channel channel = channel_to(server_);

  expect(channel.connect());
  expect(sync_wait(channel.connect_async()));
}

TEST_P(FirstWordTest, IsWaitedForAgainAfterPausesOnlyWhereItMayChange) {
  const bool may_change =
      GetParam().reason != StatusReason::refused && GetParam().reason != StatusReason::not_grpc;
  const auto greet = [](FramePeer& client) {
    client.say(frames::settings());
    client.hear_end();
  };
  const auto& bad = GetParam().script;
  for (const bool awaits : {false, true}) {
    HostileServer server({bad, bad, bad, greet});
    const Channel channel = channel_to(server);
    const auto begin = std::chrono::steady_clock::now();

    const Status status = awaits ? sync_wait(channel.connect_async(20s)) : channel.connect(20s);

    if (!may_change) {
      expect(status);
      EXPECT_EQ(server.connection_count(), 1U);
      continue;
    }
    EXPECT_TRUE(status.ok()) << status.to_string();
    EXPECT_GE(server.connection_count(), 4U);
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 40ms) << "8 ms, 12.8 ms and 20.5 ms";
  }
}

}  // namespace
}  // namespace nearcall::test
