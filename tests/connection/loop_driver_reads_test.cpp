// SPDX-License-Identifier: Apache-2.0
// LoopDriver: how often it reads, and that it misses no end of a stream where it reads less.
#include "connection/loop_driver.hpp"
#include "support/frames.hpp"
#include "support/io.hpp"
#include "transport/inproc_pipe.hpp"
#include "transport/socket_transport.hpp"

#include <nearcall/event_loop.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

using Ends = std::pair<std::unique_ptr<Transport>, std::unique_ptr<Transport>>;

struct EndsCase {
  const char* name;
  Ends (*make)();
};

void PrintTo(const EndsCase& ends, std::ostream* to) {
  *to << ends.name;
}

Ends of_sockets() {
  Result<SocketPair> pair = make_socketpair();
  EXPECT_TRUE(pair.ok());
  return {std::move(pair->first), std::move(pair->second)};
}
Ends of_a_pipe() {
  Result<InprocPipe> pipe = make_inproc_pipe(4096);
  EXPECT_TRUE(pipe.ok());
  return *std::move(pipe);
}

/// Counts the reads.
class CountedTransport final : public ForwardingTransport {
 public:
  using ForwardingTransport::ForwardingTransport;
  IoResult try_read(std::span<std::byte> into) override {
    ++reads;
    return ForwardingTransport::try_read(into);
  }

  int reads = 0;
};

/// A driver that waits for what its peer says.
class ReadsTest : public testing::TestWithParam<EndsCase>, public PumpHandler {
 protected:
  ReadsTest() {
    Ends ends = GetParam().make();
    peer_ = std::move(ends.first);
    auto counted = std::make_unique<CountedTransport>(std::move(ends.second));
    reads_ = &counted->reads;
    pump_.emplace(std::move(counted), http2::Role::server, http2::SessionOptions(), *this,
                  SteadyClock::now());
    driver_.emplace(Access::core(loop_), *pump_);
    driver_->start();
    loop_.poll();
  }
  void say_hello() {
    EXPECT_TRUE(test::write_all(*peer_, test::frames::preface() + test::frames::settings()));
  }
  static std::string request(http2::StreamId id) {
    return test::frames::headers(id, test::frames::request_block(),
                                 http2::frame_flag::end_headers | http2::frame_flag::end_stream);
  }
  void on_event(const http2::Event& event) override {
    const auto* const request = std::get_if<http2::HeadersEvent>(&event);
    if (request == nullptr) return;
    ++requests_;
    pump_->session().release(*request->stream);
  }
  void on_end(EndReason reason, std::string_view /*what*/) override {
    driver_->stop();
    end_reason_ = reason;
    loop_.stop();
  }

  EventLoop loop_{SpinPolicy::off()};
  std::unique_ptr<Transport> peer_;
  std::optional<Pump> pump_;
  std::optional<LoopDriver> driver_;
  const int* reads_ = nullptr;
  int requests_ = 0;
  EndReason end_reason_ = EndReason::none;
};

TEST_P(ReadsTest, NoneFollowsOneThatTookAll) {
  const int before = *reads_;

  say_hello();
  loop_.poll();

  EXPECT_EQ(*reads_ - before, 1);
  EXPECT_TRUE(pump_->session().has_peer_settings());
}

TEST_P(ReadsTest, BytesAreFoundThatCameWhileEarlierOnesAwaitedTheirTurn) {
  say_hello();
  std::string more_than_a_turn;
  for (http2::StreamId id = 1; id <= 2 * 40; id += 2)
    more_than_a_turn += request(id);
  EXPECT_TRUE(test::write_all(*peer_, more_than_a_turn));
  loop_.poll();
  const int in_one_turn = requests_;

  EXPECT_TRUE(test::write_all(*peer_, request(2 * 40 + 1)));
  for (int turn = 0; turn < 5; ++turn)
    loop_.poll();

  EXPECT_LT(in_one_turn, 40);
  EXPECT_EQ(requests_, 41);
}

TEST_P(ReadsTest, TheEndThatCameWithTheLastBytesIsFound) {
  say_hello();
  peer_.reset();
  loop_.run();

  EXPECT_EQ(end_reason_, EndReason::peer_closed);
}

TEST_P(ReadsTest, TheEndThatComesLaterIsFound) {
  say_hello();
  loop_.poll();
  peer_->shutdown_write();
  loop_.run();

  EXPECT_EQ(end_reason_, EndReason::peer_closed);
}

INSTANTIATE_TEST_SUITE_P(Transports,
                         ReadsTest,
                         testing::Values(EndsCase{"sockets", of_sockets},
                                         EndsCase{"pipe", of_a_pipe}),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace nearcall::inline v0::detail
