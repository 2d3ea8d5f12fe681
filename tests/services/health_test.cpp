// SPDX-License-Identifier: Apache-2.0
// Health: grpc.health.v1 as its clients see it, up to ten thousand who watch.
#include "services/health_stub.hpp"
#include "support/child_process.hpp"
#include "support/frame_peer.hpp"
#include "support/limit_set.hpp"
#include "support/log_capture.hpp"
#include "support/manual_loop.hpp"
#include "support/sanitized.hpp"
#include "support/temp_dir.hpp"

#include <nearcall/health.hpp>
#include <nearcall/server.hpp>
#include <nearcall/testing/test_server.hpp>

#include <gmock/gmock.h>
#include <unistd.h>

#include <fstream>
#include <thread>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::StartsWith;
using testing::TestServer;
using Answer = HealthStub::Answer;

class HealthTest : public LogCheckedTest {
 protected:
  std::string checked(std::string_view service) const {
    const Result<Answer> answer = stub_.check(service);
    return answer ? Answer::ServingStatus_Name(answer->status()) : answer.status().to_string();
  }

  Health health_;
  TestServer server_{health_};
  HealthStub stub_{server_.channel()};
};

// ---- Check and List -----------------------------------------------------------------------------

TEST_F(HealthTest, TheServerServesFromTheStart) {
  EXPECT_EQ(checked(""), "SERVING");
}

TEST_F(HealthTest, CheckTellsWhatWasSet) {
  health_.set("a.B", ServingStatus::serving);
  health_.set("a.C", ServingStatus::not_serving);
  health_.set("a.D", ServingStatus::unknown);

  EXPECT_EQ(checked("a.B"), "SERVING");
  EXPECT_EQ(checked("a.C"), "NOT_SERVING");
  EXPECT_EQ(checked("a.D"), "UNKNOWN");
  EXPECT_EQ(health_.status("a.C"), ServingStatus::not_serving);
}

TEST_F(HealthTest, CheckOfAServiceThatIsNotKnownIsNotFound) {
  EXPECT_EQ(checked("a.B"), "NOT_FOUND: health: no such service");
  health_.set("a.B", ServingStatus::serving);
  health_.remove("a.B");
  EXPECT_THAT(checked("a.B"), StartsWith("NOT_FOUND"));
  EXPECT_THAT(checked(std::string(1'000'000, 'x')), StartsWith("NOT_FOUND"));
}

TEST_F(HealthTest, ListGivesAllThatIsKnown) {
  health_.set("a.B", ServingStatus::not_serving);
  const auto watching = stub_.watch("watched");

  const auto listed = stub_.list();

  ASSERT_TRUE(listed.ok()) << listed.status().to_string();
  ASSERT_EQ(listed->statuses_size(), 2);
  EXPECT_EQ(listed->statuses().at("").status(), Answer::SERVING);
  EXPECT_EQ(listed->statuses().at("a.B").status(), Answer::NOT_SERVING);
}

TEST_F(HealthTest, ListOfTooManyIsResourceExhausted) {
  for (int i = 1; i < 1'000; ++i)
    health_.set("service " + std::to_string(i), ServingStatus::serving);
  const auto most = stub_.list();
  ASSERT_TRUE(most.ok()) << most.status().to_string();
  EXPECT_EQ(most->statuses_size(), 1'000);

  health_.set("one more", ServingStatus::serving);

  EXPECT_EQ(stub_.list().status().to_string(),
            "RESOURCE_EXHAUSTED: health: there are more than 1000 services to list");
}

// ---- Watch --------------------------------------------------------------------------------------

TEST_F(HealthTest, WatchTellsTheStatusAtOnceAndThenEachChange) {
  auto watching = stub_.watch("");

  EXPECT_EQ(HealthStub::next(watching), "SERVING");
  health_.set("", ServingStatus::not_serving);
  EXPECT_EQ(HealthStub::next(watching), "NOT_SERVING");
  health_.set("other", ServingStatus::serving);
  health_.set("", ServingStatus::not_serving);
  health_.set("", ServingStatus::serving);
  EXPECT_EQ(HealthStub::next(watching), "SERVING");
}

TEST_F(HealthTest, WatchOfAServiceThatIsNotKnownSaysSoAndGoesOn) {
  auto watching = stub_.watch("late");

  EXPECT_EQ(HealthStub::next(watching), "SERVICE_UNKNOWN");
  health_.set("late", ServingStatus::serving);
  EXPECT_EQ(HealthStub::next(watching), "SERVING");
  health_.remove("late");
  EXPECT_EQ(HealthStub::next(watching), "SERVICE_UNKNOWN");
}

TEST_F(HealthTest, OnlyAKnownServiceMayBeWatchedByALongName) {
  const std::string known(2'000, 'k');
  health_.set(known, ServingStatus::serving);
  auto first = stub_.watch(known);
  auto second = stub_.watch(std::string(1'024, 'u'));
  auto third = stub_.watch(std::string(1'000'000, 'u'));

  EXPECT_EQ(HealthStub::next(first), "SERVING");
  EXPECT_EQ(HealthStub::next(second), "SERVICE_UNKNOWN");
  EXPECT_EQ(
      HealthStub::next(third),
      "RESOURCE_EXHAUSTED: health: the name of an unknown service has 1000000 bytes, more than "
      "1024");
}

TEST_F(HealthTest, WatchEndsInGoodOrderWhenTheServerDrains) {
  health_.set("a.B", ServingStatus::serving);
  health_.set("a.C", ServingStatus::not_serving);
  auto serving = stub_.watch("a.B");
  auto not_serving = stub_.watch("a.C");
  auto unknown = stub_.watch("late");
  ASSERT_EQ(HealthStub::next(serving), "SERVING");
  ASSERT_EQ(HealthStub::next(not_serving), "NOT_SERVING");
  ASSERT_EQ(HealthStub::next(unknown), "SERVICE_UNKNOWN");

  server_.server().stop();
  server_.server().wait();  // 30 s if they held it up

  EXPECT_EQ(HealthStub::next(serving), "NOT_SERVING");
  EXPECT_EQ(HealthStub::next(serving), "OK");
  EXPECT_EQ(HealthStub::next(not_serving), "OK");
  EXPECT_EQ(HealthStub::next(unknown), "OK");
  EXPECT_EQ(health_.status("a.B"), ServingStatus::serving) << "others may serve it";
}

// ---- one loop, by hand --------------------------------------------------------------------------

class HealthByHand : public LogCheckedTest, protected ManualLoop {
 protected:
  void start(const ServerOptions& options = ServerOptions()) {
    server_.emplace(loop_, options);
    server_->add_service(health_).listen("unix:" + folder_.file("s"));
    ASSERT_TRUE(server_->start());
    settle();
  }
  static std::string watching(http2::StreamId id) {
    return frames::headers(id, frames::request_block("/grpc.health.v1.Health/Watch")) +
           frames::data(id, framed(""), frames::flag::end_stream);
  }
  static Task<void> note_stop(Server& server, bool& has_stopped) {
    co_await server.stopped();
    has_stopped = true;
  }
  static std::string told(Answer::ServingStatus status) {
    Answer answer;
    answer.set_status(status);
    return framed(answer.SerializeAsString());
  }

  TempDir folder_;
  Health health_;
  std::optional<Server> server_;
};

TEST_F(HealthByHand, WhoWatchesIsToldTheLatestAndNotWhatWasMeanwhile) {
  start();
  FramePeer peer(folder_.file("s"), FramePeer::passive);
  peer.say_hello();
  peer.say(watching(1));
  settle();

  for (int i = 0; i < 1'000; ++i) {
    health_.set("", ServingStatus::not_serving);
    health_.set("", ServingStatus::serving);
  }
  health_.set("", ServingStatus::not_serving);
  settle();

  peer.listen();
  EXPECT_EQ(peer.stream(1).body, told(Answer::SERVING) + told(Answer::NOT_SERVING));
}

TEST_F(HealthByHand, WhoDoesNotReadIsToldTheLatestOnceItDoes) {
  constexpr std::size_t most = 100;
  start(ServerOptions().limits(LimitSet{.max_buffered_output_stream = most}));
  FramePeer peer(folder_.file("s"), FramePeer::passive);
  peer.say_hello({{http2::SettingId::initial_window_size, 0}});
  peer.say(watching(1));
  settle();

  for (int i = 0; i < 1'000; ++i) {
    health_.set("", ServingStatus::not_serving);
    settle();
    health_.set("", ServingStatus::serving);
    settle();
  }
  health_.set("", ServingStatus::not_serving);
  settle();
  peer.say(frames::window_update(1, 1'000'000));
  settle();

  peer.listen();
  const std::string& body = peer.stream(1).body;
  EXPECT_LE(body.size(), most + 3 * told(Answer::SERVING).size());
  EXPECT_TRUE(body.ends_with(told(Answer::NOT_SERVING)));
}

TEST_F(HealthByHand, WhenTheServerDrainsACheckSaysThatItDoesNotServe) {
  start();
  FramePeer peer(folder_.file("s"), FramePeer::passive);
  peer.say_hello();
  peer.say(watching(1));
  settle();

  server_->stop();  // and the first GOAWAY still admits calls
  peer.say(frames::headers(3, frames::request_block("/grpc.health.v1.Health/Check")) +
           frames::data(3, framed(""), frames::flag::end_stream));
  settle();

  peer.listen();
  EXPECT_EQ(peer.stream(3).body, told(Answer::NOT_SERVING));
  EXPECT_EQ(peer.stream(1).field("grpc-status"), "0");
}

TEST_F(HealthByHand, WhoDoesNotReadHoldsUpADrainAsLongAsAnyCallMay) {
  start(ServerOptions().drain_timeout(5s));
  FramePeer peer(folder_.file("s"), FramePeer::passive);
  peer.say_hello();
  peer.say(watching(1));
  settle();
  bool has_stopped = false;
  const auto stopping = spawn(loop_, note_stop(*server_, has_stopped));
  peer.say(frames::settings({{http2::SettingId::initial_window_size, 0}}));  // and the rest waits
  settle();

  server_->stop();
  settle();
  EXPECT_FALSE(has_stopped);
  log_capture().allow("");
  advance(40s);

  EXPECT_TRUE(has_stopped);
}

TEST_F(HealthByHand, AWatcherThatGoesLeavesNothing) {
  start();
  {
    FramePeer peer(folder_.file("s"), FramePeer::passive);
    peer.say_hello();
    peer.say(watching(1) + watching(3));
    settle();
    peer.say(frames::rst_stream(1, http2::ErrorCode::cancel));
    settle();
  }
  settle();

  health_.set("", ServingStatus::not_serving);  // ASan sees one that was left
  settle();
}

// ---- many ---------------------------------------------------------------------------------------

std::size_t resident_memory(pid_t process) {
  std::ifstream statm("/proc/" + std::to_string(process) + "/statm");
  std::size_t total = 0;
  std::size_t resident = 0;
  statm >> total >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

/// A server in a process of its own, whose status changes and which stops when it is told to.
class ManyWatchers : public LogCheckedTest {
 protected:
  static constexpr int connections = 10;
  static constexpr int of_each = is_sanitized ? 100 : 1'000;
  static constexpr std::size_t most_of_one = 4'096;

  int serve() {
    Health health;
    Server server;
    server.add_service(health).listen("unix:" + folder_.file("s"));
    if (!server.start()) return 1;
    ready_.raise();
    change_.wait();
    health.set("", ServingStatus::not_serving);
    stop_.wait();
    server.stop();
    server.wait();
    return 0;
  }
  void greet_all() {
    for (int i = 0; i < connections; ++i) {
      peers_.push_back(std::make_unique<FramePeer>(folder_.file("s")));
      ASSERT_TRUE(peers_.back()->greet());
    }
  }
  void watch_all() {
    std::string calls;
    for (http2::StreamId id = 1; id < 2 * of_each; id += 2) {
      calls += frames::headers(id, frames::request_block("/grpc.health.v1.Health/Watch")) +
               frames::data(id, framed(""), frames::flag::end_stream);
    }
    for (const auto& peer : peers_)
      ASSERT_TRUE(peer->say(calls));
  }
  /// Waits until each has been told that often.
  void expect_told(std::size_t times) {
    constexpr std::size_t answer = 7;
    for (const auto& peer : peers_) {
      EXPECT_TRUE(peer->hear_until([&] {
        return peer->streams().size() == of_each &&
               std::ranges::all_of(peer->streams(), [&](const auto& stream) {
                 return stream.second.body.size() == times * answer;
               });
      }));
    }
  }

  TempDir folder_;
  ProcessSignal ready_;
  ProcessSignal change_;
  ProcessSignal stop_;
  ChildProcess server_{[this] { return serve(); }};
  std::vector<std::unique_ptr<FramePeer>> peers_;
};

TEST_F(ManyWatchers, OnTenConnectionsCostLittleAndAreAllTold) {
  ASSERT_TRUE(ready_.wait());
  ASSERT_NO_FATAL_FAILURE(greet_all());
  const std::size_t before = resident_memory(server_.pid());

  ASSERT_NO_FATAL_FAILURE(watch_all());
  expect_told(1);
  const std::size_t each = (resident_memory(server_.pid()) - before) / (connections * of_each);
  RecordProperty("bytes_of_a_watcher", static_cast<int>(each));
  if (!is_sanitized) {
    EXPECT_LE(each, most_of_one);
  }

  change_.raise();
  expect_told(2);
  stop_.raise();
  for (const auto& peer : peers_)
    EXPECT_TRUE(peer->hear_end());
  EXPECT_EQ(peers_.front()->stream(1).field("grpc-status"), "0");
  EXPECT_EQ(server_.wait(), 0);
}

}  // namespace
}  // namespace nearcall::test
