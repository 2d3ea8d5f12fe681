// SPDX-License-Identifier: Apache-2.0
// What the client makes of each kind of transport, and of each way in which it ends, under both of
// its drivers.
#include "client/backend.hpp"
#include "client/channel_core.hpp"
#include "client/script_methods.hpp"
#include "integration/both_drivers.hpp"
#include "support/failing_handshake.hpp"
#include "support/queue_listener.hpp"
#include "support/transport_kinds.hpp"
#include "support/watched_transport.hpp"

#include <gmock/gmock.h>

#include <array>
#include <functional>
#include <latch>
#include <memory>
#include <string>
#include <tuple>
#include <utility>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;
using detail::EndReason;
using testing::HasSubstr;

/// How long drivers are left to sleep.
constexpr std::chrono::milliseconds quiet_time = 50ms;

class ClientContract : public LogCheckedTest,
                       public testing::WithParamInterface<std::tuple<ClientDriver, TransportKind>> {
 protected:
  TransportPair make_ends() {
    TransportPair ends = std::get<TransportKind>(GetParam()).make();
    peer_end_ = ends.second.get();
    ends.first = std::make_unique<WatchedTransport>(std::move(ends.first), watch_);
    if (is_handshake_failing_)
      ends.first = std::make_unique<FailingHandshake>(std::move(ends.first));
    return ends;
  }

  /// One call to a peer that does this.
  template <class Peer>
  Status status_of_call(std::function<void(Peer&)> script,
                        const std::string& request = "request",
                        std::chrono::milliseconds timeout = 20s) {
    ScriptedServerOf<Peer> server({std::move(script)});
    server.make_ends([this] { return make_ends(); });
    Channel channel("mine", server.options().spin(SpinPolicy::off()));
    const ClientStub stub(channel, test_methods);
    const CallOptions options = CallOptions().timeout(timeout);
    Status status = std::get<ClientDriver>(GetParam()) == ClientDriver::blocking
                        ? stub.unary<Text>(unary_method, text_of(request), options).status()
                        : call_on_loop(stub, text_of(request), options);
    is_over_.count_down();
    note(detail::Access::core(channel).backend().counters());
    return status;
  }

  /// Steps in vain for each that moved bytes: one that does not sleep has thousands for none.
  void expect_sleep() const {
    EXPECT_LE(watch_->vain_steps(), 6 * watch_->moves() + 100) << watch_->moves() << " moved bytes";
  }

  const std::shared_ptr<TransportWatch> watch_ = std::make_shared<TransportWatch>();
  /// The newest one, which a script may use as long as it runs.
  Transport* peer_end_ = nullptr;
  bool is_handshake_failing_ = false;
  /// The only call.
  std::latch is_over_{1};
  /// How the call left the connection.
  EndReason reason_ = EndReason::none;
  std::uint64_t begun_ = 0;

 private:
  static Task<Status> await(EventLoop& loop,
                            const ClientStub& stub,
                            const Text& request,
                            CallOptions options) {
    const Result<Text> reply = co_await stub.unary_async<Text>(unary_method, request, options);
    loop.stop();
    co_return reply.status();
  }
  static Status call_on_loop(const ClientStub& stub,
                             const Text& request,
                             const CallOptions& options) {
    EventLoop loop(SpinPolicy::off());
    Status outcome;
    spawn(loop, keep(await(loop, stub, request, options), &outcome));
    loop.run();
    return outcome;
  }
  void note(const detail::ConnectionCounters& counters) {
    begun_ = counters.begun();
    for (int i = 1; i <= static_cast<int>(EndReason::evicted); ++i) {
      const auto reason = static_cast<EndReason>(i);
      if (counters.ended(reason) > 0) reason_ = reason;
    }
  }
};

INSTANTIATE_TEST_SUITE_P(
    Kinds,
    ClientContract,
    testing::Combine(testing::Values(ClientDriver::blocking, ClientDriver::loop),
                     testing::ValuesIn(driven_kinds())),
    [](const auto& of) {
      const bool is_blocking = std::get<ClientDriver>(of.param) == ClientDriver::blocking;
      return std::get<TransportKind>(of.param).name + (is_blocking ? "Blocking" : "Loop");
    });

Task<Result<std::unique_ptr<Transport>>> connect(std::function<TransportPair()> make,
                                                 std::shared_ptr<ConnectionQueue> queue) {
  TransportPair ends = make();
  queue->push(std::move(ends.second));
  co_return std::move(ends.first);
}

TEST_P(ClientContract, CarriesCallsOfAllSizesToAServer) {
  EchoService service;
  auto queue = std::make_shared<ConnectionQueue>();
  ConnectionLimits limits;
  limits.linger_timeout = 50ms;
  Server host(ServerOptions().spin(SpinPolicy::off()).drain_timeout(1s).limits(limits));
  host.add_service(service).listen(std::make_unique<QueueListener>(queue), untrusted::anyone());
  ASSERT_TRUE(host.start());
  Channel channel("http://localhost",
                  ChannelOptions().spin(SpinPolicy::off()).connector([&](const ConnectContext&) {
                    return connect([this] { return make_ends(); }, queue);
                  }));
  constexpr Conversation plan{/*rounds=*/12, /*big_size=*/8'000, /*replies=*/50, /*bound=*/10s};

  const Status status =
      converse(std::get<ClientDriver>(GetParam()), Echo::Client(channel), plan, SpinPolicy::off());

  EXPECT_TRUE(status.ok()) << status.to_string();
  host.stop();
  host.wait();
}

// ---- ends ---------------------------------------------------------------------------------------

TEST_P(ClientContract, APeerThatClosesEndsTheCallAndTheConnection) {
  const Status status = status_of_call<SessionPeer>([](SessionPeer& peer) {
    EXPECT_NE(peer.next_call(), nullptr);
    EXPECT_TRUE(peer.ping());
  });

  EXPECT_EQ(status.code(), StatusCode::unavailable) << status.to_string();
  EXPECT_EQ(reason_, EndReason::peer_closed);
}

TEST_P(ClientContract, APeerThatSendsNoMoreIsClosed) {
  const Status status = status_of_call<SessionPeer>([this](SessionPeer& peer) {
    EXPECT_NE(peer.next_call(), nullptr);
    EXPECT_TRUE(peer.ping());
    peer_end_->shutdown_write();
    EXPECT_TRUE(peer.wait_for_end());
  });

  EXPECT_EQ(status.code(), StatusCode::unavailable) << status.to_string();
  EXPECT_EQ(reason_, EndReason::peer_closed);
}

TEST_P(ClientContract, WhatThePeerSaidBeforeItsEndCounts) {
  const Status status = status_of_call<SessionPeer>([this](SessionPeer& peer) {
    if (http2::Stream* const call = peer.next_call()) peer.answer(*call, "reply");
    peer_end_->shutdown_write();
    EXPECT_TRUE(peer.wait_for_end());
  });

  EXPECT_TRUE(status.ok()) << status.to_string();
}

TEST_P(ClientContract, APeerThatAbortsEndsTheCallAndTheConnection) {
  const Status status = status_of_call<SessionPeer>([this](SessionPeer& peer) {
    EXPECT_NE(peer.next_call(), nullptr);
    EXPECT_TRUE(peer.ping());
    peer_end_->abort(std::make_error_code(std::errc::timed_out));
  });

  EXPECT_EQ(status.code(), StatusCode::unavailable) << status.to_string();
  EXPECT_EQ(reason_, EndReason::peer_closed);
}

TEST_P(ClientContract, AnAbortOfItsOwnEndIsTheReasonThatTheCallGives) {
  const std::error_code why = std::make_error_code(std::errc::io_error);

  const Status status = status_of_call<SessionPeer>([&](SessionPeer& peer) {
    EXPECT_NE(peer.next_call(), nullptr);
    EXPECT_TRUE(peer.ping());
    EXPECT_TRUE(watch_->abort(why));
    EXPECT_TRUE(peer.wait_for_end());
  });

  EXPECT_EQ(status.code(), StatusCode::unavailable);
  EXPECT_THAT(status.message(), HasSubstr(why.message()));
  EXPECT_EQ(reason_, EndReason::read_failed);
}

TEST_P(ClientContract, AHandshakeThatFailsIsTheReasonThatTheCallGives) {
  is_handshake_failing_ = true;

  const Status status =
      status_of_call<SessionPeer>([](SessionPeer& peer) { EXPECT_TRUE(peer.wait_for_end()); });

  EXPECT_EQ(status.code(), StatusCode::unavailable);
  EXPECT_THAT(status.message(), HasSubstr("handshake: Protocol error"));
  EXPECT_EQ(begun_, 0U);
}

// ---- sleep --------------------------------------------------------------------------------------

TEST_P(ClientContract, ASilentPeerIsWaitedForAsleep) {
  const Status status = status_of_call<SessionPeer>(
      [](SessionPeer& peer) { EXPECT_TRUE(peer.wait_for_end()); }, "request", quiet_time);

  EXPECT_EQ(status.code(), StatusCode::deadline_exceeded) << status.to_string();
  expect_sleep();
}

TEST_P(ClientContract, APeerThatReadsNothingIsWaitedForAsleep) {
  const auto say_hello_and_go_deaf = [this](FramePeer& peer) {
    peer.greet();  // in vain where a byte at a time takes too long
    is_over_.wait();
  };
  const std::string large(4'000'000, 'x');

  const Status status = status_of_call<FramePeer>(say_hello_and_go_deaf, large, quiet_time);

  EXPECT_EQ(status.code(), StatusCode::deadline_exceeded) << status.to_string();
  expect_sleep();
}

}  // namespace
}  // namespace nearcall::test
