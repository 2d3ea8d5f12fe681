// SPDX-License-Identifier: Apache-2.0
// Large messages are sent from where they lie, and are not used once they may be gone.
#include "base/unique_fd.hpp"
#include "client/script_methods.hpp"
#include "integration/echo_server.hpp"
#include "support/enough_time.hpp"
#include "support/failing_transport.hpp"
#include "support/io.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <random>
#include <thread>

namespace nearcall::test {

namespace http2 = detail::http2;
namespace {

using namespace std::chrono_literals;

constexpr std::size_t mebibyte = std::size_t{1} << 20U;
/// What has gone of a request, at least, when all frames are finished that a window lets begin.
constexpr std::size_t begun_frames = 60'000;

/// Lets so many bytes through, and the rest once it is open. Thread safety: any thread.
class Dam {
 public:
  explicit Dam(std::size_t bytes) : left_(bytes) {}

  void open() {
    const std::lock_guard lock(mutex_);
    is_open_ = true;
    const std::uint64_t one = 1;
    ASSERT_EQ(::write(event_.get(), &one, sizeof one), 8);
  }
  /// How much of `wanted` may pass now.
  std::size_t allow(std::size_t wanted) const {
    const std::lock_guard lock(mutex_);
    return is_open_ ? wanted : std::min(wanted, left_);
  }
  void passed(std::string_view bytes) {
    const std::lock_guard lock(mutex_);
    left_ -= std::min(left_, bytes.size());
    passed_ += bytes;
  }
  bool is_shut() const {
    const std::lock_guard lock(mutex_);
    return !is_open_ && left_ == 0;
  }
  int fd() const noexcept { return event_.get(); }
  /// The payload of DATA frames of a stream, up to now.
  std::string data_of(http2::StreamId stream) const {
    const std::lock_guard lock(mutex_);
    std::string data;
    std::string_view rest = passed_;
    rest.remove_prefix(std::min(rest.size(), http2::client_preface.size()));
    while (rest.size() >= http2::frame_header_size) {
      const http2::FrameHeader header = http2::load_frame_header(detail::as_bytes(rest).data());
      rest.remove_prefix(http2::frame_header_size);
      const std::string_view payload = rest.substr(0, header.length);
      if (header.type == http2::FrameType::data && header.stream == stream) data += payload;
      rest.remove_prefix(payload.size());
    }
    return data;
  }

 private:
  mutable std::mutex mutex_;
  const detail::UniqueFd event_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  bool is_open_ = false;
  std::size_t left_;
  std::string passed_;
};

/// A connection whose writes a dam holds up.
class DammedTransport final : public Transport {
 public:
  DammedTransport(std::unique_ptr<Transport> inner, Dam& dam)
      : inner_(std::move(inner)), dam_(&dam) {}

  IoResult try_read(std::span<std::byte> into) override { return inner_->try_read(into); }
  IoResult try_write(std::span<const iovec> from) override {
    std::string bytes;  // the sanitizer sees whether they are still there
    for (const iovec& piece : from) {
      bytes.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
    }
    const std::size_t most = dam_->allow(bytes.size());
    if (most == 0) return IoResult::would_block();
    const IoResult result = write_once(*inner_, std::string_view(bytes).substr(0, most));
    if (result.kind() == IoResult::Kind::bytes) {
      dam_->passed(std::string_view(bytes).substr(0, result.count()));
    }
    return result;
  }
  WaitAdvice prepare_wait(Interest interest) override {
    if (interest == Interest::write && dam_->is_shut()) return WaitAdvice::poll(dam_->fd(), POLLIN);
    return inner_->prepare_wait(interest);
  }
  void abort(std::error_code reason) noexcept override { inner_->abort(reason); }
  const PeerIdentity& peer() const noexcept override { return inner_->peer(); }

 private:
  const std::unique_ptr<Transport> inner_;
  Dam* const dam_;
};

Task<Result<std::unique_ptr<Transport>>> make_dammed(ScriptedServer& server, Dam& dam) {
  co_return std::make_unique<DammedTransport>(server.accept(), dam);
}

ChannelOptions dammed(ScriptedServer& server, Dam& dam) {
  return ChannelOptions().max_connections(1).connector(
      [&server, &dam](const ConnectContext&) { return make_dammed(server, dam); });
}

/// Calls with a request of 1 MiB, which is gone when this returns.
Status call_large(Channel& channel, const CallOptions& options = patient()) {
  const auto request = std::make_unique<Text>(text_of(std::string(mebibyte, 'x')));
  return ClientStub(channel, test_methods).unary<Text>(unary_method, *request, options).status();
}

/// Whether what was sent of the request on stream 1 is what it is serialised as; and what was
/// begun is finished.
void expect_begin_of_request(const Dam& dam) {
  const std::string whole = framed(text_of(std::string(mebibyte, 'x')));
  const std::string sent = dam.data_of(1);
  EXPECT_GT(sent.size(), begun_frames) << "a frame was begun";
  EXPECT_TRUE(whole.starts_with(sent));
}

constexpr std::array dams = {std::size_t{300}, std::size_t{5'000}, std::size_t{100'000},
                             std::size_t{900'000}};

/// A call of 1 MiB that ends while the dam holds its request up, as the server's `script` says;
/// then another call on the same connection, which is good.
void call_and_call_again(const std::function<void(SessionPeer&, http2::Stream&)>& script,
                         StatusCode expected) {
  for (const std::size_t passing : dams) {
    SCOPED_TRACE(passing);
    Dam dam(passing);
    ScriptedServer server({[&](SessionPeer& peer) {
      http2::Stream* const stream = peer.next_headers();
      ASSERT_NE(stream, nullptr);
      script(peer, *stream);
      peer.flush();
      EXPECT_TRUE(peer.answer_all("good"));
    }});
    Channel channel("mine", dammed(server, dam));

    const Status status = call_large(channel);
    EXPECT_EQ(status.code(), expected) << status.to_string();
    dam.open();
    const Result<Text> next = call_unary(ClientStub(channel, test_methods));

    ASSERT_TRUE(next.ok()) << next.status().to_string();
    EXPECT_EQ(next->value(), "good");
    EXPECT_EQ(server.connection_count(), 1U);
    expect_begin_of_request(dam);
  }
}

class RequestInFlight : public LogCheckedTest {};

TEST_F(RequestInFlight, MayGoWhenTheServerRefusesTheCall) {
  call_and_call_again(
      [](SessionPeer& peer, http2::Stream& stream) {
        peer.headers(
            stream,
            {{":status", "200"}, {"content-type", "application/grpc"}, {"grpc-status", "7"}},
            /*end_stream=*/true);
        peer.session().release(stream);
      },
      StatusCode::permission_denied);
}

TEST_F(RequestInFlight, MayGoWhenTheServerAnswersBeforeItHasReadIt) {
  call_and_call_again(
      [](SessionPeer& peer, http2::Stream& stream) { peer.answer(stream, "early"); },
      StatusCode::ok);
}

TEST_F(RequestInFlight, MayGoWhenTheServerResetsTheCall) {
  call_and_call_again([](SessionPeer& peer,
                         http2::Stream& stream) { peer.reset(stream, http2::ErrorCode::cancel); },
                      StatusCode::cancelled);
}

TEST_F(RequestInFlight, MayGoWhenTheReplyIsBad) {
  call_and_call_again(
      [](SessionPeer& peer, http2::Stream& stream) {
        peer.begin(stream);
        peer.bytes(stream, std::string_view("\0\0\0\0\x02\xff\xff", 7));
      },
      StatusCode::internal);
}

/// A call of 1 MiB whose deadline passes while the dam holds its request up, and another one. False
/// if it passed before as much was sent.
bool calls_again_after_deadline(std::size_t passing, std::chrono::milliseconds timeout) {
  Dam dam(passing);
  ScriptedServer server({[](SessionPeer& peer) { EXPECT_TRUE(peer.answer_all("good")); }});
  Channel channel("mine", dammed(server, dam));

  EXPECT_EQ(call_large(channel, CallOptions().timeout(timeout)).code(),
            StatusCode::deadline_exceeded);
  if (!dam.is_shut() && dam.data_of(1).size() < begun_frames) return false;
  dam.open();
  const Result<Text> next = call_unary(ClientStub(channel, test_methods));

  EXPECT_TRUE(next.ok()) << next.status().to_string();
  EXPECT_EQ(server.connection_count(), 1U);
  expect_begin_of_request(dam);
  return true;
}

TEST_F(RequestInFlight, MayGoWhenTheDeadlinePasses) {
  for (const std::size_t passing : dams) {
    SCOPED_TRACE(passing);
    with_enough_time([passing](std::chrono::milliseconds timeout) {
      return calls_again_after_deadline(passing, timeout);
    });
  }
}

TEST_F(RequestInFlight, MayGoWhenAnotherThreadCancels) {
  for (const std::size_t passing : dams) {
    SCOPED_TRACE(passing);
    std::stop_source stop;
    Dam dam(passing);
    ScriptedServer server({[&](SessionPeer& peer) {
      ASSERT_NE(peer.next_headers(), nullptr);
      stop.request_stop();
      EXPECT_TRUE(peer.answer_all("good"));
    }});
    Channel channel("mine", dammed(server, dam));

    const Status status = call_large(channel, patient().cancellation(stop.get_token()));
    EXPECT_EQ(status.code(), StatusCode::cancelled) << status.to_string();
    dam.open();

    EXPECT_TRUE(call_unary(ClientStub(channel, test_methods)).ok());
    expect_begin_of_request(dam);
  }
}

TEST_F(RequestInFlight, MayGoWhileAnotherThreadDrivesTheConnection) {
  for (const std::size_t passing : dams) {
    SCOPED_TRACE(passing);
    std::stop_source stop;
    std::promise<void> first_is_there;
    Dam dam(passing + 300);
    ScriptedServer server({[&](SessionPeer& peer) {
      http2::Stream* const first = peer.next_call();
      ASSERT_NE(first, nullptr);
      first_is_there.set_value();
      http2::Stream* const large = peer.next_headers();
      ASSERT_NE(large, nullptr);
      stop.request_stop();
      EXPECT_EQ(peer.wait_for_reset(*large), http2::ErrorCode::cancel);
      peer.answer(*first, "first");
      EXPECT_TRUE(peer.wait_for_end());
    }});
    Channel channel("mine", dammed(server, dam));
    Result<Text> first(Failure{Status(StatusCode::unknown, "")});
    std::jthread driver([&] { first = call_unary(ClientStub(channel, test_methods)); });
    first_is_there.get_future().wait();

    const Status status = call_large(channel, patient().cancellation(stop.get_token()));
    EXPECT_EQ(status.code(), StatusCode::cancelled) << status.to_string();
    dam.open();
    driver.join();

    EXPECT_TRUE(first.ok()) << first.status().to_string();
  }
}

TEST_F(RequestInFlight, IsSentAgainOnAnotherConnection) {
  for (const std::size_t passing : dams) {
    SCOPED_TRACE(passing);
    Dam dam(passing);
    const auto refuse = [](SessionPeer& peer) {
      http2::Stream* const stream = peer.next_headers();
      ASSERT_NE(stream, nullptr);
      peer.session().send_goaway(http2::ErrorCode::no_error, "elsewhere");
      peer.reset(*stream, http2::ErrorCode::refused_stream);
      peer.wait_for_end();
    };
    std::size_t body_size = 0;
    const auto answer = [&](SessionPeer& peer) {
      http2::Stream* const stream = peer.next_call();
      ASSERT_NE(stream, nullptr);
      body_size = peer.heard(*stream).body.size();
      peer.answer(*stream, "there");
      EXPECT_TRUE(peer.wait_for_end());
    };
    Dam none(0);
    none.open();
    ScriptedServer server({refuse, answer});
    {
      std::atomic<int> made = 0;
      Channel channel("mine", ChannelOptions().connector([&](const ConnectContext&) {
        return make_dammed(server, made++ == 0 ? dam : none);
      }));

      const Status status = call_large(channel);

      EXPECT_TRUE(status.ok()) << status.to_string();
      dam.open();
    }
    EXPECT_EQ(none.data_of(1).size(), 5 + 4 + mebibyte);
  }
}

TEST_F(RequestInFlight, MayGoWithTheChannel) {
  for (const std::size_t passing : dams) {
    SCOPED_TRACE(passing);
    Dam dam(passing);
    ScriptedServer server({[](SessionPeer& peer) { peer.wait_for_end(); }});
    Channel channel("mine", dammed(server, dam));

    EXPECT_EQ(call_large(channel, CallOptions().timeout(30ms)).code(),
              StatusCode::deadline_exceeded);
    dam.open();  // the channel says GOAWAY, behind what is left
  }
}

Task<Result<std::unique_ptr<Transport>>> make_failing(ScriptedServer& server, std::size_t good) {
  co_return std::make_unique<FailingTransport>(server.accept(), good);
}

TEST_F(RequestInFlight, MayGoWhereverTheConnectionBreaks) {
  std::size_t good = 0;
  for (bool is_good = false; !is_good && good < 100; ++good) {
    ScriptedServer server({[](SessionPeer& peer) { peer.answer_all("good"); }});
    Channel channel("mine", ChannelOptions().connector(
                                [&](const ConnectContext&) { return make_failing(server, good); }));

    const Status status = call_large(channel);

    is_good = status.ok();
    EXPECT_EQ(status.code(), is_good ? StatusCode::ok : StatusCode::unavailable);
  }
  EXPECT_GT(good, 3U);
  EXPECT_LT(good, 100U);
}

// ---- both sides ---------------------------------------------------------------------------------

class LargeMessages : public EchoServerTest {};

TEST_F(LargeMessages, ComeBackAsTheyWere) {
  std::mt19937 random(1);
  for (const std::size_t size :
       {std::size_t{32'000}, std::size_t{33'000}, std::size_t{65'535}, mebibyte, 3 * mebibyte}) {
    std::string payload(size, '\0');
    for (char& c : payload)
      c = static_cast<char>(random());

    const Result<EchoReply> reply =
        echo_.Unary(request_of(payload), patient().max_receive_message_size(4 * mebibyte));

    ASSERT_TRUE(reply.ok()) << reply.status().to_string();
    EXPECT_EQ(reply->payload() == payload, true) << size;
  }
}

TEST_F(LargeMessages, StayAsTheyAreForTheirCaller) {
  const EchoRequest request = request_of(std::string(mebibyte, 'p'));

  ASSERT_TRUE(echo_.Unary(request, patient()).ok());

  EXPECT_EQ(request.payload() == std::string(mebibyte, 'p'), true);
}

/// Replies that nobody reads, for the sanitizers: of calls that are cancelled, and of a connection
/// that goes.
TEST_F(LargeMessages, AreDroppedWithTheirCalls) {
  Channel other(target());
  for (int i = 0; i < 20; ++i) {
    EchoRequest request = request_of(std::string(mebibyte, 'q'));
    request.set_reply_size(3 * mebibyte);
    EXPECT_FALSE(
        Echo::Client(other).Unary(request, patient().max_receive_message_size(mebibyte)).ok());
  }
  EXPECT_TRUE(echo_.Unary(request_of("small"), patient()).ok());
}

/// Threads that share one connection, and whose calls are cancelled at any moment.
TEST_F(LargeMessages, OfManyThreadsAreCancelledAtAnyMoment) {
  Channel shared(target(), ChannelOptions().max_connections(1));
  const Echo::Client echo(shared);
  std::atomic<int> good = 0;
  std::vector<std::jthread> threads;
  for (unsigned seed = 0; seed < 4; ++seed) {
    threads.emplace_back([&echo, &good, seed] {
      std::mt19937 random(seed);
      for (int i = 0; i < 30; ++i) {
        const auto request = std::make_unique<EchoRequest>(
            request_of(std::string(mebibyte, static_cast<char>('a' + seed))));
        std::stop_source stop;
        const bool is_cancelled = i % 2 == 1;
        std::jthread canceller([&stop, is_cancelled, spins = random() % 200'000] {
          std::atomic<unsigned> spun = 0;
          while (is_cancelled && spun < spins)
            ++spun;
          if (is_cancelled) stop.request_stop();
        });
        const Result<EchoReply> reply =
            echo.Unary(*request, patient().cancellation(stop.get_token()));
        if (reply.ok()) {
          EXPECT_EQ(reply->payload() == request->payload(), true);
          ++good;
        } else {
          EXPECT_TRUE(is_cancelled) << reply.status().to_string();
          EXPECT_EQ(reply.status().code(), StatusCode::cancelled) << reply.status().to_string();
        }
      }
    });
  }
  threads.clear();
  EXPECT_GE(good, 60);
}

}  // namespace
}  // namespace nearcall::test
