// SPDX-License-Identifier: Apache-2.0
// ChannelOptions::limits(): a server that passes at the defaults is held to what was set, under
// both drivers.
#include "integration/both_drivers.hpp"
#include "integration/echo_frames.hpp"
#include "integration/server_process.hpp"
#include "support/limit_set.hpp"

#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <ostream>

namespace nearcall::test {

namespace http2 = detail::http2;
namespace {

using namespace std::chrono_literals;
using http2::FrameType;
using http2::SettingId;
using testing::HasSubstr;
using testing::Not;
namespace flag = http2::frame_flag;

Task<void> await_unary(const Echo::Client& echo, Status* status) {
  const Result<EchoReply> reply =
      co_await echo.UnaryAsync(request_of("x"), CallOptions().timeout(20s));
  *status = reply.status();
}

Task<void> await_writes(const Echo::Client& echo, bool* first, bool* second) {
  Status status;
  co_await await_unary(echo, &status);
  EXPECT_TRUE(status.ok()) << status.to_string();
  auto call = echo.CollectAsync(CallOptions().timeout(200ms));
  const EchoRequest request = request_of("x");
  *first = co_await call.write(request);
  *second = co_await call.write(request);
}

class ChannelLimits : public testing::Test {
 protected:
  /// The status of one call, with these limits, to a server that does this.
  Status status_of_call(ClientDriver driver,
                        const ConnectionLimits& limits,
                        const HostileServer::Script& script) {
    HostileServer server({script});
    // A channel's patience with a silent server is its connect_timeout().
    Channel channel("http://localhost",
                    server.options().limits(limits).connect_timeout(limits.handshake_timeout));
    const Echo::Client echo(channel);
    Status status;
    if (driver == ClientDriver::loop) {
      sync_wait(await_unary(echo, &status));
    } else {
      status = echo.Unary(request_of("x"), CallOptions().timeout(20s)).status();
    }
    return status;
  }

  LogCapture log_;
};

std::string times(int count, const std::string& bytes) {
  std::string all;
  for (int i = 0; i < count; ++i)
    all += bytes;
  return all;
}
std::string good() {
  return begin() + frames::data(1, framed("")) + ok();
}
/// The same, whose response carries these fields besides.
std::string good_with(const std::string& fields) {
  return frames::headers(1, frames::response_block() + fields) + frames::data(1, framed("")) + ok();
}

/// An answer that is good at the defaults.
struct Abuse {
  const char* name;
  LimitSet limits;
  std::string answer;
  StatusCode code = StatusCode::unavailable;

  friend void PrintTo(const Abuse& abuse, std::ostream* out) { *out << abuse.name; }
};

std::string in_small_frames(const std::string& message) {
  std::string all = begin();
  for (std::size_t at = 0; at < message.size(); at += 20)
    all += frames::data(1, message.substr(at, 20));
  return all + ok();
}

std::vector<Abuse> abuses() {
  EchoReply large;
  large.set_payload(std::string(4'000, 'x'));
  const std::string field = frames::block({{"x", std::string(1'000, 'v')}});
  const std::string interim = frames::headers(1, frames::block({{":status", "103"}}));
  const std::string entry =
      frames::settings({{SettingId::max_header_list_size, 1 << 20}}).substr(9);
  const std::string response = frames::response_block();
  constexpr LimitSet small_block = {
      .max_header_list_size = 1024, .max_header_block_size = 2048, .max_continuations = 1};
  return {
      {"max_induced_frames_ever",
       {.max_induced_frames = 10, .max_induced_frames_ever = 20},
       times(21, frames::ping("12345678")) + good()},
      {"max_header_list_size",
       {.max_header_list_size = 1024},
       good_with(field),
       StatusCode::resource_exhausted},
      {"max_header_fields",
       {.max_header_fields = 16},
       good_with(times(20, frames::block({{"x", "y"}}))),
       StatusCode::resource_exhausted},
      {"max_header_block_size", small_block, good_with(times(3, field))},
      {"max_continuations", small_block,
       frames::headers(1, response, 0) + frames::continuation(1, "", 0) +
           frames::continuation(1, "") + frames::data(1, framed("")) + ok()},
      {"max_informational",
       {.max_informational = 1},
       interim + interim + good(),
       StatusCode::resource_exhausted},
      {"max_settings_entries",
       {.max_settings_entries = 16},
       frames::raw(FrameType::settings, 0, 0, times(17, entry)) + good()},
      {"max_empty_data",
       {.max_empty_data = 1},
       begin() + times(2, frames::data(1, "")) + frames::data(1, framed("")) + ok()},
      {"max_overhead_frames",
       {.max_overhead_frames = 100},
       times(101, frames::priority(1, 3)) + good()},
      {"max_overhead_frames",
       {.max_overhead_frames = 100, .tiny_payload = 64},
       in_small_frames(framed(large.SerializeAsString()))},
  };
}

class ChannelLimitsTest : public ChannelLimits,
                          public testing::WithParamInterface<std::tuple<ClientDriver, Abuse>> {};

INSTANTIATE_TEST_SUITE_P(Budgets,
                         ChannelLimitsTest,
                         testing::Combine(testing::Values(ClientDriver::blocking,
                                                          ClientDriver::loop),
                                          testing::ValuesIn(abuses())));

TEST_P(ChannelLimitsTest, WhatPassesAtTheDefaultsIsHeldToWhatWasSet) {
  const auto& [driver, abuse] = GetParam();

  const Status by_default = status_of_call(driver, ConnectionLimits(), answering(abuse.answer));
  const Status limited = status_of_call(driver, abuse.limits, answering(abuse.answer));

  EXPECT_TRUE(by_default.ok()) << by_default.to_string();
  EXPECT_EQ(limited.code(), abuse.code);
  EXPECT_THAT(limited.message(), HasSubstr(abuse.name));
}

class ChannelDriverLimitsTest : public ChannelLimits,
                                public testing::WithParamInterface<ClientDriver> {};

INSTANTIATE_TEST_SUITE_P(Drivers,
                         ChannelDriverLimitsTest,
                         testing::Values(ClientDriver::blocking, ClientDriver::loop),
                         driver_name);

TEST_P(ChannelDriverLimitsTest, OfAGoawayNoMoreIsKeptThanWasSet) {
  const std::string answer = frames::goaway(1, http2::ErrorCode::no_error, "abcdefgh");
  const Status status =
      status_of_call(GetParam(), LimitSet{.max_goaway_debug = 4}, [&](FramePeer& client) {
        if (!client.greet()) return;
        client.hear_until([&] { return client.frames_heard(FrameType::headers) > 0; });
        client.say(answer);
      });

  EXPECT_THAT(status.message(), HasSubstr("abcd"));
  EXPECT_THAT(status.message(), Not(HasSubstr("abcde")));
}

TEST_P(ChannelDriverLimitsTest, TheServerMaySendNoMoreThanTheInputThatWasSet) {
  std::atomic<std::size_t> credit = 0;
  const Status status = status_of_call(
      GetParam(), LimitSet{.max_concurrent_streams = 10, .max_buffered_input = 200 * 1024},
      [&](FramePeer& client) {
        if (!client.greet()) return;
        client.hear_until(
            [&] { return client.frames_heard(FrameType::headers) > 0 && client.credit(0) > 0; });
        credit = client.credit(0);
        client.say(good());
        client.hear_end();
      });

  EXPECT_TRUE(status.ok()) << status.to_string();
  EXPECT_GT(credit, 0U);
  EXPECT_LE(credit + http2::default_setting::initial_window_size, 200 * 1024U);
}

TEST_P(ChannelDriverLimitsTest, WritersWaitAtTheOutputThatWasSet) {
  HostileServer server({[](FramePeer& client) {
    if (!client.greet({{SettingId::initial_window_size, 0}})) return;
    client.hear_until([&] { return client.frames_heard(FrameType::headers) > 0; });
    client.say(good());
    client.hear_end();
  }});
  for (const LimitSet& limits :
       {LimitSet{.max_buffered_output_stream = 0}, LimitSet{.max_buffered_output = 0}}) {
    Channel channel("http://localhost", server.options().limits(limits));
    const Echo::Client echo(channel);
    bool first = false;
    bool second = true;
    if (GetParam() == ClientDriver::loop) {
      sync_wait(await_writes(echo, &first, &second));
    } else {
      // When it is answered, the server's SETTINGS are here; before, the window is open.
      EXPECT_TRUE(echo.Unary(request_of("x"), CallOptions().timeout(20s)).ok());
      auto call = echo.Collect(CallOptions().timeout(200ms));
      first = call.write(request_of("x"));
      second = call.write(request_of("x"));
    }
    EXPECT_TRUE(first);
    EXPECT_FALSE(second) << "it waited for the deadline";
    EXPECT_EQ(log_.take("http://localhost: the peer does not read what other calls sent "
                        "(max_buffered_output)"),
              limits.max_buffered_output.has_value());
  }
}

TEST_P(ChannelDriverLimitsTest, TheServerHasTheTimeThatWasSet) {
  struct Slow {
    const char* name;
    LimitSet limits;
    HostileServer::Script script;
  };
  for (const Slow& slow :
       {Slow{"connect_timeout", {.handshake_timeout = 50ms}, [](FramePeer& c) { c.hear_end(); }},
        Slow{"header_block_timeout",
             {.header_block_timeout = 50ms},
             answering(begin().substr(0, 12))},
        Slow{"settings_timeout", {.settings_timeout = 50ms}, [](FramePeer& client) {
               client.say(frames::settings());
               client.hear_end();
             }}}) {
    const auto before = std::chrono::steady_clock::now();
    const Status status = status_of_call(GetParam(), slow.limits, slow.script);

    EXPECT_EQ(status.code(), StatusCode::unavailable) << slow.name;
    EXPECT_THAT(status.message(), HasSubstr(slow.name));
    EXPECT_LT(std::chrono::steady_clock::now() - before, 4s) << slow.name;
  }
}

}  // namespace
}  // namespace nearcall::test
