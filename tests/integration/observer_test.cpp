// SPDX-License-Identifier: Apache-2.0
// What observers at both ends are told of the same calls, of each kind, in both forms.
#include "integration/both_drivers.hpp"

#include <nearcall/blocking_service.hpp>
#include <nearcall/observer.hpp>

#include <algorithm>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;
using Lines = std::vector<std::string>;

std::string code_of(const Status& status) {
  return std::string(to_string(status.code()));
}

/// Notes the events of one side in words. Thread safety: any thread.
class Journal final : public Observer {
 public:
  void on_origin_ended(const Origin& /*origin*/) noexcept override { note("gone"); }
  void on_connection_begun(const Connection& connection) noexcept override {
    const std::lock_guard lock(mutex_);
    connections_.push_back(connection.id);
  }
  void on_call_begun(const Call& call) noexcept override {
    const std::string path = call.method.path;
    note(path.substr(path.rfind('/') + 1));
  }
  void on_attempt_begun(const Call& /*call*/, const Attempt& attempt) noexcept override {
    note("attempt " + std::to_string(attempt.number) + where(attempt.connection));
  }
  void on_message_sent(const Call& /*call*/, const Message& message) noexcept override {
    note("sent " + words(message));
  }
  void on_message_received(const Call& /*call*/, const Message& message) noexcept override {
    note("received " + words(message));
  }
  void on_attempt_ended(const Call& /*call*/,
                        const Attempt& attempt,
                        const Status& how,
                        AttemptEnd /*then*/) noexcept override {
    note("attempt: " + code_of(how) + ", " + std::to_string(attempt.sent.count) + " and " +
         std::to_string(attempt.received.count));
  }
  void on_call_ended(const Call& call, const Status& how) noexcept override {
    const bool is_in_order = call.begun <= call.ended;
    note(code_of(how) + ", " + std::to_string(call.sent.count) + " and " +
         std::to_string(call.received.count) + (is_in_order ? "" : " before it began") +
         (call.origin.side == Side::server ? where(call.connection) : ""));
  }

  /// Since the last time, once there are so many.
  Lines take(std::size_t count) {
    const auto give_up = std::chrono::steady_clock::now() + 10s;
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, give_up, [&] { return lines_.size() >= count; });
    return std::exchange(lines_, {});
  }

 private:
  static std::string words(const Message& message) {
    std::string words = std::to_string(message.size);
    if (message.compressed_size < message.size) words += " compressed";
    return words;
  }
  std::string where(std::uint64_t connection) {
    const std::lock_guard lock(mutex_);
    const bool is_known =
        std::find(connections_.begin(), connections_.end(), connection) != connections_.end();
    return is_known ? "" : " nowhere";
  }
  void note(std::string line) {
    const std::lock_guard lock(mutex_);
    lines_.push_back(std::move(line));
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  Lines lines_;
  std::vector<std::uint64_t> connections_;
};

/// The functions of a pool's threads.
class PlainEcho final : public Echo::BlockingService {
  Result<EchoReply> Unary(ServerContext& /*call*/, const EchoRequest& request) override {
    EchoReply reply;
    reply.set_payload(request.payload());
    return reply;
  }
  Status Chat(ServerContext& /*call*/,
              BlockingReader<EchoRequest>& requests,
              BlockingWriter<EchoReply>& replies) override {
    while (const std::optional<EchoRequest> request = requests.read()) {
      EchoReply reply;
      reply.set_payload(request->payload());
      if (!replies.write(reply)) break;
    }
    return Status();
  }
};

/// Two ends with an observer each, which are there before either.
struct Journals {
  const std::shared_ptr<Journal> client = std::make_shared<Journal>();
  const std::shared_ptr<Journal> server = std::make_shared<Journal>();
};

class ObserverTest : protected Journals,
                     public EchoServerTest,
                     public testing::WithParamInterface<ClientDriver> {
 protected:
  ObserverTest() : EchoServerTest(ServerOptions().observer(server)) { open(ChannelOptions()); }

  void open(ChannelOptions options) {
    channel_ = Channel(target(), std::move(options.observer(client)));
    echo_ = Echo::Client(channel_);
  }
  /// Runs either form of the same.
  template <class Blocking, class Awaited>
  void run(const Blocking& blocking, const Awaited& awaited) {
    if (GetParam() == ClientDriver::blocking) {
      blocking();
    } else {
      sync_wait(awaited());
    }
  }
  void unary(EchoRequest request, const CallOptions& options = CallOptions().timeout(20s)) {
    run([&] { static_cast<void>(echo_.Unary(request, options)); },
        [&]() -> Task<void> {
          auto call = echo_.UnaryAsync(request, options);
          static_cast<void>(co_await call);
        });
  }
};

TEST_P(ObserverTest, HearsOfAUnaryCallAtBothEnds) {
  unary(request_of("hello"));

  EXPECT_EQ(client->take(6), (Lines{"Unary", "attempt 1", "sent 7", "received 7",
                                    "attempt: OK, 1 and 1", "OK, 1 and 1"}));
  EXPECT_EQ(server->take(4), (Lines{"Unary", "received 7", "sent 7", "OK, 1 and 1"}));
}

TEST_P(ObserverTest, HearsOfEachMessageOfStreams) {
  run(
      [&] {
        auto expand = echo_.Expand(request_of("x", 2), CallOptions().timeout(20s));
        while (expand.read()) {
        }
        EXPECT_TRUE(expand.finish().ok());
      },
      [&]() -> Task<void> {
        auto expand = echo_.ExpandAsync(request_of("x", 2), CallOptions().timeout(20s));
        EchoReply reply;
        while (co_await expand.read(reply)) {
        }
        EXPECT_TRUE(expand.status().ok());
      });
  EXPECT_EQ(client->take(7), (Lines{"Expand", "attempt 1", "sent 5", "received 3", "received 5",
                                    "attempt: OK, 1 and 2", "OK, 1 and 2"}));
  EXPECT_EQ(server->take(5), (Lines{"Expand", "received 5", "sent 3", "sent 5", "OK, 2 and 1"}));

  run(
      [&] {
        auto collect = echo_.Collect(CallOptions().timeout(20s));
        EXPECT_TRUE(collect.write(request_of("a")));
        EXPECT_TRUE(collect.write(request_of("bc")));
        EXPECT_TRUE(collect.finish().ok());
      },
      [&]() -> Task<void> {
        auto collect = echo_.CollectAsync(CallOptions().timeout(20s));
        const EchoRequest one = request_of("a");
        EXPECT_TRUE(co_await collect.write(one));
        const EchoRequest two = request_of("bc");
        EXPECT_TRUE(co_await collect.write(two));
        const auto reply = co_await collect.finish();
        EXPECT_TRUE(reply.ok());
      });
  EXPECT_EQ(client->take(7), (Lines{"Collect", "attempt 1", "sent 3", "sent 4", "received 5",
                                    "attempt: OK, 2 and 1", "OK, 2 and 1"}));
  EXPECT_EQ(server->take(5),
            (Lines{"Collect", "received 3", "received 4", "sent 5", "OK, 1 and 2"}));
}

TEST_P(ObserverTest, HearsOfBothDirectionsAsTheyAre) {
  EXPECT_TRUE(converse(GetParam(), echo_, {.rounds = 2, .big_size = 1}).ok());

  const Lines at_client = client->take(19);
  EXPECT_EQ(Lines(at_client.begin(), at_client.begin() + 8),
            (Lines{"Chat", "attempt 1", "sent 5", "received 3", "sent 5", "received 3",
                   "attempt: OK, 2 and 2", "OK, 2 and 2"}));
  const Lines at_server = server->take(13);
  EXPECT_EQ(Lines(at_server.begin(), at_server.begin() + 6),
            (Lines{"Chat", "received 5", "sent 3", "received 5", "sent 3", "OK, 2 and 2"}));
}

TEST_P(ObserverTest, HearsBothSizesOfWhatIsCompressed) {
  server_->stop();
  server_->wait();
  start(ServerOptions().observer(server).compression(Codec::gzip()));
  server->take(1);
  open(ChannelOptions().compression(Codec::gzip()));
  client->take(1);

  unary(request_of(std::string(2000, 'a')));

  const Lines at_client = client->take(6);
  ASSERT_EQ(at_client.size(), 6U);
  EXPECT_EQ(at_client[2], "sent 2003 compressed");
  EXPECT_EQ(at_client[3], "received 2003 compressed");
  EXPECT_EQ(server->take(4),
            (Lines{"Unary", "received 2003 compressed", "sent 2003 compressed", "OK, 1 and 1"}));
}

TEST_P(ObserverTest, HearsHowACallFails) {
  EchoRequest failing;
  failing.set_code(static_cast<int>(StatusCode::not_found));
  unary(failing);

  EXPECT_EQ(client->take(5).back(), "NOT_FOUND, 1 and 0");
  EXPECT_EQ(server->take(3).back(), "NOT_FOUND, 0 and 1");

  EchoRequest waiting;
  waiting.set_wait_for_cancel(true);
  unary(waiting, CallOptions().timeout(50ms));
  const Lines late = client->take(5);
  ASSERT_EQ(late.size(), 5U);
  EXPECT_EQ(late[3], "attempt: DEADLINE_EXCEEDED, 1 and 0") << "which nobody but we have ended";
  EXPECT_EQ(late[4], "DEADLINE_EXCEEDED, 1 and 0");
}

TEST_P(ObserverTest, HearsOfPlainHandlersOnTheirPool) {
  server_->stop();
  server_->wait();
  server_ = std::make_unique<Server>(ServerOptions().observer(server));
  server_->add_service(std::make_unique<PlainEcho>()).listen(target());
  ASSERT_TRUE(server_->start());
  server->take(1);

  unary(request_of("hello"));
  EXPECT_EQ(server->take(4), (Lines{"Unary", "received 7", "sent 7", "OK, 1 and 1"}));

  EXPECT_EQ(converse(GetParam(), echo_, {.rounds = 1}).code(), StatusCode::unimplemented)
      << "Expand";
  const Lines chat = server->take(4);
  EXPECT_EQ(Lines(chat.begin(), chat.begin() + 4),
            (Lines{"Chat", "received 5", "sent 3", "OK, 1 and 1"}));
}

TEST_P(ObserverTest, HearsLastThatItsChannelAndItsServerAreGone) {
  unary(request_of("hello"));
  stop();
  EXPECT_EQ(server->take(5).back(), "gone");

  echo_ = Echo::Client(Channel("unix:/nowhere"));
  channel_ = Channel("unix:/nowhere");
  EXPECT_EQ(client->take(7).back(), "gone");
}

INSTANTIATE_TEST_SUITE_P(Both,
                         ObserverTest,
                         testing::Values(ClientDriver::blocking, ClientDriver::loop),
                         driver_name);

}  // namespace
}  // namespace nearcall::test
