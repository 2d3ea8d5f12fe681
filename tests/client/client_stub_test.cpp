// SPDX-License-Identifier: Apache-2.0
// What a stub sends, what it repeats, and what it never looks at.
#include "base/unique_fd.hpp"
#include "client/script_methods.hpp"
#include "grpc/timeout.hpp"
#include "support/log_capture.hpp"
#include "transport/socket_transport.hpp"

#include <nearcall/event_loop.hpp>

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <optional>
#include <thread>

namespace nearcall::test {

namespace http2 = detail::http2;
namespace {

using namespace std::chrono_literals;

class ClientStubTest : public LogCheckedTest {};

TEST_F(ClientStubTest, SendsTheHeadersThatEveryServerAccepts) {
  std::vector<std::string> seen;
  std::size_t body = 0;
  {
    ScriptedServer server({[&](SessionPeer& peer) {
      http2::Stream* const stream = peer.next_call();
      ASSERT_NE(stream, nullptr);
      for (const char* name : {":method", ":scheme", ":path", ":authority", "te", "content-type",
                               "grpc-timeout", "me"})
        seen.push_back(peer.header(name));
      EXPECT_EQ(peer.header("user-agent").find("nearcall-cpp/"), 0U);
      body = peer.heard(*stream).body.size();
      peer.answer(*stream, "reply");
      EXPECT_TRUE(peer.wait_for_end());
    }});
    Channel channel("mine", server.options());
    const ClientStub stub(channel, test_methods);

    const Result<Text> reply = call_unary(stub, CallOptions().timeout(20s).metadata("me", "7"));

    ASSERT_TRUE(reply.ok()) << reply.status().to_string();
    EXPECT_EQ(reply->value(), "reply");
  }
  EXPECT_EQ(seen, (std::vector<std::string>{"POST", "http", "/test.Script/Unary", "localhost",
                                            "trailers", "application/grpc", "20S", "7"}));
  EXPECT_EQ(body, 5 + text_of("request").ByteSizeLong());
}

Task<Result<std::unique_ptr<Transport>>> connect_after_a_while(ScriptedServer& server) {
  co_await sleep_for(21ms);
  co_return server.accept();
}

TEST_F(ClientStubTest, ACallThatWaitedForItsConnectionSaysWhatIsLeftOfItsTimeout) {
  std::vector<std::string> seen;
  ScriptedServer server({[&seen](SessionPeer& peer) {
    http2::Stream* const stream = peer.next_call();
    ASSERT_NE(stream, nullptr);
    seen.push_back(peer.header("grpc-timeout"));
    peer.answer(*stream, "reply");
    EXPECT_TRUE(peer.wait_for_end());
  }});
  const auto connect = [&server](const auto&) { return connect_after_a_while(server); };
  {
    const Channel channel("mine", ChannelOptions().connector(connect));
    const ClientStub stub(channel, test_methods);
    EXPECT_TRUE(call_unary(stub, CallOptions().timeout(2s)).ok());
    EXPECT_TRUE(sync_wait(await_unary(stub, CallOptions().timeout(2s))).ok());
  }
  server.join();

  ASSERT_EQ(seen.size(), 2U);
  for (const std::string& text : seen) {
    const std::optional<detail::Duration> timeout = detail::grpc::parse_timeout(text);
    ASSERT_TRUE(timeout) << text;
    EXPECT_LE(*timeout, 2s - 21ms) << text;
  }
}

TEST_F(ClientStubTest, ABlockingCallMayBeMadeWhereALoopIsOnlyBound) {
  ScriptedServer server({[](SessionPeer& peer) { EXPECT_TRUE(peer.answer_all("reply")); }});
  const Channel channel("mine", server.options());
  EventLoop loop;
  const EventLoop::Binding binding(loop);

  const Result<Text> reply = call_unary(ClientStub(channel, test_methods));

  EXPECT_TRUE(reply.ok()) << reply.status().to_string();
}

TEST_F(ClientStubTest, SendsTheAuthorityThatTheChannelSays) {
  ScriptedServer server({[](SessionPeer& peer) {
    http2::Stream* const stream = peer.next_call();
    ASSERT_NE(stream, nullptr);
    peer.answer(*stream, peer.header(":authority"));
    EXPECT_TRUE(peer.wait_for_end());
  }});
  Channel channel("mine", server.options().authority("printer.local"));

  const Result<Text> reply = call_unary(ClientStub(channel, test_methods));

  ASSERT_TRUE(reply.ok()) << reply.status().to_string();
  EXPECT_EQ(reply->value(), "printer.local");
}

TEST_F(ClientStubTest, ACallThatGoawayShutOutIsRepeatedOnANewConnection) {
  const auto refuse = [](SessionPeer& peer) {
    peer.session().send_goaway(http2::ErrorCode::no_error, "restarting");
    peer.wait_for_end();
  };
  const auto serve = [](SessionPeer& peer) { EXPECT_TRUE(peer.answer_all("second")); };
  ScriptedServer server({refuse, serve});
  Channel channel("mine", server.options());

  const Result<Text> reply = call_unary(ClientStub(channel, test_methods));

  ASSERT_TRUE(reply.ok()) << reply.status().to_string();
  EXPECT_EQ(reply->value(), "second");
  EXPECT_EQ(server.connection_count(), 2U);
}

TEST_F(ClientStubTest, ACallThatIsRefusedTwiceIsUnavailable) {
  std::atomic<int> refused{0};
  {
    ScriptedServer server({[&](SessionPeer& peer) {
      while (http2::Stream* const stream = peer.next_call()) {
        ++refused;
        peer.reset(*stream, http2::ErrorCode::refused_stream);
      }
    }});
    Channel channel("mine", server.options());

    const Result<Text> reply = call_unary(ClientStub(channel, test_methods));

    ASSERT_FALSE(reply.ok());
    EXPECT_EQ(reply.error().code(), StatusCode::unavailable);
  }
  EXPECT_EQ(refused, 2);
}

TEST_F(ClientStubTest, ACallThatTheServerMayHaveBegunIsNotRepeated) {
  std::atomic<int> calls{0};
  {
    ScriptedServer server({[&](SessionPeer& peer) {
      if (peer.next_call() != nullptr) ++calls;
    }});
    Channel channel("mine", server.options());

    const Result<Text> reply = call_unary(ClientStub(channel, test_methods));

    ASSERT_FALSE(reply.ok());
    EXPECT_EQ(reply.error().code(), StatusCode::unavailable);
    EXPECT_NE(reply.error().message().find("mine"), std::string::npos);
  }
  EXPECT_EQ(calls, 1);
}

TEST_F(ClientStubTest, CopiesOfAChannelLeadToTheSameConnections) {
  ScriptedServer server({[](SessionPeer& peer) { EXPECT_TRUE(peer.answer_all("reply")); }});
  auto first = std::make_unique<Channel>("mine", server.options());
  Channel copy = *first;
  ASSERT_TRUE(call_unary(ClientStub(*first, test_methods)).ok());
  first.reset();

  EXPECT_TRUE(call_unary(ClientStub(copy, test_methods)).ok());
  EXPECT_EQ(server.connection_count(), 1U);
}

TEST_F(ClientStubTest, ATargetThatIsWrongFailsEachCall) {
  Channel channel("nonsense:://");

  const Result<Text> reply = call_unary(ClientStub(channel, test_methods));

  ASSERT_FALSE(reply.ok());
  EXPECT_EQ(reply.error().code(), StatusCode::unavailable);
}

TEST_F(ClientStubTest, MetadataThatIsWrongFailsTheCallBeforeItConnects) {
  ScriptedServer server({[](SessionPeer&) {}});
  Channel channel("mine", server.options());

  const Result<Text> reply =
      call_unary(ClientStub(channel, test_methods), CallOptions().metadata("grpc-own", "x"));

  ASSERT_FALSE(reply.ok());
  EXPECT_EQ(reply.error().code(), StatusCode::invalid_argument);
  EXPECT_EQ(server.connection_count(), 0U);
}

Task<Status> call_blocking_on_loop(const ClientStub& stub) {
  co_return call_unary(stub).status();
}

TEST_F(ClientStubTest, ABlockingCallOnALoopsThreadIsRefusedAndNamesTheAsyncForm) {
  ScriptedServer server({[](SessionPeer&) {}});
  Channel channel("mine", server.options());

  const Status status = sync_wait(call_blocking_on_loop(ClientStub(channel, test_methods)));

  EXPECT_EQ(status.code(), StatusCode::failed_precondition);
  EXPECT_NE(status.message().find("Async"), std::string::npos);
  EXPECT_EQ(server.connection_count(), 0U);
}

/// What a stream's functions yield that would block on a running loop.
struct OnLoop {
  bool was_read = true;
  bool was_written = true;
  Status status;
};

Task<OnLoop> use_on_loop(BidiStreamingCall<Text, Text>& call) {
  OnLoop seen;
  Text text;
  seen.was_read = call.read(text);
  seen.was_written = call.write(text_of("a"));
  seen.status = call.finish();
  co_return seen;
}

TEST_F(ClientStubTest, ABlockingStreamThatWouldWaitOnALoopsThreadFailsAndNamesTheAsyncForm) {
  ScriptedServer server({[](SessionPeer& peer) { peer.wait_for_end(); }});
  Channel channel("mine", server.options());
  auto call = ClientStub(channel, test_methods).bidi_streaming<Text, Text>(chat_method, patient());

  const OnLoop seen = sync_wait(use_on_loop(call));

  EXPECT_FALSE(seen.was_read);
  EXPECT_FALSE(seen.was_written);
  EXPECT_EQ(seen.status.code(), StatusCode::failed_precondition);
  EXPECT_EQ(seen.status.reason(), StatusReason::misuse);
  EXPECT_NE(seen.status.message().find("Async"), std::string::npos);
}

TEST_F(ClientStubTest, TheEndAndTheHeadersOfABlockingStreamAreNotWaitedForOnALoopsThreadEither) {
  ScriptedServer server({[](SessionPeer& peer) { peer.wait_for_end(); }});
  Channel channel("mine", server.options());
  const ClientStub stub(channel, test_methods);
  auto to_end = stub.bidi_streaming<Text, Text>(chat_method, patient());
  auto to_head = stub.bidi_streaming<Text, Text>(chat_method, patient());

  const auto wait_for_both = [&]() -> Task<> {
    EXPECT_EQ(to_end.finish().code(), StatusCode::failed_precondition);
    EXPECT_TRUE(to_head.headers().empty());
    EXPECT_EQ(to_head.finish().code(), StatusCode::failed_precondition);
    co_return;
  };
  sync_wait(wait_for_both());
}

/// An environment variable, as long as it lives.
class ScopedVariable {
 public:
  ScopedVariable(const char* name, const char* value) : name_(name) { ::setenv(name, value, 1); }
  ~ScopedVariable() { ::unsetenv(name_); }
  ScopedVariable(const ScopedVariable&) = delete;
  ScopedVariable& operator=(const ScopedVariable&) = delete;

 private:
  const char* name_;
};

/// Listens on a port of the loopback device that the kernel picks.
class LoopbackPort {
 public:
  LoopbackPort() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(fd_.get(), generic, size), 0);
    EXPECT_EQ(::listen(fd_.get(), 4), 0);
    EXPECT_EQ(::getsockname(fd_.get(), generic, &size), 0);
    address_ = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  }
  const std::string& address() const noexcept { return address_; }
  bool has_visitor(int wait_ms) const {
    pollfd polled{fd_.get(), POLLIN, 0};
    return ::poll(&polled, 1, wait_ms) == 1;
  }
  std::unique_ptr<Transport> accept() const {
    detail::UniqueFd visitor(::accept4(fd_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    return std::make_unique<detail::SocketTransport>(std::move(visitor), PeerIdentity());
  }

 private:
  detail::UniqueFd fd_;
  std::string address_;
};

TEST_F(ClientStubTest, ProxyVariablesAreNotRead) {
  const LoopbackPort proxy;
  const LoopbackPort server;
  const ScopedVariable http("http_proxy", ("http://" + proxy.address()).c_str());
  const ScopedVariable grpc("grpc_proxy", ("http://" + proxy.address()).c_str());
  const std::jthread serving([&server] {
    ASSERT_TRUE(server.has_visitor(10'000));
    SessionPeer peer(http2::Role::server, server.accept());
    EXPECT_TRUE(peer.answer_all("straight"));
  });
  Channel channel("ipv4:" + server.address());

  const Result<Text> reply = call_unary(ClientStub(channel, test_methods));

  ASSERT_TRUE(reply.ok()) << reply.status().to_string();
  EXPECT_EQ(reply->value(), "straight");
  EXPECT_FALSE(proxy.has_visitor(0));
}

/// A server whose answers have metadata.
void answer_with_metadata(SessionPeer& peer) {
  while (http2::Stream* const stream = peer.next_call()) {
    peer.headers(*stream,
                 {{":status", "200"}, {"content-type", "application/grpc"}, {"server-id", "7"}});
    peer.message(*stream, "reply");
    peer.headers(*stream, {{"grpc-status", "0"}, {"took", "3"}}, /*end_stream=*/true);
    peer.session().release(*stream);
    peer.flush();
  }
}

class CallInfoTest : public LogCheckedTest {
 protected:
  ScriptedServer server_{{answer_with_metadata}};
  const Channel channel_{"mine", server_.options()};
  const ClientStub stub_{channel_, test_methods};
};

TEST_F(CallInfoTest, ABlockingUnaryCallGivesMetadataAndPeerToWhoeverAsks) {
  CallInfo info;
  const Result<Text> reply = stub_.unary<Text>(unary_method, text_of("a"), patient(), &info);

  ASSERT_TRUE(reply.ok()) << reply.status().to_string();
  EXPECT_EQ(info.headers().get("server-id"), "7");
  EXPECT_EQ(info.trailers().get("took"), "3");
  EXPECT_EQ(info.peer().pid(), ::getpid());
}

TEST_F(CallInfoTest, NobodyIsKnownWhereThereWasNoConnection) {
  CallInfo info;
  const ClientStub nowhere(Channel("unix:/nowhere"), test_methods);

  EXPECT_FALSE(nowhere.unary<Text>(unary_method, text_of("a"), patient(), &info).ok());

  EXPECT_FALSE(info.peer().has_credentials());
  EXPECT_TRUE(info.headers().empty());
}

TEST_F(CallInfoTest, OneThatIsUsedAgainSaysNothingOfTheCallBefore) {
  CallInfo info;
  ASSERT_TRUE(stub_.unary<Text>(unary_method, text_of("a"), patient(), &info).ok());
  ASSERT_TRUE(info.peer().has_credentials());

  EXPECT_FALSE(
      stub_.unary<Text>(unary_method, text_of("a"), CallOptions().timeout(0s), &info).ok());

  EXPECT_FALSE(info.peer().has_credentials());
  EXPECT_TRUE(info.headers().empty());
  EXPECT_TRUE(info.trailers().empty());
}

TEST_F(CallInfoTest, EveryBlockingCallObjectKnowsItsPeer) {
  auto serve = stub_.server_streaming<Text>(serve_method, text_of("a"), patient());
  auto collect = stub_.client_streaming<Text, Text>(collect_method, patient());
  auto chat = stub_.bidi_streaming<Text, Text>(chat_method, patient());

  EXPECT_EQ(serve.peer().pid(), ::getpid());
  EXPECT_EQ(collect.peer().pid(), ::getpid());
  EXPECT_TRUE(chat.finish().ok());
  EXPECT_EQ(chat.peer().pid(), ::getpid());
}

Task<void> look_at_awaited(const ClientStub& stub) {
  auto unary = stub.unary_async<Text>(unary_method, text_of("a"), patient());
  const Result<Text> reply = co_await unary;
  EXPECT_TRUE(reply.ok()) << reply.status().to_string();
  EXPECT_EQ(unary.trailers().get("took"), "3");
  EXPECT_EQ(unary.peer().pid(), ::getpid());
  auto chat = stub.bidi_streaming_async<Text, Text>(chat_method, patient());
  const Status status = co_await chat.finish();
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(chat.peer().pid(), ::getpid());
}

TEST_F(CallInfoTest, EveryAwaitedCallObjectKnowsItsPeerBeyondItsEnd) {
  sync_wait(look_at_awaited(stub_));
}

class CallbackTest : public LogCheckedTest {
 protected:
  ScriptedServer server_{{[](SessionPeer& peer) { EXPECT_TRUE(peer.answer_all("reply")); }}};
  const Channel channel_{"mine", server_.options()};
  const ClientStub stub_{channel_, test_methods};
  std::string heard_;
};

TEST_F(CallbackTest, IsCalledWithTheReplyInATurnOfTheLoop) {
  EventLoop loop;
  const EventLoop::Binding binding(loop);
  auto owned = std::make_unique<std::string>("heard ");

  stub_.unary_async<Text>(unary_method, text_of("a"), patient())
      .on_done([&, owned = std::move(owned)](const Result<Text>& reply) {
        heard_ = *owned + reply->value();
        loop.stop();
      });
  EXPECT_EQ(heard_, "");
  loop.run();

  EXPECT_EQ(heard_, "heard reply");
}

TEST_F(CallbackTest, MayMakeTheNextCall) {
  EventLoop loop;
  const EventLoop::Binding binding(loop);

  stub_.unary_async<Text>(unary_method, text_of("a"), patient()).on_done([&](const Result<Text>&) {
    stub_.unary_async<Text>(unary_method, text_of("b"), patient())
        .on_done([&](const Result<Text>& reply) {
          heard_ = reply->value();
          loop.stop();
        });
  });
  loop.run();

  EXPECT_EQ(heard_, "reply");
}

TEST_F(CallbackTest, IsCalledAtOnceWhereThereIsNoLoop) {
  Status status;
  stub_.unary_async<Text>(unary_method, text_of("a"), patient())
      .on_done([&status](const Result<Text>& reply) { status = reply.status(); });

  EXPECT_EQ(status.code(), StatusCode::failed_precondition);
}

TEST_F(CallbackTest, IsDestroyedAndNotCalledWhereTheLoopGoesFirst) {
  auto owned = std::make_shared<int>(1);
  const std::weak_ptr<int> watched = owned;
  bool was_called = false;
  {
    EventLoop loop;
    const EventLoop::Binding binding(loop);
    stub_.unary_async<Text>(unary_method, text_of("a"), patient())
        .on_done(
            [&was_called, owned = std::move(owned)](const Result<Text>&) { was_called = true; });
    EXPECT_FALSE(watched.expired());
  }
  EXPECT_TRUE(watched.expired());
  EXPECT_FALSE(was_called);
}

}  // namespace
}  // namespace nearcall::test
