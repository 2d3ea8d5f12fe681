// SPDX-License-Identifier: Apache-2.0
// InboundWindow: the budget holds, every message completes, a slow reader stops only itself.
#include "http2/inbound_window.hpp"

#include "http2/scenario.hpp"
#include "support/session_pair.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace nearcall::inline v0::detail::http2 {
namespace {

namespace frames = test::frames;
using test::ScriptedPeer;
using test::SessionPair;

constexpr std::size_t mebibyte = std::size_t{1} << 20U;

/// A server whose owner holds each message until all of it is there, as gRPC does: it knows the
/// length from the first byte on, and consumes the message when it is complete.
struct MessageServer {
  MessageServer(Session& received_by, std::size_t size)
      : session(received_by), message_size(size) {}

  void on_event(const Event& event) {
    if (std::holds_alternative<ResetEvent>(event)) session.release(*stream_of(event));
    const auto* const data = std::get_if<DataEvent>(&event);
    if (data == nullptr) return;
    std::size_t& held = messages[data->stream->id()];
    held += data->bytes.size();
    most_buffered = std::max(most_buffered, session.stats().buffered_input);
    was_rationing |= session.stats().is_rationing;
    if (held < message_size) return session.needs(*data->stream, message_size - held);
    session.consumed(*data->stream, held);
    held = 0;
    ++completed;
    if (data->end_stream) session.reset_stream(*data->stream, ErrorCode::no_error);
    if (data->end_stream) session.release(*data->stream);
  }

  Session& session;
  std::size_t message_size;
  std::map<StreamId, std::size_t> messages;
  std::size_t completed = 0;
  std::size_t most_buffered = 0;
  bool was_rationing = false;
};

void open_senders(Session& client, int count, std::size_t size, bool end_stream) {
  for (int i = 0; i < count; ++i) {
    Stream& stream = client.open_stream(test::request_head(), {}, false, nullptr);
    client.send_data(stream, OwnedBytes(size), end_stream);
  }
}

TEST(InboundWindow, AThousandStreamsThatSendAllButTheLastByteStayWithinTheBudget) {
  SessionPair pair;
  MessageServer server(pair.server, mebibyte);
  pair.on_server = [&](const Event& event) { server.on_event(event); };
  pair.run();

  open_senders(pair.client, 1000, mebibyte - 1, /*end_stream=*/false);
  pair.run();

  EXPECT_EQ(pair.server.stream_count(), 1000U);
  EXPECT_TRUE(server.was_rationing);
  EXPECT_GT(server.most_buffered, 8 * mebibyte);
  EXPECT_LE(server.most_buffered, 16 * mebibyte + mebibyte);
  EXPECT_FALSE(pair.server.is_broken() || pair.client.is_broken());
}

TEST(InboundWindow, ThreeHundredSendersOfLargeMessagesAllComplete) {
  SessionPair pair;
  constexpr std::size_t message = 4 * mebibyte;
  MessageServer server(pair.server, message);
  pair.on_server = [&](const Event& event) { server.on_event(event); };
  pair.run();

  // As the client's owner would: not more than is writable at a time.
  std::vector<Stream*> streams;
  for (int i = 0; i < 300; ++i) {
    streams.push_back(&pair.client.open_stream(test::request_head(), {}, false, nullptr));
    pair.client.send_data(*streams.back(), OwnedBytes(message), /*end_stream=*/true);
  }
  pair.run();

  EXPECT_EQ(server.completed, 300U);
  EXPECT_TRUE(server.was_rationing);
  EXPECT_LE(server.most_buffered, 16 * mebibyte + message);
  EXPECT_EQ(pair.server.stats().buffered_input, 0U);
  EXPECT_FALSE(pair.server.stats().is_rationing) << "the normal windows have returned";
  EXPECT_FALSE(pair.client.is_broken());
}

TEST(InboundWindow, AMessageThatTheWindowJustFailsToCoverNeedsNoStopToEnd) {
  SessionPair pair;
  const std::size_t message = SessionOptions().initial_window_size + 8;
  std::size_t left = message;
  pair.on_server = [&](const Event& event) {
    const auto* const data = std::get_if<DataEvent>(&event);
    if (data == nullptr) return;
    left -= data->bytes.size();
    pair.server.needs(*data->stream, left);
    EXPECT_TRUE(left == 0 || left > message / 2 || !pair.server.has_credit())
        << "credit that comes only now finds the sender waiting";
  };
  pair.run();

  Stream& stream = pair.client.open_stream(test::request_head(), {}, false, nullptr);
  pair.client.send_data(stream, OwnedBytes(100), /*end_stream=*/false);
  pair.run();
  pair.client.send_data(stream, OwnedBytes(message - 100), /*end_stream=*/false);
  pair.run();

  EXPECT_EQ(left, 0U);
}

TEST(InboundWindow, AMessageLargerThanTheBudgetCompletes) {
  SessionOptions options;
  options.limits->max_buffered_input = 256 * 1024;
  SessionPair pair({}, options);
  MessageServer server(pair.server, 3 * mebibyte);
  pair.on_server = [&](const Event& event) { server.on_event(event); };
  pair.run();

  open_senders(pair.client, 3, 3 * mebibyte, /*end_stream=*/true);
  pair.run();

  EXPECT_EQ(server.completed, 3U);
  EXPECT_LE(server.most_buffered, 256 * 1024 + 3 * mebibyte);
}

TEST(InboundWindow, WhileInputIsHeldNoMoreMessagesComeThanTheBudgetHasRoomFor) {
  SessionPair pair;
  constexpr std::size_t message = 4 * mebibyte;
  std::map<Stream*, std::size_t> whole;
  std::map<Stream*, std::size_t> parts;
  std::size_t most_buffered = 0;
  pair.on_server = [&](const Event& event) {
    const auto* const data = std::get_if<DataEvent>(&event);
    if (data == nullptr) return;
    std::size_t& held = parts[data->stream];
    held += data->bytes.size();
    most_buffered = std::max(most_buffered, pair.server.stats().buffered_input);
    if (held < message) return pair.server.needs(*data->stream, message - held);
    whole[data->stream] = held;
    pair.server.hold_input(true);
  };
  pair.run();

  open_senders(pair.client, 20, message, /*end_stream=*/true);
  pair.run();
  EXPECT_GE(whole.size(), 1U);
  EXPECT_LE(most_buffered, 16 * mebibyte + message);

  std::size_t completed = 0;
  while (!whole.empty()) {
    for (const auto& [stream, size] : std::exchange(whole, {})) {
      pair.server.consumed(*stream, size);
      ++completed;
    }
    pair.server.hold_input(false);
    pair.run();
  }
  EXPECT_EQ(completed, 20U);
}

TEST(InboundWindow, ASlowReaderStopsOnlyItsOwnStream) {
  SessionPair pair;
  std::size_t unread = 0;
  std::size_t answered = 0;
  pair.on_server = [&](const Event& event) {
    const auto* const data = std::get_if<DataEvent>(&event);
    if (data == nullptr) return;
    if (data->stream->id() == 1) {
      unread += data->bytes.size();  // nobody reads stream 1
      return;
    }
    pair.server.consumed(*data->stream, data->bytes.size());
    if (!data->end_stream) return;
    ++answered;
    pair.server.release(*data->stream);
  };
  pair.on_client = [&](const Event& event) {
    if (std::holds_alternative<ResetEvent>(event)) pair.client.release(*stream_of(event));
  };
  pair.run();

  Stream& slow = pair.client.open_stream(test::request_head(), {}, false, nullptr);
  pair.client.send_data(slow, OwnedBytes(64 * mebibyte), /*end_stream=*/false);
  for (int i = 0; i < 200; ++i) {
    Stream& stream = pair.client.open_stream(test::request_head(), {}, false, nullptr);
    pair.client.send_data(stream, OwnedBytes(mebibyte), /*end_stream=*/true);
    pair.run();
  }

  EXPECT_EQ(unread, SessionOptions().initial_window_size);
  EXPECT_EQ(answered, 200U);
}

TEST(InboundWindow, SmallCallsPassWhileManySlowReadersHoldTheBudget) {
  SessionPair pair;
  std::size_t answered = 0;
  pair.on_server = [&](const Event& event) {
    const auto* const data = std::get_if<DataEvent>(&event);
    if (data == nullptr) return;
    if (data->stream->id() <= 59) return;
    pair.server.consumed(*data->stream, data->bytes.size());
    if (!data->end_stream) return;
    ++answered;
    pair.server.release(*data->stream);
  };
  pair.on_client = [&](const Event& event) {
    if (std::holds_alternative<ResetEvent>(event)) pair.client.release(*stream_of(event));
  };
  pair.run();
  open_senders(pair.client, 30, 2 * mebibyte, /*end_stream=*/false);
  pair.run();

  for (int i = 0; i < 500; ++i) {
    Stream& stream = pair.client.open_stream(test::request_head(), {}, false, nullptr);
    test::send_text(pair.client, stream, std::string(3000, 'x'), /*end_stream=*/true);
    pair.run();
  }

  EXPECT_TRUE(pair.server.stats().is_rationing);
  EXPECT_EQ(answered, 500U);
}

TEST(InboundWindow, RandomSendersAllCompleteUnderATightBudget) {
  for (unsigned seed = 1; seed <= 10; ++seed) {
    std::mt19937 random(seed);
    const auto pick = [&](std::size_t low, std::size_t high) {
      return std::uniform_int_distribution<std::size_t>(low, high)(random);
    };
    SessionOptions options;
    options.limits->max_buffered_input = 300'000;
    options.limits->max_concurrent_streams = 50;
    options.initial_window_size = 100'000;
    SessionPair pair({}, options);
    pair.chunk = [&] { return pick(1, 30'000); };
    std::map<StreamId, std::size_t> held;
    std::map<StreamId, std::size_t> sizes;
    std::size_t completed = 0;
    pair.on_server = [&](const Event& event) {
      const auto* const data = std::get_if<DataEvent>(&event);
      if (data == nullptr) return;
      const StreamId id = data->stream->id();
      held[id] += data->bytes.size();
      EXPECT_LE(pair.server.stats().buffered_input, 300'000 + 500'000U);
      if (held[id] < sizes[id]) return pair.server.needs(*data->stream, sizes[id] - held[id]);
      pair.server.consumed(*data->stream, held[id]);
      ++completed;
      pair.server.release(*data->stream);
    };
    pair.on_client = [&](const Event& event) {
      if (std::holds_alternative<ResetEvent>(event)) pair.client.release(*stream_of(event));
    };
    pair.run();
    std::size_t opened = 0;
    while (opened < 300) {
      while (opened < 300 && pair.client.open_state() == Session::OpenState::ready) {
        Stream& stream = pair.client.open_stream(test::request_head(), {}, false, nullptr);
        sizes[stream.id()] = pick(1, 500'000);
        pair.client.send_data(stream, OwnedBytes(sizes[stream.id()]), /*end_stream=*/true);
        ++opened;
      }
      for (std::size_t steps = pick(1, 40); steps > 0; --steps) {
        pair.step();
      }
    }
    pair.run();
    EXPECT_EQ(completed, 300U) << "seed " << seed;
    EXPECT_EQ(pair.server.stats().buffered_input, 0U);
  }
}

// ---- credit -------------------------------------------------------------------------------------

/// A server's session with an open request.
struct Receiving : ScriptedPeer {
  explicit Receiving(const SessionOptions& options = {}) : ScriptedPeer(Role::server, options) {
    shake_hands(*this, Role::server);
    on_event = [](const Event&) {};
    says(frames::headers(1, frames::request_block()));
    hears();
  }
};

TEST(InboundWindow, GivesAStreamCreditWhenHalfOfItsWindowIsConsumed) {
  SessionOptions options;
  options.initial_window_size = 1000;
  Receiving peer(options);
  peer.says(frames::data(1, std::string(800, 'x')));
  peer.session().consumed(peer.stream(1), 499);
  EXPECT_FALSE(peer.session().has_output());
  peer.session().consumed(peer.stream(1), 1);
  EXPECT_THAT(peer.hears_words(), testing::ElementsAre("WINDOW_UPDATE 1 500"));
}

TEST(InboundWindow, GivesCreditForPadding) {
  SessionOptions options;
  options.initial_window_size = 100;
  Receiving peer(options);
  peer.says(frames::padded_data(1, "x", 60));
  EXPECT_THAT(peer.hears_words(), testing::ElementsAre("WINDOW_UPDATE 1 61"));
}

TEST(InboundWindow, LetsTheWindowCoverWhatAMessageNeeds) {
  SessionOptions options;
  options.initial_window_size = 1000;
  Receiving peer(options);
  peer.says(frames::data(1, std::string(900, 'x')));
  peer.session().needs(peer.stream(1), 700);
  EXPECT_THAT(peer.hears_words(), testing::ElementsAre("WINDOW_UPDATE 1 600"));
  peer.says(frames::data(1, std::string(700, 'x')));
  EXPECT_FALSE(peer.session().has_output());
  peer.session().consumed(peer.stream(1), 1600);
  EXPECT_THAT(peer.hears_words(), testing::ElementsAre("WINDOW_UPDATE 1 1000"));
}

TEST(InboundWindow, GivesNoCreditToAStreamThatHasEnded) {
  SessionOptions options;
  options.initial_window_size = 1000;
  Receiving peer(options);
  peer.says(frames::data(1, std::string(1000, 'x'), 0x1));
  peer.session().needs(peer.stream(1), 700);
  peer.session().consumed(peer.stream(1), 1000);
  EXPECT_FALSE(peer.session().has_output());
}

TEST(InboundWindow, GivesTheConnectionsCreditBackForWhatNobodyGets) {
  SessionOptions options;
  options.limits->max_buffered_input = 4 * 65'536;
  Receiving peer(options);
  peer.session().reset_stream(peer.stream(1), ErrorCode::cancel);
  peer.session().release(peer.stream(1));
  peer.hears();
  for (int i = 0; i < 100; ++i) {
    peer.says(frames::data(1, std::string(10'000, 'x')));
    peer.hears();
  }
  EXPECT_FALSE(peer.session().is_broken()) << peer.last_event();
  EXPECT_EQ(peer.session().stats().buffered_input, 0U);
}

TEST(InboundWindow, CoalescesCredit) {
  Receiving peer;
  for (int i = 0; i < 1000; ++i) {
    peer.says(frames::data(1, std::string(1000, 'x')));
    peer.session().consumed(peer.stream(1), 1000);
  }
  EXPECT_THAT(peer.hears_words(), testing::ElementsAre("WINDOW_UPDATE 1 1000000"));
}

}  // namespace
}  // namespace nearcall::inline v0::detail::http2
