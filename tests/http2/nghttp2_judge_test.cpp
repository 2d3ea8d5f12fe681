// SPDX-License-Identifier: Apache-2.0
// An independent judge: our sessions against nghttp2's, both ways, with random traffic.
#include "http2/session.hpp"
#include "support/session_pair.hpp"

#include <gtest/gtest.h>
#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <string>

namespace nearcall::inline v0::detail::http2 {
namespace {

using Random = std::mt19937;

std::size_t pick(Random& random, std::size_t low, std::size_t high) {
  return std::uniform_int_distribution<std::size_t>(low, high)(random);
}
std::string random_text(Random& random, std::size_t size) {
  // Cheap, but no two places of a body look alike.
  std::string text(size, '\0');
  std::uint32_t state = static_cast<std::uint32_t>(random()) | 1U;
  for (char& c : text) {
    state = state * 1'664'525U + 1'013'904'223U;
    c = static_cast<char>('a' + (state >> 28U));
  }
  return text;
}
std::size_t random_size(Random& random) {
  switch (pick(random, 0, 9)) {
    case 0:
      return 0;
    case 1:
      return pick(random, 1, 20);
    case 2:
      return pick(random, 100'000, 1'500'000);
    default:
      return pick(random, 1, 20'000);
  }
}

/// nghttp2 as client or server: bodies go out from strings, and what comes is kept by stream.
class Judge {
 public:
  struct Message {
    std::map<std::string, std::string> headers;
    std::string body;
    bool has_ended = false;
    bool was_closed = false;
    std::uint32_t close_code = 0;
    // Ours, going out.
    std::string to_send;
    std::size_t sent = 0;
    bool with_trailers = false;
  };

  explicit Judge(bool is_server) {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, &Judge::on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, &Judge::on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, &Judge::on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, &Judge::on_close);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, &Judge::on_invalid);
    if (is_server) {
      nghttp2_session_server_new(&session_, callbacks, this);
    } else {
      nghttp2_session_client_new(&session_, callbacks, this);
    }
    nghttp2_session_callbacks_del(callbacks);
  }
  ~Judge() { nghttp2_session_del(session_); }
  Judge(const Judge&) = delete;
  Judge& operator=(const Judge&) = delete;

  void settings(std::uint32_t window, std::uint32_t table, std::uint32_t frame) {
    const std::array<nghttp2_settings_entry, 3> entries = {
        {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window},
         {NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, table},
         {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, frame}}};
    ASSERT_EQ(nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, entries.data(), entries.size()),
              0);
  }
  void receive(ByteSpan bytes) {
    const auto* const data = reinterpret_cast<const std::uint8_t*>(bytes.data());
    const auto used = nghttp2_session_mem_recv(session_, data, bytes.size());
    ASSERT_EQ(used, static_cast<ssize_t>(bytes.size())) << nghttp2_strerror(static_cast<int>(used));
  }
  std::string output() {
    std::string bytes;
    const std::uint8_t* data = nullptr;
    for (;;) {
      const ssize_t size = nghttp2_session_mem_send(session_, &data);
      if (size <= 0) return bytes;
      bytes.append(reinterpret_cast<const char*>(data), static_cast<std::size_t>(size));
    }
  }

  int request(std::string body, const std::string& note) {
    const std::array<nghttp2_nv, 5> fields = {
        field(":method", "POST"), field(":scheme", "http"), field(":path", "/a.B/C"),
        field(":authority", "localhost"), field("x-note", note)};
    nghttp2_data_provider provider = reader();
    const int id =
        nghttp2_submit_request(session_, nullptr, fields.data(), fields.size(), &provider, nullptr);
    messages[id].to_send = std::move(body);
    return id;
  }
  void respond(int id, std::string body) {
    const std::array<nghttp2_nv, 2> fields = {field(":status", "200"),
                                              field("content-type", "application/grpc")};
    messages[id].to_send = std::move(body);
    messages[id].with_trailers = true;
    nghttp2_data_provider provider = reader();
    nghttp2_submit_response(session_, id, fields.data(), fields.size(), &provider);
  }
  void reset(int id) { nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL); }
  void shut_down() { nghttp2_submit_shutdown_notice(session_); }

  std::map<int, Message> messages;
  std::vector<std::string> complaints;
  std::function<void(int)> on_message;

 private:
  static nghttp2_nv field(std::string_view name, std::string_view value) {
    // nghttp2 copies both.
    auto* const text = [](std::string_view view) {
      return const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(view.data()));
    }(name);
    auto* const content =
        const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(value.data()));
    return {text, content, name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
  }
  static nghttp2_data_provider reader() {
    nghttp2_data_provider provider{};
    provider.read_callback = [](nghttp2_session* session, std::int32_t id, std::uint8_t* buffer,
                                std::size_t size, std::uint32_t* flags, nghttp2_data_source*,
                                void* user) -> ssize_t {
      Message& message = static_cast<Judge*>(user)->messages[id];
      const std::size_t count = std::min(size, message.to_send.size() - message.sent);
      std::copy_n(message.to_send.data() + message.sent, count, buffer);
      message.sent += count;
      if (message.sent == message.to_send.size()) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (message.with_trailers) {
          *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
          const nghttp2_nv trailer = field("grpc-status", "0");
          nghttp2_submit_trailer(session, id, &trailer, 1);
        }
      }
      return static_cast<ssize_t>(count);
    };
    return provider;
  }
  static int on_header(nghttp2_session*,
                       const nghttp2_frame* frame,
                       const std::uint8_t* name,
                       std::size_t name_size,
                       const std::uint8_t* value,
                       std::size_t value_size,
                       std::uint8_t,
                       void* user) {
    static_cast<Judge*>(user)
        ->messages[frame->hd.stream_id]
        .headers[std::string(reinterpret_cast<const char*>(name), name_size)] =
        std::string(reinterpret_cast<const char*>(value), value_size);
    return 0;
  }
  static int on_data(nghttp2_session*,
                     std::uint8_t,
                     std::int32_t id,
                     const std::uint8_t* data,
                     std::size_t size,
                     void* user) {
    static_cast<Judge*>(user)->messages[id].body.append(reinterpret_cast<const char*>(data), size);
    return 0;
  }
  static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    auto* const judge = static_cast<Judge*>(user);
    const bool ends = (frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS) &&
                      (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (!ends) return 0;
    judge->messages[frame->hd.stream_id].has_ended = true;
    if (judge->on_message) judge->on_message(frame->hd.stream_id);
    return 0;
  }
  static int on_close(nghttp2_session*, std::int32_t id, std::uint32_t code, void* user) {
    Message& message = static_cast<Judge*>(user)->messages[id];
    message.was_closed = true;
    message.close_code = code;
    return 0;
  }
  static int on_invalid(nghttp2_session*, const nghttp2_frame* frame, int error, void* user) {
    static_cast<Judge*>(user)->complaints.push_back(std::to_string(frame->hd.type) + ": " +
                                                    nghttp2_strerror(error));
    return 0;
  }

  nghttp2_session* session_ = nullptr;
};

/// Carries bytes between our session and the judge in random pieces until both are silent.
class Wire {
 public:
  Wire(Session& ours, Judge& judge, Random& random, test::EventHandler handler)
      : ours_(ours), judge_(judge), random_(random), handler_(std::move(handler)) {}

  void run() {
    while (step() && !testing::Test::HasFatalFailure()) {
    }
  }
  bool step() {
    bool moved = take_events();
    if (ours_.has_output()) {
      std::array<iovec, 3> pieces;
      const std::size_t count = ours_.output(pieces);
      std::size_t sent = 0;
      for (const iovec& piece : std::span(pieces).first(count)) {
        const std::size_t size = pick(random_, 1, piece.iov_len);
        judge_.receive({static_cast<const std::byte*>(piece.iov_base), size});
        sent += size;
        if (size < piece.iov_len) break;
      }
      ours_.output_sent(sent, now_);
      moved = true;
    }
    const std::string bytes = judge_.output();
    for (std::string_view rest = bytes; !rest.empty();) {
      const std::string_view piece = rest.substr(0, pick(random_, 1, 40'000));
      rest.remove_prefix(piece.size());
      const std::vector<std::byte> copy(as_bytes(piece).begin(), as_bytes(piece).end());
      ours_.receive(copy, now_);
      take_events();
      moved = true;
    }
    return moved;
  }

 private:
  using EventHandler = test::EventHandler;

  bool take_events() {
    bool any = false;
    for (Event event = ours_.next_event(); !is_none(event); event = ours_.next_event()) {
      const auto* const error = std::get_if<ConnectionErrorEvent>(&event);
      EXPECT_EQ(error, nullptr) << error->what;
      handler_(event);
      any = true;
    }
    return any;
  }

  Session& ours_;
  Judge& judge_;
  Random& random_;
  EventHandler handler_;
  TimePoint now_{std::chrono::hours(1)};
};

/// One side of ours in a random exchange: echoes or collects, with random chunks and consumption.
struct Collected {
  std::string body;
  std::string note;
  bool has_ended = false;
  bool was_reset = false;
};

/// Sends `text` in random pieces, through either way that a session offers.
void send_in_pieces(
    Session& session, Stream& stream, std::string_view text, Random& random, bool end_stream) {
  while (!text.empty()) {
    const std::string_view piece = text.substr(0, pick(random, 1, text.size()));
    text.remove_prefix(piece.size());
    const bool is_last = text.empty() && end_stream;
    const MutableByteSpan room =
        pick(random, 0, 1) == 0 ? session.reserve_data(stream, piece.size()) : MutableByteSpan();
    if (!room.empty()) {
      std::ranges::copy(as_bytes(piece), room.begin());
      session.commit_data(stream, piece.size(), is_last);
    } else {
      session.send_data(stream, OwnedBytes::copy_of(as_bytes(piece)), is_last);
    }
  }
}

SessionOptions random_options(Random& random) {
  SessionOptions options;
  if (pick(random, 0, 1) == 0) {
    options.initial_window_size = static_cast<std::uint32_t>(pick(random, 1000, 200'000));
    options.max_frame_size = static_cast<std::uint32_t>(pick(random, 16'384, 100'000));
  }
  return options;
}

class NgHttp2Judge : public testing::TestWithParam<unsigned> {};

TEST_P(NgHttp2Judge, FindsNoFaultWithOurClient) {
  Random random(GetParam());
  Judge judge(/*is_server=*/true);
  judge.settings(static_cast<std::uint32_t>(pick(random, 0, 100'000)),
                 static_cast<std::uint32_t>(pick(random, 0, 8192)),
                 static_cast<std::uint32_t>(pick(random, 16'384, 100'000)));
  Session client(Role::client, random_options(random), TimePoint(std::chrono::hours(1)));
  std::map<StreamId, std::string> sent;
  std::map<StreamId, Collected> got;
  judge.on_message = [&](int id) { judge.respond(id, judge.messages[id].body); };
  Wire wire(client, judge, random, [&](const Event& event) {
    http2::Stream* const stream = stream_of(event);
    if (stream == nullptr) return;
    Collected& collected = got[stream->id()];
    if (const auto* const data = std::get_if<DataEvent>(&event)) {
      collected.body.append(as_text(data->bytes));
      client.consumed(*stream, data->bytes.size());
    }
    collected.was_reset |= std::holds_alternative<ResetEvent>(event);
    if (ends_stream(event)) {
      collected.has_ended = true;
      client.release(*stream);
    }
  });

  for (int call = 0; call < 20; ++call) {
    // Windows of 0 open by and by: nghttp2 gives credit as it hands data out.
    const std::string body = random_text(random, random_size(random));
    const std::string note = random_text(random, pick(random, 0, 30));
    const std::array<HeaderField, 1> variable = {HeaderField{"x-note", note}};
    ASSERT_EQ(client.open_state(), Session::OpenState::ready);
    Stream& stream = client.open_stream(test::request_head(), variable, body.empty(), nullptr);
    const StreamId id = stream.id();
    sent[id] = body;
    send_in_pieces(client, stream, body, random, /*end_stream=*/true);
    if (pick(random, 0, 9) == 0) {
      client.release(stream);
      sent.erase(id);
    }
    for (std::size_t steps = pick(random, 0, 10); steps > 0; --steps) {
      wire.step();
    }
  }
  // An initial window of 0 would never open without a WINDOW_UPDATE of the judge's.
  judge.settings(1'000'000, 4096, 16'384);
  wire.run();

  EXPECT_TRUE(judge.complaints.empty()) << judge.complaints.front();
  for (const auto& [id, body] : sent) {
    EXPECT_TRUE(got[id].has_ended) << id;
    EXPECT_EQ(got[id].body.size(), body.size()) << id;
    EXPECT_TRUE(got[id].body == body) << id;
    EXPECT_EQ(judge.messages[static_cast<int>(id)].headers[":path"], "/greet.Greeter/SayHello");
  }
  EXPECT_EQ(client.stream_count(), 0U);
}

/// Answers each request with its own body and note, in pieces.
class EchoingOwner {
 public:
  EchoingOwner(Session& server, Random& random) : server_(server), random_(random) {}

  void take(const Event& event) {
    if (stream_of(event) == nullptr) return;
    Stream& stream = *stream_of(event);
    Collected& collected = got_[stream.id()];
    if (const auto* const headers = std::get_if<HeadersEvent>(&event)) {
      for (const HeaderView& field : *headers->list) {
        if (field.name == "x-note") collected.note = field.value;
      }
    }
    if (const auto* const data = std::get_if<DataEvent>(&event)) {
      collected.body.append(as_text(data->bytes));
      server_.consumed(stream, data->bytes.size());
    }
    if (std::holds_alternative<ResetEvent>(event)) return server_.release(stream);
    if (ends_stream(event)) answer(stream, collected);
  }

 private:
  void answer(Stream& stream, const Collected& collected) {
    const std::array<HeaderField, 1> variable = {HeaderField{"x-note", collected.note}};
    server_.send_headers(stream, test::response_head(), variable, /*end_stream=*/false);
    const bool has_trailers = pick(random_, 0, 3) > 0;
    send_in_pieces(server_, stream, collected.body, random_, !has_trailers);
    if (has_trailers) {
      server_.send_headers(stream, test::ok_trailers(), variable, /*end_stream=*/true);
    } else {
      server_.end_stream(stream);
    }
    server_.release(stream);
  }

  Session& server_;
  Random& random_;
  std::map<StreamId, Collected> got_;
};

TEST_P(NgHttp2Judge, FindsNoFaultWithOurServer) {
  Random random(GetParam());
  Judge judge(/*is_server=*/false);
  judge.settings(static_cast<std::uint32_t>(pick(random, 1000, 100'000)),
                 static_cast<std::uint32_t>(pick(random, 0, 8192)),
                 static_cast<std::uint32_t>(pick(random, 16'384, 100'000)));
  Session server(Role::server, random_options(random), TimePoint(std::chrono::hours(1)));
  EchoingOwner owner(server, random);
  Wire wire(server, judge, random, [&](const Event& event) { owner.take(event); });

  std::map<int, std::pair<std::string, std::string>> sent;
  for (int call = 0; call < 20; ++call) {
    const std::string body = random_text(random, random_size(random));
    const std::string note = random_text(random, pick(random, 0, 30));
    const int id = judge.request(body, note);
    ASSERT_GT(id, 0);
    sent[id] = {body, note};
    for (std::size_t steps = pick(random, 0, 10); steps > 0; --steps) {
      wire.step();
    }
    if (pick(random, 0, 9) == 0) {
      judge.reset(id);
      sent.erase(id);
    }
  }
  wire.run();

  EXPECT_TRUE(judge.complaints.empty()) << judge.complaints.front();
  for (const auto& [id, call] : sent) {
    const Judge::Message& message = judge.messages[id];
    EXPECT_TRUE(message.has_ended && message.was_closed) << id;
    EXPECT_EQ(message.close_code, 0U) << id;
    EXPECT_EQ(message.body.size(), call.first.size()) << id;
    EXPECT_TRUE(message.body == call.first) << id;
    EXPECT_EQ(message.headers.at("x-note"), call.second);
  }
  EXPECT_EQ(server.stream_count(), 0U);
}

INSTANTIATE_TEST_SUITE_P(Seeds, NgHttp2Judge, testing::Range(1U, 21U));

}  // namespace
}  // namespace nearcall::inline v0::detail::http2
