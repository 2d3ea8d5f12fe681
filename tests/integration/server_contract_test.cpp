// SPDX-License-Identifier: Apache-2.0
// What a server's loop makes of each kind of transport, and of each way in which it ends.
#include "server/listen_port.hpp"
#include "server/server_loop.hpp"
#include "server/server_shared.hpp"
#include "support/failing_handshake.hpp"
#include "support/frame_peer.hpp"
#include "support/io.hpp"
#include "support/log_capture.hpp"
#include "support/manual_loop.hpp"
#include "support/queue_listener.hpp"
#include "support/transport_kinds.hpp"
#include "support/watched_transport.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

namespace nearcall::test {
namespace {

using detail::EndReason;

/// A server on the test's own thread, whose time stands still, and one client.
class ServerContract : public LogCheckedTest,
                       protected ManualLoop,
                       public detail::ListenPort::Owner,
                       public testing::WithParamInterface<TransportKind> {
 protected:
  ServerContract() { port_.start(); }

  /// The client's end of a connection whose other one, `Decorator`, the server is given.
  template <class Decorator, class... Arguments>
  std::unique_ptr<Transport> connect(const Arguments&... arguments) {
    TransportPair ends = GetParam().make();
    queue_->push(std::make_unique<Decorator>(std::move(ends.second), arguments...));
    return std::move(ends.first);
  }
  /// A client past its greeting, with an answer to a request; the server knows no method.
  void greet() {
    std::unique_ptr<Transport> end = connect<WatchedTransport>(watch_);
    client_end_ = end.get();
    turn_until([&] { return is_done(end->handshake()); });
    client_.emplace(http2::Role::client, std::move(end), FramePeer::passive);
    std::string hello = frames::preface() + frames::settings() + frames::settings_ack() +
                        frames::headers(1, frames::request_block("/none")) +
                        frames::data(1, "", frames::flag::end_stream);
    turn_until([&] {
      hello.erase(0, client_->say_deaf(hello, /*patience=*/0));
      return hello.empty();
    });
    turn_until([this] {
      client_->listen();
      return client_->stream(1).is_over() && client_->frames_heard(http2::FrameType::settings) > 1;
    });
    settle();
  }
  /// Turns the loop until something is so, for ten seconds at most: bytes need time where the
  /// kernel moves them.
  void turn_until(const std::function<bool()>& is_so) {
    const auto until = detail::SteadyClock::now() + std::chrono::seconds(10);
    while (!is_so()) {
      ASSERT_LT(detail::SteadyClock::now(), until);
      pollfd look{loop_.fd(), POLLIN, 0};
      ::poll(&look, 1, /*milliseconds=*/1);
      loop_.poll();
    }
  }
  void expect_end(EndReason reason) {
    turn_until([&] { return shared_.counters().ended(reason) == 1; });
    turn_until([&] { return client_ == std::nullopt || client_->has_ended(); });
  }

  const std::shared_ptr<TransportWatch> watch_ = std::make_shared<TransportWatch>();
  detail::ServerShared shared_{ServerOptions()};
  std::optional<FramePeer> client_;
  Transport* client_end_ = nullptr;

 private:
  static bool is_done(const Result<Handshake, std::error_code>& moved) {
    return moved && *moved == Handshake::done;
  }
  void take(std::unique_ptr<Transport> transport, detail::ConnectionQuota::Place place) override {
    server_loop_.add(std::move(transport), std::move(place));
  }
  void on_listener_end() noexcept override {}

  const std::shared_ptr<ConnectionQueue> queue_ = std::make_shared<ConnectionQueue>();
  detail::ServerLoop server_loop_{shared_, loop_, [] {}};
  detail::ListenPort port_{shared_, detail::Access::core(loop_),
                           std::make_unique<QueueListener>(queue_), untrusted::anyone(), *this};
};

INSTANTIATE_TEST_SUITE_P(Kinds,
                         ServerContract,
                         testing::ValuesIn(driven_kinds()),
                         [](const auto& of) { return of.param.name; });

TEST_P(ServerContract, APeerThatClosesEndsTheConnection) {
  greet();

  client_.reset();

  expect_end(EndReason::peer_closed);
}

TEST_P(ServerContract, APeerThatSendsNoMoreIsClosed) {
  greet();

  client_end_->shutdown_write();

  expect_end(EndReason::peer_closed);
}

TEST_P(ServerContract, APeerThatAbortsEndsTheConnection) {
  greet();

  client_end_->abort(std::make_error_code(std::errc::timed_out));

  expect_end(EndReason::peer_closed);
}

TEST_P(ServerContract, AnAbortOfItsOwnEndEndsTheConnection) {
  greet();

  ASSERT_TRUE(watch_->abort(std::make_error_code(std::errc::timed_out)));

  expect_end(EndReason::read_failed);
}

TEST_P(ServerContract, AHandshakeThatFailsIsARefusal) {
  const std::unique_ptr<Transport> client = connect<FailingHandshake>();

  turn_until([this] { return shared_.counters().refused(Observer::Refusal::handshake) == 1; });

  EXPECT_TRUE(log_capture().take("handshake: Protocol error"));
  ASSERT_TRUE(finish_handshake(*client));
  EXPECT_EQ(read_exactly(*client, 1), "") << "the end";
}

TEST_P(ServerContract, AQuietConnectionSleeps) {
  greet();
  const std::size_t before = watch_->vain_steps();

  for (int i = 0; i < 10; ++i)
    loop_.poll();

  EXPECT_EQ(watch_->vain_steps(), before);
}

}  // namespace
}  // namespace nearcall::test
