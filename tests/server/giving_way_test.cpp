// SPDX-License-Identifier: Apache-2.0
// Connections that give way to others: idle ones, and those that hold most memory.
#include "server/manual_server.hpp"
#include "server/server_core.hpp"
#include "support/limit_set.hpp"

#include <nearcall/task.hpp>
#include <nearcall/transport.hpp>

#include <gtest/gtest.h>
#include <poll.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <list>
#include <string>
#include <string_view>
#include <utility>

namespace nearcall::test {

namespace http2 = detail::http2;
namespace {

using namespace std::chrono_literals;
using http2::ErrorCode;
using http2::FrameType;
using http2::SettingId;
using http2::StreamId;

class ConnectionsGivingWayTest : public ManualServerTest {
 protected:
  FramePeer& comes(std::initializer_list<http2::Setting> settings = {}) {
    FramePeer& peer = peers_.emplace_back(path(), FramePeer::passive);
    peer.say_hello(settings);
    settle();
    advance(1s);
    return peer;
  }
  bool is_served(FramePeer& peer, StreamId stream = 1) {
    peer.ask_whole(stream, echo);
    settle();
    return !peer.heard_on(stream).empty();
  }
  static std::vector<ErrorCode> goaways(FramePeer& peer) {
    std::vector<ErrorCode> codes;
    for (const HeardFrame& frame : peer.heard(FrameType::goaway))
      codes.push_back(frame.code());
    return codes;
  }

  std::list<FramePeer> peers_;
};

TEST_F(ConnectionsGivingWayTest, TheOneWithoutCallsForLongestIsToldToGo) {
  start(ServerOptions().max_connections_per_uid(2));
  FramePeer& used = comes();
  FramePeer& idle = comes();
  EXPECT_TRUE(is_served(used));
  FramePeer& newcomer = comes();

  EXPECT_TRUE(idle.has_ended());
  EXPECT_EQ(goaways(idle), std::vector{ErrorCode::no_error});
  EXPECT_TRUE(log_capture().take("idle for longest"));
  const detail::ConnectionCounters& counters = detail::Access::core(*server_).shared().counters();
  EXPECT_EQ(counters.ended(detail::EndReason::evicted), 1U);
  EXPECT_FALSE(used.has_ended());
  EXPECT_TRUE(is_served(newcomer));
}

TEST_F(ConnectionsGivingWayTest, OneThatHasNotSaidHelloYetIsToldToo) {
  start(ServerOptions().max_connections(1));
  FramePeer& silent = peers_.emplace_back(path(), FramePeer::passive);
  settle();

  comes();

  EXPECT_TRUE(silent.has_ended());
  EXPECT_EQ(silent.frames_heard(FrameType::settings), 1U);
  EXPECT_EQ(goaways(silent), std::vector{ErrorCode::no_error});
  EXPECT_TRUE(log_capture().take("idle for longest"));
}

TEST_F(ConnectionsGivingWayTest, SilentOnesLetAnyNumberComeAfterThem) {
  start(ServerOptions().max_connections(3));
  for (int i = 0; i < 3; ++i)
    comes();
  log_capture().allow("idle for longest");

  for (int i = 0; i < 10; ++i)
    EXPECT_TRUE(is_served(comes())) << i;
}

TEST_F(ConnectionsGivingWayTest, OneWithACallStaysAndTheNewcomerIsRefused) {
  start(ServerOptions().max_connections(1));
  FramePeer& first = comes();
  first.ask_whole(1, hold);
  settle();

  FramePeer& second = comes();

  EXPECT_FALSE(first.has_ended());
  EXPECT_TRUE(second.has_ended());
  EXPECT_TRUE(log_capture().take("beyond the limit of connections"));
}

TEST_F(ConnectionsGivingWayTest, OneWhoseAnswerIsNotReadYetIsNotIdle) {
  start(ServerOptions().max_connections(1));
  FramePeer& first = comes({{SettingId::initial_window_size, 0}});
  first.ask_whole(1, echo, text_of("a"));
  settle();

  FramePeer& second = comes();
  EXPECT_FALSE(first.has_ended());
  EXPECT_FALSE(second.has_ended()) << "there are two now";

  comes();
  EXPECT_FALSE(first.has_ended());
  EXPECT_TRUE(second.has_ended()) << "and two again";
  EXPECT_TRUE(log_capture().take("idle for longest"));
}

TEST_F(ConnectionsGivingWayTest, WhoHoldsMostOutputGoesWhenAllHoldTooMuch) {
  start(ServerOptions().max_total_buffered_output(1024 * 1024));
  service_.on_echo = [](ServerContext&, const Text& request) -> Result<Text> {
    return text_of(std::string(std::stoul(request.value()), 'x'));
  };
  FramePeer& more = comes({{SettingId::initial_window_size, 0}});
  FramePeer& less = comes({{SettingId::initial_window_size, 0}});
  more.ask_whole(1, echo, text_of("600000"));
  less.ask_whole(1, echo, text_of("400000"));
  settle();
  EXPECT_FALSE(more.has_ended() || less.has_ended());

  less.ask_whole(3, echo, text_of("100000"));
  settle();

  EXPECT_TRUE(more.has_ended());
  EXPECT_EQ(goaways(more), std::vector{ErrorCode::enhance_your_calm});
  EXPECT_FALSE(less.has_ended());
  EXPECT_TRUE(log_capture().take("max_total_buffered_output"));
}

TEST_F(ConnectionsGivingWayTest, AHandlerThatGoesOnAfterwardsDoesNotKeepTheNextOne) {
  start(ServerOptions().max_total_buffered_output(1024 * 1024));
  service_.on_echo = [](ServerContext&, const Text& request) -> Result<Text> {
    return text_of(std::string(std::stoul(request.value()), 'x'));
  };
  const auto come_with_output = [&](const char* size) -> FramePeer& {
    FramePeer& peer = comes({{SettingId::initial_window_size, 0}});
    peer.ask_whole(1, "/test.Wrapper/Stuck");
    peer.ask_whole(3, echo, text_of(size));
    settle();
    return peer;
  };
  FramePeer& first = come_with_output("600000");
  FramePeer& second = come_with_output("500000");
  EXPECT_TRUE(first.has_ended());
  EXPECT_TRUE(log_capture().take("max_total_buffered_output"));
  FramePeer& third = come_with_output("550000");

  EXPECT_TRUE(third.has_ended());
  EXPECT_FALSE(second.has_ended());
  EXPECT_TRUE(log_capture().take("max_total_buffered_output"));
}

/// Fifteen calls whose handlers read a message of 100,000 bytes, sleep, and want to write as much
/// into a closed window, of which the output takes three.
class HandlersThatSleepTest : public ConnectionsGivingWayTest {
 protected:
  FramePeer& wake_all_that_slept(std::size_t max_total) {
    service_.pause = &pause_;
    start(ServerOptions()
              .limits(LimitSet{.max_buffered_output = 250'000})
              .max_total_buffered_output(max_total));
    FramePeer& peer = comes({{SettingId::initial_window_size, 0}});
    for (StreamId id = 1; id < 30; id += 2)
      peer.ask(id, chat);
    settle();
    for (StreamId id = 1; id < 30; id += 2) {
      const std::string request = framed(text_of(std::string(100'000, 'x')));
      for (std::size_t at = 0; at < request.size(); at += 16'000)
        peer.say(frames::data(id, std::string_view(request).substr(at, 16'000)));
      settle();
    }
    EXPECT_FALSE(peer.has_ended()) << "nothing waits to be sent yet";
    log_capture().allow("(max_buffered_output)");
    pause_.set();
    settle();
    return peer;
  }

 private:
  AsyncEvent pause_;
};

TEST_F(HandlersThatSleepTest, TheirMessagesCountToTheTotal) {
  FramePeer& peer = wake_all_that_slept(/*max_total=*/1024 * 1024);

  EXPECT_TRUE(peer.has_ended());
  EXPECT_EQ(goaways(peer), std::vector{ErrorCode::enhance_your_calm});
  const std::string why = peer.heard(FrameType::goaway).at(0).payload;
  EXPECT_NE(why.find("max_total_buffered_output"), std::string::npos) << why;
}

TEST_F(HandlersThatSleepTest, BelowTheTotalTheyWaitAndAllAreAnswered) {
  FramePeer& peer = wake_all_that_slept(/*max_total=*/2 * 1024 * 1024);
  EXPECT_FALSE(peer.has_ended());

  std::string opened = frames::window_update(0, 1 << 24);
  for (StreamId id = 1; id < 30; id += 2)
    opened += frames::window_update(id, 1 << 20);
  peer.say(opened);
  for (int turns = 0; turns < 100; ++turns) {
    settle();
    peer.listen();
  }

  std::size_t bytes = 0;
  for (const HeardFrame& frame : peer.heard(FrameType::data))
    bytes += frame.payload.size();
  EXPECT_EQ(bytes, 15 * framed(text_of(std::string(100'000, 'x'))).size());
}

TEST_F(ConnectionsGivingWayTest, WhoHoldsMostInputGoesWhenAllHoldTooMuch) {
  start(ServerOptions().max_total_buffered_input(1024 * 1024));
  FramePeer& more = comes();
  FramePeer& less = comes();
  const auto send = [this](FramePeer& peer, StreamId stream, int kibi) {
    peer.ask(stream, chat);
    peer.say(frames::data(stream, std::string(1, '\0') + frames::be32(4'000'000)));
    for (int i = 0; i < kibi / 16; ++i) {
      peer.say(frames::data(stream, std::string(16 * 1024, 'x')));
      settle();
    }
  };
  send(more, 1, 640);
  send(less, 1, 320);
  EXPECT_FALSE(more.has_ended() || less.has_ended());

  send(less, 3, 128);

  EXPECT_TRUE(more.has_ended());
  EXPECT_EQ(goaways(more), std::vector{ErrorCode::enhance_your_calm});
  EXPECT_FALSE(less.has_ended());
  EXPECT_TRUE(log_capture().take("max_total_buffered_input"));
}

/// Two connections with open calls, which together take more than the server may keep.
class ManyOpenCallsTest : public ConnectionsGivingWayTest {
 protected:
  template <class Ask>
  void expect_that_who_has_most_goes(Ask&& ask) {
    start(ServerOptions().max_total_buffered_input(1024 * 1024));
    FramePeer& more = comes();
    FramePeer& less = comes();
    const auto open = [&](FramePeer& peer, StreamId first, StreamId calls) {
      for (StreamId call = 0; call < calls; ++call) {
        ask(peer, first + 2 * call);
        if (call % 32 == 31) settle();
      }
      settle();
    };
    open(more, 1, 320);
    open(less, 1, 150);
    EXPECT_FALSE(more.has_ended() || less.has_ended());

    open(less, 301, 170);

    EXPECT_TRUE(more.has_ended());
    EXPECT_EQ(goaways(more), std::vector{ErrorCode::enhance_your_calm});
    EXPECT_FALSE(less.has_ended());
    EXPECT_TRUE(log_capture().take("max_total_buffered_input"));
  }
};

TEST_F(ManyOpenCallsTest, WithARequestEach) {
  expect_that_who_has_most_goes(
      [](FramePeer& peer, StreamId stream) { peer.ask_whole(stream, hold); });
}

TEST_F(ManyOpenCallsTest, WithHeadersAlone) {
  expect_that_who_has_most_goes([](FramePeer& peer, StreamId stream) { peer.ask(stream, chat); });
}

/// Where nothing tells who somebody is: a server that listens on TCP beside its socket file.
class GivingWayOverTcpTest : public ConnectionsGivingWayTest {
 protected:
  void start(const ServerOptions& options) {
    make(options);
    server_->listen("ipv4:127.0.0.1:0", untrusted::anyone());
    begin();
    log_capture().allow("idle for longest");
  }
  FramePeer& comes_over_tcp() {
    const std::string address = server_->addresses().at(1);
    auto connector = make_connector(address);
    EXPECT_TRUE(connector.ok());
    ConnectContext context(address, std::chrono::steady_clock::time_point::max(), {});
    auto transport = sync_wait((*connector)->connect(std::move(context)));
    EXPECT_TRUE(transport.ok());
    FramePeer& peer =
        peers_.emplace_back(http2::Role::client, *std::move(transport), FramePeer::passive);
    peer.say_hello();
    EXPECT_TRUE(soon([&] {
      peer.listen();
      return peer.frames_heard(FrameType::settings) > 0;
    }));
    advance(1s);
    return peer;
  }
  /// Other than a socket file's, bytes arrive when the kernel comes to it.
  bool soon(const std::function<bool()>& is_true) {
    for (int looks = 0; looks < 1000; ++looks) {
      if (is_true()) return true;
      pollfd look{loop_.fd(), POLLIN, 0};
      ::poll(&look, 1, /*milliseconds=*/10);
      settle();
    }
    return false;
  }
  bool has_gone(FramePeer& peer) {
    return soon([&] { return peer.has_ended(); });
  }
};

TEST_F(GivingWayOverTcpTest, TheOneWithoutCallsForLongestIsToldToGo) {
  start(ServerOptions().max_connections_per_uid(2));
  FramePeer& used = comes_over_tcp();
  FramePeer& idle = comes_over_tcp();
  used.ask_whole(1, echo);
  ASSERT_TRUE(soon([&] { return !used.heard_on(1).empty(); }));

  FramePeer& newcomer = comes_over_tcp();
  newcomer.ask_whole(1, echo);

  EXPECT_TRUE(has_gone(idle));
  EXPECT_EQ(goaways(idle), std::vector{ErrorCode::no_error});
  EXPECT_TRUE(soon([&] { return !newcomer.heard_on(1).empty(); }));
  EXPECT_FALSE(used.has_ended());
}

TEST_F(GivingWayOverTcpTest, ThoseWhoTookAllPlacesLeaveOneToAUserOfTheMachine) {
  start(ServerOptions().max_connections(3));
  FramePeer& first = comes_over_tcp();
  comes_over_tcp();
  comes_over_tcp();

  EXPECT_TRUE(is_served(comes()));

  EXPECT_TRUE(has_gone(first));
}

TEST_F(GivingWayOverTcpTest, AUserOfTheMachineKeepsItsPlaceWhateverComes) {
  start(ServerOptions().max_connections(3));
  FramePeer& user = comes();

  for (int i = 0; i < 5; ++i)
    comes_over_tcp();

  EXPECT_FALSE(user.has_ended());
  EXPECT_TRUE(is_served(user));
}

}  // namespace
}  // namespace nearcall::test
