// SPDX-License-Identifier: Apache-2.0
// A server whose path another one has taken without a word: who waits at it is served by that one.
#include "integration/both_drivers.hpp"
#include "support/manual_loop.hpp"

#include <nearcall/transport.hpp>

#include <array>
#include <chrono>
#include <filesystem>
#include <memory>
#include <semaphore>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;

/// The first server is on the test's own thread, and without a service: what it serves fails.
class SuccessorTest : public LogCheckedTest,
                      public testing::WithParamInterface<ClientDriver>,
                      protected ManualLoop {
 protected:
  SuccessorTest() {
    first_.listen(target_);
    EXPECT_TRUE(first_.start());
    settle();
  }

  /// A channel that counts the connections that it makes.
  Channel channel() {
    return Channel(target_, ChannelOptions().connector([this](ConnectContext context) {
      return connect(*connector_, std::move(context), made_);
    }));
  }
  /// As whoever takes a path knows how.
  void take_the_path() {
    std::filesystem::remove(path_);
    std::filesystem::remove(path_ + ".lock");
    next_.add_service(service_).listen(target_);
    ASSERT_TRUE(next_.start());
  }
  std::string converse_over(const Channel& channel) {
    return converse(GetParam(), Echo::Client(channel),
                    {.rounds = 3, .big_size = 100'000, .replies = 3})
        .to_string();
  }

  const TempDir folder_;
  const std::string path_ = folder_.file("x");
  const std::string target_ = "unix:" + path_;
  const std::unique_ptr<Connector> connector_ = *make_connector(target_);
  std::counting_semaphore<> made_{0};
  Server first_{loop_};
  EchoService service_;
  Server next_;

  static Task<std::string> collect_on_loop(const Echo::Client& echo) {
    auto collect = echo.CollectAsync(CallOptions().timeout(20s));
    const EchoRequest word = request_of("word");
    for (int i = 0; i < 5; ++i)
      static_cast<void>(co_await collect.write(word));
    const Result<EchoReply> reply = co_await collect.finish();
    co_return reply ? reply->payload() : reply.status().to_string();
  }

 private:
  static Task<Result<std::unique_ptr<Transport>>> connect(Connector& connector,
                                                          ConnectContext context,
                                                          std::counting_semaphore<>& made) {
    auto connected = co_await connector.connect(std::move(context));
    made.release();
    co_return connected;
  }
};

INSTANTIATE_TEST_SUITE_P(Drivers,
                         SuccessorTest,
                         testing::Values(ClientDriver::blocking, ClientDriver::loop),
                         driver_name);

TEST_P(SuccessorTest, ServesWhomeverTheOneBeforeHasNotAccepted) {
  const std::array<Channel, 2> channels{channel(), channel()};
  constexpr std::size_t clients = 4;
  std::array<std::string, clients> outcomes;
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < clients; ++i) {
    threads.emplace_back([&, i] { outcomes[i] = converse_over(channels[i % channels.size()]); });
  }
  for (std::size_t i = 0; i < clients; ++i)
    ASSERT_TRUE(made_.try_acquire_for(20s)) << i;
  take_the_path();

  advance(5s);  // it looks for its name

  threads.clear();
  for (const std::string& outcome : outcomes)
    EXPECT_EQ(outcome, "OK");
  EXPECT_TRUE(log_capture().take("another server has taken"));
}

/// A call without a word of the server's cannot know that its requests would be lost.
TEST_P(SuccessorTest, GetsAllThatWasSentToTheOneBefore) {
  const Channel patient = channel();
  std::string outcome;
  std::jthread client([&] {
    const Echo::Client echo(patient);
    if (GetParam() == ClientDriver::blocking) {
      auto collect = echo.Collect(CallOptions().timeout(20s));
      for (int i = 0; i < 5; ++i)
        static_cast<void>(collect.write(request_of("word")));
      const Result<EchoReply> reply = collect.finish();
      outcome = reply ? reply->payload() : reply.status().to_string();
    } else {
      outcome = sync_wait(collect_on_loop(echo));
    }
  });
  ASSERT_TRUE(made_.try_acquire_for(20s));
  take_the_path();

  advance(5s);

  client.join();
  EXPECT_EQ(outcome, "20");
  EXPECT_TRUE(log_capture().take("another server has taken"));
}

}  // namespace
}  // namespace nearcall::test
