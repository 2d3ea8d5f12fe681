// SPDX-License-Identifier: Apache-2.0
// The budgets of ConnectionLimits, each at its default: one below, exactly, and one above.

#include "http2/common.hpp"
#include "http2/scenario.hpp"
#include "http2/session.hpp"
#include "support/rounds.hpp"
#include "support/scripted_peer.hpp"

#include <nearcall/connection_limits.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

namespace nearcall::inline v0::detail::http2 {
namespace {

using namespace test::frames;
using test::request;
using test::ScriptedPeer;
using testing::ElementsAre;
using testing::StartsWith;

using test::limits;

/// A peer past the handshake that keeps what it is sent.
struct Patient : ScriptedPeer {
  explicit Patient(Role role, const SessionOptions& options = {}) : ScriptedPeer(role, options) {
    shake_hands(*this, role);
    on_event = [](const Event&) {};
  }
  bool is_calm() { return !session().is_broken(); }
  bool was_told_to_calm_down() {
    const std::vector<std::string> heard = hears_words();
    return !heard.empty() && heard.back().starts_with("GOAWAY") &&
           heard.back().ends_with("ENHANCE_YOUR_CALM");
  }
};

/// `spend(peer, n)` spends n of a budget: one below and at the limit the connection lives, one
/// above it ends with ENHANCE_YOUR_CALM.
void expect_end_above(Role role,
                      std::size_t limit,
                      const std::function<void(Patient&, std::size_t)>& spend) {
  for (const std::size_t count : {limit - 1, limit, limit + 1}) {
    Patient peer(role);
    spend(peer, count);
    EXPECT_EQ(peer.is_calm(), count <= limit) << count << " of " << limit << peer.last_event();
    EXPECT_EQ(peer.was_told_to_calm_down(), count > limit) << count;
  }
}

// ---- streams ------------------------------------------------------------------------------------

TEST(Limits, ConcurrentStreams) {
  for (const std::uint32_t count :
       {limits.max_concurrent_streams - 1, limits.max_concurrent_streams,
        limits.max_concurrent_streams + 1}) {
    Patient peer(Role::server);
    for (std::uint32_t i = 0; i < count; ++i) {
      peer.says(request(2 * i + 1) + rst_stream(2 * i + 1, ErrorCode::cancel));
    }
    EXPECT_EQ(peer.session().stats().streams_opened,
              std::min(count, limits.max_concurrent_streams));
    EXPECT_EQ(peer.session().stats().requests_refused,
              count > limits.max_concurrent_streams ? 1U : 0U);
    EXPECT_TRUE(peer.is_calm());
  }
}

SessionOptions many_slots() {
  SessionOptions options;
  options.limits->max_concurrent_streams = 10'000;
  return options;
}

TEST(Limits, ResetsOutstanding) {
  for (const std::uint32_t count :
       {limits.max_resets_outstanding - 1, limits.max_resets_outstanding,
        limits.max_resets_outstanding + 1}) {
    for (const std::string& fault : {rst_stream(1, ErrorCode::cancel), window_update(1, 0)}) {
      Patient peer(Role::server, many_slots());
      for (std::uint32_t i = 0; i < count; ++i) {
        std::string frame = fault;
        store_be32(reinterpret_cast<std::byte*>(frame.data()) + 5, 2 * i + 1);
        peer.says(request(2 * i + 1) + frame);
      }
      EXPECT_EQ(peer.is_calm(), count <= limits.max_resets_outstanding) << count;
      EXPECT_EQ(peer.was_told_to_calm_down(), count > limits.max_resets_outstanding) << count;
    }
  }
}

TEST(Limits, AReleasedStreamGivesItsResetBack) {
  Patient peer(Role::server);
  peer.on_event = [&](const Event& event) {
    if (std::holds_alternative<ResetEvent>(event)) peer.session().release(*stream_of(event));
  };
  const auto resets = static_cast<StreamId>(test::rounds(100'000, 1'000'000));
  for (StreamId id = 1; id < 2 * resets; id += 2) {
    peer.says(request(id) + rst_stream(id, ErrorCode::cancel));
    peer.events();
  }
  EXPECT_TRUE(peer.is_calm());
  EXPECT_EQ(peer.session().stats().resets_outstanding, 0U);
}

TEST(Limits, Refusals) {
  expect_end_above(Role::server, limits.max_refusals, [](Patient& peer, std::size_t count) {
    for (std::uint32_t i = 0; i < count; ++i) {
      peer.says(headers(2 * i + 1, trailers_block()));
      if (peer.is_calm()) peer.hears();
    }
  });
}

TEST(Limits, RefusalsPerSecond) {
  using namespace std::chrono_literals;
  for (const Duration pause : {Duration(999ms), Duration(1s), Duration(1001ms)}) {
    Patient peer(Role::server);
    StreamId id = 1;
    const auto refuse = [&](std::uint32_t count) {
      for (; count > 0; --count, id += 2) {
        peer.says(headers(id, trailers_block()));
        if (peer.is_calm()) peer.hears();
      }
    };
    refuse(limits.max_refusals);
    peer.pass(pause);
    refuse(limits.refusals_per_second);
    EXPECT_EQ(peer.is_calm(), pause >= 1s);
    refuse(1);
    EXPECT_FALSE(peer.is_calm());
  }
}

// ---- frames that we have to answer --------------------------------------------------------------

TEST(Limits, InducedFramesPauseReading) {
  for (const std::uint32_t count :
       {limits.max_induced_frames - 1, limits.max_induced_frames, limits.max_induced_frames + 1}) {
    Patient peer(Role::client);
    for (std::uint32_t i = 0; i < count; ++i) {
      peer.says(ping("12345678"));
    }
    EXPECT_EQ(peer.session().should_pause_reading(), count >= limits.max_induced_frames);
    peer.hears();
    EXPECT_FALSE(peer.session().should_pause_reading());
  }
}

TEST(Limits, InducedFramesEver) {
  for (const auto& [role, frame] :
       {std::pair(Role::client, ping("12345678")), std::pair(Role::server, settings())}) {
    expect_end_above(role, limits.max_induced_frames_ever,
                     [&said = frame](Patient& peer, std::size_t count) {
                       for (std::size_t i = 0; i < count; ++i) {
                         peer.says(said);
                       }
                     });
  }
}

// ---- headers ------------------------------------------------------------------------------------

TEST(Limits, HeaderListSize) {
  const std::string head = request_block();
  // RFC 9113 6.5.2: 32 bytes more a field.
  const std::size_t head_size =
      (7 + 4) + (7 + 4) + (5 + 6) + (10 + 9) + (2 + 8) + (12 + 16) + 6 * 32;
  const std::size_t room = limits.max_header_list_size - head_size - 32 - 1;
  for (const std::size_t size : {room - 1, room, room + 1}) {
    Patient peer(Role::server);
    peer.says(headers(1, head + block({{"x", std::string(size, 'v')}})));
    peer.says(request(3));
    const bool is_taken = size <= room;
    EXPECT_EQ(peer.session().stats().streams_opened, is_taken ? 2U : 1U) << size;
    EXPECT_EQ(peer.hears_words(), is_taken
                                      ? std::vector<std::string>{}
                                      : std::vector<std::string>{"RST_STREAM 1 ENHANCE_YOUR_CALM"});
  }
}

TEST(Limits, HeaderFields) {
  for (const std::size_t count :
       {limits.max_header_fields - 1, limits.max_header_fields, limits.max_header_fields + 1}) {
    Patient peer(Role::server);
    std::string fields = request_block();  // six of them
    for (std::size_t i = 6; i < count; ++i) {
      fields += block({{"x", "y"}});
    }
    peer.says(headers(1, fields));
    EXPECT_EQ(peer.session().stats().streams_opened, count <= limits.max_header_fields ? 1U : 0U);
    EXPECT_TRUE(peer.is_calm());
  }
}

/// A block of exactly that many bytes: its last field is a literal as long as it takes.
std::string block_of(std::size_t size) {
  const std::string head = request_block();
  const std::size_t shell = block({{"x", std::string(20'000, 'v')}}).size() - 20'000;
  return head + block({{"x", std::string(size - head.size() - shell, 'v')}});
}

TEST(Limits, HeaderBlockInOneFrame) {
  expect_end_above(Role::server, limits.max_header_block_size,
                   [](Patient& peer, std::size_t size) { peer.says(headers(1, block_of(size))); });
}

TEST(Limits, HeaderBlockInContinuations) {
  expect_end_above(Role::server, limits.max_header_block_size, [](Patient& peer, std::size_t size) {
    const std::string bytes = block_of(size);
    peer.says(headers(1, bytes.substr(0, 10'000), 0) +
              continuation(1, bytes.substr(10'000, 20'000), 0));
    ASSERT_TRUE(peer.is_calm());
    peer.says(continuation(1, bytes.substr(30'000)));
  });
}

TEST(Limits, AHeaderBlockFarAboveTheLimitIsRefusedByItsFrameHeader) {
  Patient peer(Role::server);
  peer.says(raw(FrameType::headers, flag::end_headers, 1, "", 65'536 + 262));
  EXPECT_FALSE(peer.is_calm());
  Patient edge(Role::server);
  edge.says(raw(FrameType::headers, flag::end_headers, 1, "", 65'536 + 261));
  EXPECT_TRUE(edge.is_calm()) << "as much as padding and priority may add";
}

TEST(Limits, Continuations) {
  expect_end_above(Role::server, limits.max_continuations, [](Patient& peer, std::size_t count) {
    peer.says(headers(1, request_block(), 0));
    for (std::size_t i = 0; i + 1 < count; ++i) {
      peer.says(continuation(1, "", 0));
    }
    peer.says(continuation(1, ""));
  });
}

TEST(Limits, InformationalResponses) {
  for (const std::uint32_t count : {limits.max_informational - 1U, limits.max_informational + 0U,
                                    limits.max_informational + 1U}) {
    Patient peer(Role::client);
    test::with_request(peer);
    peer.hears();
    for (std::uint32_t i = 0; i < count; ++i) {
      peer.says(headers(1, block({{":status", "103"}})));
    }
    const bool is_over = count > limits.max_informational;
    EXPECT_EQ(peer.session().stats().resets_sent, is_over ? 1U : 0U) << count;
    EXPECT_TRUE(peer.is_calm()) << "only the one stream pays";
  }
}

// ---- sizes --------------------------------------------------------------------------------------

TEST(Limits, SettingsEntries) {
  expect_end_above(Role::server, limits.max_settings_entries, [](Patient& peer, std::size_t count) {
    std::string entries;
    for (std::size_t i = 0; i < count; ++i) {
      entries += settings({{static_cast<SettingId>(0xf000), 1}}).substr(9);
    }
    peer.says(raw(FrameType::settings, 0, 0, entries));
  });
}

TEST(Limits, UnknownPayload) {
  for (const std::uint32_t size : {limits.max_unknown_payload - 1, limits.max_unknown_payload,
                                   limits.max_unknown_payload + 1}) {
    Patient peer(Role::server);
    peer.says(raw(static_cast<FrameType>(0xee), 0, 0, std::string(size, 'x')) + ping("12345678"));
    EXPECT_EQ(peer.events().size(), size <= limits.max_unknown_payload ? 1U : 0U);
    EXPECT_THAT(peer.hears_words(), ElementsAre("PING 12345678 ACK"));
  }
}

TEST(Limits, GoawayDebug) {
  for (const std::uint32_t size :
       {limits.max_goaway_debug - 1, limits.max_goaway_debug, limits.max_goaway_debug + 1}) {
    Patient peer(Role::client);
    peer.says(goaway(0, ErrorCode::no_error, std::string(size, 'x')) + ping("12345678"));
    const std::string kept(std::min(size, limits.max_goaway_debug), 'x');
    EXPECT_THAT(peer.events(), ElementsAre("goaway 0 NO_ERROR " + kept));
    EXPECT_THAT(peer.hears_words(), ElementsAre("PING 12345678 ACK"));
  }
}

// ---- DATA without use ---------------------------------------------------------------------------

TEST(Limits, EmptyData) {
  for (const std::string& frame : {data(1, ""), padded_data(1, "", 0), padded_data(1, "", 255)}) {
    expect_end_above(Role::server, limits.max_empty_data, [&](Patient& peer, std::size_t count) {
      peer.says(request(1));
      for (std::size_t i = 0; i < count; ++i) {
        peer.says(frame);
      }
    });
  }
}

TEST(Limits, OverheadOfTinyData) {
  const std::string tiny(limits.tiny_payload - 1, 'x');
  // Padding makes no frame useful.
  for (const std::string& frame : {data(1, tiny), padded_data(1, tiny, 200)}) {
    expect_end_above(Role::server, limits.max_overhead_frames,
                     [&](Patient& peer, std::size_t count) {
                       peer.says(request(1));
                       for (std::size_t i = 0; i < count; ++i) {
                         peer.says(frame);
                         peer.events();
                       }
                     });
  }
}

TEST(Limits, TinyPayload) {
  for (const std::uint32_t size :
       {limits.tiny_payload - 1, limits.tiny_payload, limits.tiny_payload + 1}) {
    Patient peer(Role::server);
    peer.says(request(1) + data(1, std::string(size, 'x')));
    EXPECT_EQ(peer.session().stats().overhead_frames, size < limits.tiny_payload ? 1U : 0U);
  }
}

TEST(Limits, OverheadOfPriority) {
  expect_end_above(Role::server, limits.max_overhead_frames, [](Patient& peer, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      peer.says(priority(1, 0));
    }
  });
}

/// Stream `id` of the client is cancelled before anything has come.
void cancel_one(Patient& peer, bool is_released) {
  Stream& stream = peer.session().open_stream(test::request_head(), {}, true, nullptr);
  peer.session().reset_stream(stream, ErrorCode::cancel);
  if (is_released) peer.session().release(stream);
  peer.hears();
}

TEST(Limits, WhatWasOnItsWayToACancelledStreamIsFree) {
  for (const bool is_released : {false, true}) {
    Patient peer(Role::client);
    cancel_one(peer, is_released);
    peer.says(headers(1, response_block()));
    const std::string message(5, '\0');
    for (std::size_t sent = 0; sent + 5 < SessionOptions{}.initial_window_size; sent += 5) {
      peer.says(data(1, message));
    }
    EXPECT_EQ(peer.session().stats().overhead_frames, 0U);
    for (std::size_t i = 0; i < limits.max_overhead_frames - 1; ++i) {
      peer.says(data(1, message));
    }
    EXPECT_TRUE(peer.is_calm());
    for (int i = 0; i < 20; ++i) {
      peer.says(data(1, message));
    }
    EXPECT_FALSE(peer.is_calm()) << "this was more than the window";
  }
}

TEST(Limits, AHundredThousandCallsCancelledAsTheirAnswersComePass) {
  Patient peer(Role::client);
  for (StreamId id = 1; id < 200'000; id += 2) {
    cancel_one(peer, /*is_released=*/true);
    peer.says(headers(id, response_block()) + data(id, std::string(5, '\0')) +
              headers(id, trailers_block(), flag::end_headers | flag::end_stream));
  }
  EXPECT_TRUE(peer.is_calm()) << peer.last_event();
  EXPECT_EQ(peer.session().stats().overhead_frames, 0U);
}

TEST(Limits, UsefulBytesPayForOverhead) {
  Patient peer(Role::server);
  peer.says(request(1) + data(1, std::string(limits.tiny_payload * 3, 'x')));
  for (int i = 0; i < 5; ++i) {
    peer.says(priority(1, 0));
  }
  peer.session().consumed(peer.stream(1), limits.tiny_payload * 3 - 1);
  EXPECT_EQ(peer.session().stats().overhead_frames, 3U);
  peer.session().consumed(peer.stream(1), 1);
  EXPECT_EQ(peer.session().stats().overhead_frames, 2U);
}

TEST(Limits, AMillionEmptyMessagesPass) {  // a tenth with sanitizers
  Patient peer(Role::server);
  peer.on_event = [&](const Event& event) {
    const auto* const data = std::get_if<DataEvent>(&event);
    if (data == nullptr) return;
    peer.session().message_completed(*data->stream);
    peer.session().consumed(*data->stream, data->bytes.size());
  };
  const std::string message(5, '\0');
  std::string thousand;
  for (int i = 0; i < 1000; ++i) {
    thousand += data(1, message);
  }
  peer.says(request(1));
  const int thousands = test::rounds(1000, 10'000);
  for (int i = 0; i < thousands; ++i) {
    peer.says(thousand);
    peer.events();
    peer.hears();
  }
  EXPECT_TRUE(peer.is_calm()) << peer.last_event();
}

// ---- memory -------------------------------------------------------------------------------------

/// The connection's window, as WINDOW_UPDATEs tell it, after what was sent.
std::size_t granted(ScriptedPeer& peer) {
  std::size_t sum = 0;
  for (const auto& frame : peer.hears()) {
    if (frame.header.type != FrameType::window_update || frame.header.stream != 0) continue;
    sum += load_be32(reinterpret_cast<const std::byte*>(frame.payload.data()));
  }
  return sum;
}

TEST(Limits, BufferedInput) {
  const std::size_t stream_window = SessionOptions{}.initial_window_size;
  for (const int beyond : {-1, 0, 1}) {
    ScriptedPeer peer(Role::server);
    peer.on_event = [](const Event&) {};  // nobody consumes
    peer.says(preface() + settings());
    std::size_t window = default_setting::initial_window_size + granted(peer);
    peer.says(settings_ack());
    std::size_t sent = 0;
    const auto send = [&](StreamId id, std::size_t size) {
      peer.says(request(id) + data(id, std::string(size, 'x')));
      peer.events();
      sent += size;
      window += granted(peer) - size;
    };
    StreamId id = 1;
    for (; window > stream_window; id += 2) {
      send(id, stream_window);
    }
    EXPECT_LE(sent + window, limits.max_buffered_input);
    EXPECT_GE(sent + window, limits.max_buffered_input - stream_window);
    peer.says(request(id) + request(id + 2) + data(id, std::string(window - 2, 'x')) +
              data(id + 2, std::string(static_cast<std::size_t>(2 + beyond), 'x')));
    EXPECT_EQ(peer.session().is_broken(), beyond > 0);
    if (beyond <= 0) continue;
    EXPECT_THAT(peer.last_event(), StartsWith("connection_error FLOW_CONTROL_ERROR"));
  }
}

TEST(Limits, BufferedOutputOfAStream) {
  for (const std::size_t size :
       {limits.max_buffered_output_stream - 1, limits.max_buffered_output_stream,
        limits.max_buffered_output_stream + 1}) {
    ScriptedPeer peer(Role::client);
    ScriptedPeer::shake_hands(peer, Role::client, {{SettingId::initial_window_size, 0}});
    Stream& stream = peer.session().open_stream(test::request_head(), {}, false, nullptr);
    peer.session().send_data(stream, OwnedBytes(size), /*end_stream=*/false);
    EXPECT_EQ(peer.session().is_writable(stream, 1), size < limits.max_buffered_output_stream);
  }
}

TEST(Limits, BufferedOutputOfAConnection) {
  for (const std::size_t size : {limits.max_buffered_output - 1, limits.max_buffered_output,
                                 limits.max_buffered_output + 1}) {
    ScriptedPeer peer(Role::client);
    ScriptedPeer::shake_hands(peer, Role::client, {{SettingId::initial_window_size, 0}});
    Stream& full = peer.session().open_stream(test::request_head(), {}, false, nullptr);
    Stream& small = peer.session().open_stream(test::request_head(), {}, false, nullptr);
    Stream& unused = peer.session().open_stream(test::request_head(), {}, false, nullptr);
    peer.hears();
    peer.session().send_data(full, OwnedBytes(size - 1), /*end_stream=*/false);
    peer.session().send_data(small, OwnedBytes(1), /*end_stream=*/false);
    EXPECT_EQ(peer.session().is_writable(small, 1), size < limits.max_buffered_output);
    EXPECT_EQ(peer.session().is_writable(unused, 1), size < limits.max_buffered_output);
  }
}

// ---- time ---------------------------------------------------------------------------------------

/// Whether the connection ends just when `timeout` is over.
void expect_end_after(Role role,
                      Duration timeout,
                      const std::function<void(ScriptedPeer&)>& begin) {
  using namespace std::chrono_literals;
  for (const Duration wait : {timeout - 1ns, timeout, timeout + 1ns}) {
    ScriptedPeer peer(role);
    begin(peer);
    EXPECT_EQ(peer.session().next_deadline(), peer.now() + timeout);
    peer.pass(wait);
    EXPECT_EQ(peer.session().is_broken(), wait >= timeout);
  }
}

TEST(Limits, HandshakeTimeout) {
  for (const Role role : {Role::client, Role::server}) {
    expect_end_after(role, limits.handshake_timeout, [](ScriptedPeer& peer) { peer.hears(); });
  }
}

TEST(Limits, HeaderBlockTimeout) {
  const std::string whole = headers(1, request_block());
  const std::string in_two = headers(1, request_block(), 0) + continuation(1, "");
  for (const std::string& block : {whole, in_two}) {
    for (std::size_t size = frame_header_size; size < block.size(); ++size) {
      expect_end_after(Role::server, limits.header_block_timeout, [&](ScriptedPeer& peer) {
        ScriptedPeer::shake_hands(peer, Role::server);
        peer.says(block.substr(0, size));
      });
    }
  }
}

TEST(Limits, AHeaderBlockHasNoMoreTimeWhenItsBytesComeOneByOne) {
  using namespace std::chrono_literals;
  ScriptedPeer peer(Role::server);
  ScriptedPeer::shake_hands(peer, Role::server);
  const std::string block = headers(1, request_block());
  peer.says(block.substr(0, frame_header_size));
  const TimePoint begin = peer.now();

  for (std::size_t at = frame_header_size; at + 1 < block.size() && !peer.session().is_broken();
       ++at) {
    peer.says(block.substr(at, 1));
    peer.pass(1s);
  }

  EXPECT_TRUE(peer.session().is_broken());
  EXPECT_EQ(peer.now() - begin, limits.header_block_timeout);
  EXPECT_THAT(peer.last_event(), testing::HasSubstr("header_block_timeout"));
}

TEST(Limits, EachHeaderBlockHasTimeOfItsOwn) {
  using namespace std::chrono_literals;
  ScriptedPeer peer(Role::server);
  ScriptedPeer::shake_hands(peer, Role::server);
  std::string unsaid;
  for (StreamId id = 1; id < 100; id += 2) {
    const std::string block = request(id);
    peer.says(unsaid + block.substr(0, block.size() - 1));
    unsaid = block.substr(block.size() - 1);
    peer.pass(4s);
  }
  EXPECT_FALSE(peer.session().is_broken());
}

TEST(Limits, SettingsTimeout) {
  expect_end_after(Role::server, limits.settings_timeout, [](ScriptedPeer& peer) {
    peer.says(preface() + settings() + request(1));
    peer.hears();
  });
  expect_end_after(Role::client, limits.settings_timeout, [](ScriptedPeer& peer) {
    peer.says(settings());
    peer.session().open_stream(test::request_head(), {}, false, nullptr);
    peer.hears();
  });
}

TEST(Limits, OfASilentServersTimeOnlyThatCountsInWhichSomebodyLooked) {
  using namespace std::chrono_literals;
  ScriptedPeer peer(Role::client);
  peer.hears();
  peer.pass(2s);
  const TimePoint next_look = peer.now() + 60s;

  peer.session().pass_unseen(peer.now(), next_look);
  peer.session().open_stream(test::request_head(), {}, false, nullptr);

  EXPECT_EQ(peer.session().next_deadline(), next_look + limits.handshake_timeout - 2s);
}

TEST(Limits, StallTimeout) {
  for (const Role role : {Role::client, Role::server}) {
    expect_end_after(role, limits.stall_timeout, [role](ScriptedPeer& peer) {
      ScriptedPeer::shake_hands(peer, role);
      peer.says(ping("12345678"));
    });
  }
}

}  // namespace
}  // namespace nearcall::inline v0::detail::http2
