// SPDX-License-Identifier: Apache-2.0
// The range of each limit, and that those which contradict each other are put right.
#include "http2/scenario.hpp"
#include "http2/session.hpp"
#include "support/scripted_peer.hpp"

#include <nearcall/connection_limits.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

namespace nearcall::inline v0::detail::http2 {
namespace {

using namespace std::chrono_literals;

/// Every number is the least, or the greatest, of its type.
template <template <class> class Extreme>
ConnectionLimits all_at() {
  ConnectionLimits limits;
  limits.max_concurrent_streams = Extreme<std::uint32_t>::value;
  limits.max_new_streams_per_turn = Extreme<std::uint32_t>::value;
  limits.max_resets_outstanding = Extreme<std::uint32_t>::value;
  limits.max_refusals = Extreme<std::uint32_t>::value;
  limits.refusals_per_second = Extreme<std::uint32_t>::value;
  limits.max_induced_frames = Extreme<std::uint32_t>::value;
  limits.max_induced_frames_ever = Extreme<std::uint32_t>::value;
  limits.max_header_list_size = Extreme<std::uint32_t>::value;
  limits.max_header_fields = Extreme<std::uint32_t>::value;
  limits.max_header_block_size = Extreme<std::uint32_t>::value;
  limits.max_continuations = Extreme<std::uint32_t>::value;
  limits.max_buffered_headers = Extreme<std::uint32_t>::value;
  limits.max_informational = Extreme<std::uint32_t>::value;
  limits.max_settings_entries = Extreme<std::uint32_t>::value;
  limits.max_unknown_payload = Extreme<std::uint32_t>::value;
  limits.max_goaway_debug = Extreme<std::uint32_t>::value;
  limits.max_empty_data = Extreme<std::uint32_t>::value;
  limits.max_overhead_frames = Extreme<std::uint32_t>::value;
  limits.tiny_payload = Extreme<std::uint32_t>::value;
  limits.max_buffered_input = Extreme<std::uint32_t>::value;
  limits.max_buffered_output_stream = Extreme<std::size_t>::value;
  limits.max_buffered_output = Extreme<std::size_t>::value;
  limits.max_buffered_output_of_new_calls = Extreme<std::size_t>::value;
  limits.max_held_requests = Extreme<std::size_t>::value;
  limits.max_sent_header_list_size = Extreme<std::uint32_t>::value;
  limits.handshake_timeout = Extreme<std::chrono::nanoseconds>::value;
  limits.header_block_timeout = Extreme<std::chrono::nanoseconds>::value;
  limits.settings_timeout = Extreme<std::chrono::nanoseconds>::value;
  limits.linger_timeout = Extreme<std::chrono::nanoseconds>::value;
  limits.min_ping_interval = Extreme<std::chrono::nanoseconds>::value;
  limits.min_ping_interval_without_calls = Extreme<std::chrono::nanoseconds>::value;
  limits.stall_timeout = Extreme<std::chrono::nanoseconds>::value;
  return limits;
}
template <class Number>
struct Least {
  static constexpr Number value = std::numeric_limits<Number>::lowest();
};
template <>
struct Least<std::chrono::nanoseconds> {
  static constexpr auto value = std::chrono::nanoseconds::min();
};
template <class Number>
struct Greatest {
  static constexpr Number value = std::numeric_limits<Number>::max();
};
template <>
struct Greatest<std::chrono::nanoseconds> {
  static constexpr auto value = std::chrono::nanoseconds::max();
};

constexpr std::uint32_t kibi = 1024;
constexpr std::uint32_t mebi = 1024 * kibi;

ConnectionLimits least() {
  ConnectionLimits limits;
  limits.max_concurrent_streams = 1;
  limits.max_new_streams_per_turn = 1;
  limits.max_resets_outstanding = 1;
  limits.max_refusals = 1;
  limits.refusals_per_second = 0;
  limits.max_induced_frames = 10;
  limits.max_induced_frames_ever = 10;
  limits.max_header_list_size = kibi;
  limits.max_header_fields = 16;
  limits.max_header_block_size = kibi;
  limits.max_continuations = 1;
  limits.max_buffered_headers = kibi;
  limits.max_informational = 0;
  limits.max_settings_entries = 16;
  limits.max_unknown_payload = 0;
  limits.max_goaway_debug = 0;
  limits.max_empty_data = 1;
  limits.max_overhead_frames = 100;
  limits.tiny_payload = 1;
  limits.max_buffered_input = 128 * kibi;
  limits.max_buffered_output_stream = 0;
  limits.max_buffered_output = 0;
  limits.max_buffered_output_of_new_calls = kibi;
  limits.max_held_requests = kibi;
  limits.max_sent_header_list_size = kibi;
  limits.handshake_timeout = 10ms;
  limits.header_block_timeout = 10ms;
  limits.settings_timeout = 10ms;
  limits.linger_timeout = 10ms;
  limits.min_ping_interval = 0ns;
  limits.min_ping_interval_without_calls = 0ns;
  limits.stall_timeout = 10ms;
  return limits;
}

TEST(ConnectionLimits, WhatIsTooSmallBecomesTheLeast) {
  EXPECT_EQ(all_at<Least>().within_range(), least());
  EXPECT_EQ(least().within_range(), least());
}

TEST(ConnectionLimits, WhatIsTooLargeBecomesTheMost) {
  ConnectionLimits most;
  most.max_concurrent_streams = 1'000'000;
  most.max_new_streams_per_turn = 1'000'000;
  most.max_resets_outstanding = 1'000'000;
  most.max_refusals = 1'000'000;
  most.refusals_per_second = 1'000'000;
  most.max_induced_frames = 1'000'000;
  most.max_induced_frames_ever = 1'000'000;
  most.max_header_list_size = 16 * mebi;
  most.max_header_fields = 100'000;
  most.max_header_block_size = 16 * mebi;
  most.max_continuations = 100'000;
  most.max_buffered_headers = 1024 * mebi;
  most.max_informational = 1'000'000;
  most.max_settings_entries = 10'000;
  most.max_unknown_payload = mebi;
  most.max_goaway_debug = mebi;
  most.max_empty_data = 1'000'000;
  most.max_overhead_frames = 1'000'000;
  most.tiny_payload = 64;
  most.max_buffered_input = 1024 * mebi;
  most.max_buffered_output_stream = 1024 * mebi;
  most.max_buffered_output = 1024 * mebi;
  most.max_buffered_output_of_new_calls = 1024 * mebi;
  most.max_held_requests = 1024 * mebi;
  most.max_sent_header_list_size = 16 * mebi;
  most.handshake_timeout = std::chrono::nanoseconds::max();
  most.header_block_timeout = std::chrono::nanoseconds::max();
  most.settings_timeout = std::chrono::nanoseconds::max();
  most.linger_timeout = std::chrono::nanoseconds::max();
  most.min_ping_interval = std::chrono::nanoseconds::max();
  most.min_ping_interval_without_calls = std::chrono::nanoseconds::max();
  most.stall_timeout = std::chrono::nanoseconds::max();

  EXPECT_EQ(all_at<Greatest>().within_range(), most);
  EXPECT_EQ(most.within_range(), most);
}

TEST(ConnectionLimits, TheDefaultsAreInRange) {
  EXPECT_EQ(ConnectionLimits().within_range(), ConnectionLimits());
}

TEST(ConnectionLimits, ReadingStopsBeforeTheConnectionEnds) {
  ConnectionLimits limits;
  limits.max_induced_frames = 500;
  limits.max_induced_frames_ever = 20;

  EXPECT_EQ(limits.within_range().max_induced_frames_ever, 500U);
}

TEST(ConnectionLimits, AHeaderListThatIsAllowedFitsIntoItsBlockAndItsFrames) {
  ConnectionLimits limits;
  limits.max_header_list_size = 200 * kibi;

  EXPECT_EQ(limits.within_range().max_header_block_size, 200 * kibi);
  EXPECT_EQ(limits.within_range().max_continuations, 13U);
}

TEST(ConnectionLimits, EachStreamHasAShareOfTheInput) {
  ConnectionLimits limits;
  limits.max_concurrent_streams = 100'000;
  limits.max_buffered_input = 1 * mebi;

  EXPECT_EQ(limits.within_range().max_buffered_input, 25'600'000U);
}

TEST(ConnectionLimits, NewCallsWaitNoSoonerThanWriters) {
  ConnectionLimits limits;
  limits.max_buffered_output = 32 * mebi;

  EXPECT_EQ(limits.within_range().max_buffered_output_of_new_calls, 32 * mebi);
}

/// What a sender may send: it hears WINDOW_UPDATE, and SETTINGS that change the initial window.
struct SendWindows {
  std::int64_t connection = default_setting::initial_window_size;
  std::int64_t stream = SessionOptions().initial_window_size;
  std::int64_t initial = SessionOptions().initial_window_size;

  void hear(test::ScriptedPeer& peer) {
    std::vector<test::HeardFrame> heard;
    while (heard = peer.hears(), !heard.empty()) {
      for (const auto& frame : heard)
        take(frame, peer);
    }
  }

 private:
  void take(const test::HeardFrame& frame, test::ScriptedPeer& peer) {
    const auto* const payload = reinterpret_cast<const std::byte*>(frame.payload.data());
    if (frame.header.type == FrameType::window_update) {
      (frame.header.stream == 0 ? connection : stream) += load_be32(payload);
    }
    // The first SETTINGS have more entries; what is asked for later is the window alone.
    if (frame.header.type == FrameType::settings && frame.payload.size() == 6) {
      const std::int64_t asked = load_setting(payload).value;
      stream += asked - initial;
      initial = asked;
      peer.says(test::frames::settings_ack());
    }
  }
};

/// A message larger than any buffer comes and goes.
void expect_exchange(const ConnectionLimits& limits) {
  using namespace test::frames;
  constexpr std::size_t message = 3 * std::size_t{mebi};
  SessionOptions options;
  *options.limits = limits;
  test::ScriptedPeer peer(Role::server, options);
  std::size_t came = 0;
  peer.on_event = [&](const Event& event) {
    const auto* const data = std::get_if<DataEvent>(&event);
    if (data == nullptr) return;
    came += data->bytes.size();
    peer.session().needs(*data->stream, message - came);
  };
  peer.says(preface() + settings({{SettingId::initial_window_size, max_window_size}}) +
            settings_ack() + window_update(0, max_window_size - 65'535) + test::request(1));

  SendWindows windows;
  while (came < message) {
    windows.hear(peer);
    const std::int64_t size = std::min({windows.connection, windows.stream, std::int64_t{16'384},
                                        static_cast<std::int64_t>(message - came)});
    ASSERT_GT(size, 0) << "the message stops after " << came;
    peer.says(data(1, std::string(static_cast<std::size_t>(size), 'x')));
    ASSERT_FALSE(peer.session().is_broken()) << peer.last_event();
    windows.connection -= size;
    windows.stream -= size;
  }
  peer.session().consumed(peer.stream(1), message);

  peer.hears();
  ASSERT_TRUE(peer.session().is_writable(peer.stream(1), 1));
  peer.session().send_headers(peer.stream(1), HeaderTemplate{{":status", "200"}}, {}, false);
  peer.session().send_data(peer.stream(1), OwnedBytes(message), /*end_stream=*/true);
  std::size_t went = 0;
  for (const auto& frame : peer.hears()) {
    if (frame.header.type == FrameType::data) went += frame.payload.size();
  }
  EXPECT_EQ(went, message);
}

TEST(ConnectionLimits, AMessageAboveEveryLimitPassesAtTheLeastOfAll) {
  expect_exchange(least());
}

TEST(ConnectionLimits, AMessagePassesAtTheMostOfAll) {
  expect_exchange(all_at<Greatest>().within_range());
}

}  // namespace
}  // namespace nearcall::inline v0::detail::http2
