// SPDX-License-Identifier: Apache-2.0
// Once warm, sessions do not allocate for exchanges or frames; every allocation of this program is
// counted.
#include "http2/session.hpp"
#include "support/allocation_count.hpp"
#include "support/frames.hpp"
#include "support/session_pair.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstring>

namespace nearcall::inline v0::detail::http2 {
namespace {

using test::allocation_count;

const std::string text(200, 'x');

/// Two sessions, each of whose output is the other's input, without a copy.
class Exchange : public testing::Test {
 protected:
  Exchange() : client_(Role::client, {}, now_), server_(Role::server, {}, now_) { carry_all(); }

  /// What `run` allocates in its last hundred of two hundred times.
  template <class Run>
  std::size_t allocations_of(Run run) {
    std::size_t before = 0;
    for (int i = 0; i < 200; ++i) {
      if (i == 100) before = allocation_count;
      run();
    }
    return allocation_count - before;
  }
  void carry_all() {
    while (carry(client_, server_) || carry(server_, client_)) {
    }
  }
  static void send(Session& session, Stream& stream, bool end_stream) {
    const MutableByteSpan room = session.reserve_data(stream, text.size());
    ASSERT_FALSE(room.empty());
    std::memcpy(room.data(), text.data(), text.size());
    session.commit_data(stream, text.size(), end_stream);
  }
  Stream& request(bool end_stream = true) {
    const std::array<HeaderField, 1> timeout = {HeaderField{"grpc-timeout", "100m"}};
    Stream& stream = client_.open_stream(test::request_head(), timeout, false, nullptr);
    send(client_, stream, end_stream);
    return stream;
  }

  std::size_t answers_ = 0;
  bool echoes_ = true;
  TimePoint now_{std::chrono::hours(1)};
  Session client_;
  Session server_;

 private:
  bool carry(Session& from, Session& to) {
    if (!from.has_output()) return false;
    std::array<iovec, 8> pieces;
    std::size_t size = 0;
    for (const iovec& piece : std::span(pieces).first(from.output(pieces))) {
      // Cut, so that the reader has to put frames together.
      const ByteSpan bytes(static_cast<const std::byte*>(piece.iov_base), piece.iov_len);
      const std::size_t middle = bytes.size() / 2;
      receive(to, bytes.first(middle));
      receive(to, bytes.subspan(middle));
      size += bytes.size();
    }
    from.output_sent(size, now_);
    return true;
  }
  void receive(Session& to, ByteSpan bytes) {
    to.receive(bytes, now_);
    for (Event event = to.next_event(); !is_none(event); event = to.next_event()) {
      Stream* const stream = stream_of(event);
      if (const auto* const data = std::get_if<DataEvent>(&event)) {
        to.consumed(*stream, data->bytes.size());
      }
      if (std::holds_alternative<ResetEvent>(event)) to.release(*stream);
      if (!ends_stream(event)) continue;
      if (&to == &client_) {
        ++answers_;
        client_.release(*stream);
      } else if (echoes_) {
        server_.send_headers(*stream, test::response_head(), {}, /*end_stream=*/false);
        send(server_, *stream, /*end_stream=*/false);
        server_.send_headers(*stream, test::ok_trailers(), {}, /*end_stream=*/true);
        server_.release(*stream);
      }
    }
  }
};

TEST_F(Exchange, OneAfterTheOtherAllocatesNothing) {
  EXPECT_EQ(allocations_of([&] {
              request();
              carry_all();
            }),
            0U);
  EXPECT_EQ(answers_, 200U);
}

TEST_F(Exchange, ManyAtATimeAllocateNothing) {
  EXPECT_EQ(allocations_of([&] {
              for (int i = 0; i < 50; ++i) {
                request();
              }
              carry_all();
            }),
            0U);
  EXPECT_EQ(answers_, 50U * 200U);
}

TEST_F(Exchange, CancelledOnesAllocateNothing) {
  EXPECT_EQ(allocations_of([&] {
              for (int i = 0; i < 10; ++i) {  // 1,024 resets are remembered before the count begins
                client_.release(request(/*end_stream=*/false));
              }
              carry_all();
            }),
            0U);
  EXPECT_EQ(server_.stats().resets_received, 2000U);
}

TEST_F(Exchange, FramesOfAConnectionAllocateNothing) {
  EXPECT_EQ(allocations_of([&] {
              client_.send_ping(1);
              server_.send_ping(2);
              client_.send_frame(0xee, 0, 0, as_bytes("extension"));
              carry_all();
            }),
            0U);
}

TEST_F(Exchange, AStreamOfMessagesAllocatesNothing) {
  Stream& stream = request(/*end_stream=*/false);
  EXPECT_EQ(allocations_of([&] {
              for (int i = 0; i < 100; ++i) {
                send(client_, stream, /*end_stream=*/false);
              }
              carry_all();
            }),
            0U);
}

TEST_F(Exchange, AnUnusedSessionOwnsNothing) {
  const SessionOptions options;  // whose limits its sessions share
  const std::size_t before = allocation_count;
  { const Session session(Role::server, options, now_); }
  EXPECT_EQ(allocation_count, before);
}

}  // namespace
}  // namespace nearcall::inline v0::detail::http2
