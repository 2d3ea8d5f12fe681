// SPDX-License-Identifier: Apache-2.0
// ServerCore: connections are spread over the loops, and all loops drain before it is over.
#include "server/server_core.hpp"

#include "server/wrapper_service.hpp"
#include "support/io.hpp"
#include "support/session_peer.hpp"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace nearcall::test {

namespace http2 = detail::http2;
namespace {

class ServerCoreTest : public WrapperServerTest {
 protected:
  /// Has each call note the thread that it ran on.
  void note_threads() {
    service_.on_echo = [this](ServerContext&, const Text& request) -> Result<Text> {
      const std::lock_guard lock(mutex_);
      ++calls_on_[std::this_thread::get_id()];
      return request;
    };
  }

  std::mutex mutex_;
  std::map<std::thread::id, int> calls_on_;
};

TEST_F(ServerCoreTest, SpreadsConnectionsEvenlyOverItsLoops) {
  note_threads();
  start(ServerOptions().threads(3));
  std::list<SessionPeer> clients;
  for (int i = 0; i < 6; ++i) {
    SessionPeer& client = clients.emplace_back(path());
    ASSERT_TRUE(client.call(SessionPeer::request_to("/test.Wrapper/Echo"), framed(Text())));
  }

  EXPECT_EQ(calls_on_.size(), 3U);
  EXPECT_TRUE(std::ranges::all_of(calls_on_, [](const auto& of) { return of.second == 2; }));
  EXPECT_FALSE(calls_on_.contains(std::this_thread::get_id()));
}

TEST_F(ServerCoreTest, AConnectionStaysOnItsLoop) {
  note_threads();
  start(ServerOptions().threads(4));
  SessionPeer client(path());
  for (int i = 0; i < 5; ++i)
    ASSERT_TRUE(client.call(SessionPeer::request_to("/test.Wrapper/Echo"), framed(Text())));

  EXPECT_EQ(calls_on_.size(), 1U);
}

TEST_F(ServerCoreTest, IdleLoopsDoNotHoldUpTheStop) {
  start(ServerOptions().threads(4));
  SessionPeer only(path());
  ASSERT_TRUE(only.call(SessionPeer::request_to("/test.Wrapper/Echo"), framed(Text())));

  server_->stop();
  server_->wait();

  EXPECT_EQ(only.read_to_the_end(), http2::ErrorCode::no_error);
}

TEST_F(ServerCoreTest, CallsOfThoseThatWaitToBeAcceptedWhenTheStopBeginsAreServed) {
  std::promise<void> go_on;
  service_.on_echo = [&go_on](ServerContext&, const Text& request) -> Result<Text> {
    if (request.value() == "hold") go_on.get_future().wait();
    return request;
  };
  start(ServerOptions().threads(2).busy_handler_warning(std::chrono::hours(1)));
  SessionPeer holder(path());
  const SessionPeer::Fields echo = SessionPeer::request_to("/test.Wrapper/Echo");
  http2::Stream& held = holder.open(echo);
  holder.send(held, framed(text_of("hold")), /*end_stream=*/true);
  ASSERT_TRUE(service_.started.wait_for(1)) << "on the first loop, which accepts nobody now";
  std::list<std::pair<SessionPeer, http2::Stream*>> waiting;
  for (int i = 0; i < 6; ++i) {
    auto& [client, stream] = waiting.emplace_back(path(), nullptr);
    stream = &client.open(echo);
    client.send(*stream, framed(text_of("late")), /*end_stream=*/true);
  }

  server_->stop();
  go_on.set_value();

  EXPECT_TRUE(holder.answer_to(held));
  for (auto& [client, stream] : waiting) {
    const auto answer = client.answer_to(*stream);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->body, framed(text_of("late")));
    EXPECT_EQ(client.read_to_the_end(), http2::ErrorCode::no_error);
  }
  server_->wait();
}

TEST_F(ServerCoreTest, APlaceInTheQuotaComesBackWhenItsClientGoes) {
  start(ServerOptions().max_connections(1));
  {
    SessionPeer first(path());
    http2::Stream& call = first.open(SessionPeer::request_to("/test.Wrapper/Hold"));
    first.send(call, framed(Text()), /*end_stream=*/true);
    ASSERT_TRUE(service_.started.wait_for(1));
    const std::unique_ptr<Transport> second = connect_raw(path());
    EXPECT_EQ(read_exactly(*second, 1), "") << "closed at accept";
    EXPECT_TRUE(log_capture().take("beyond the limit of connections"));
  }
  log_capture().allow("beyond the limit of connections");  // the server may see the end of it late

  bool was_served = false;
  for (int attempt = 0; attempt < 1000 && !was_served; ++attempt)
    was_served = call(WrapperService::echo, "next").ok();
  EXPECT_TRUE(was_served);
}

TEST(ServerCore, RemembersTheFirstError) {
  detail::ServerCore core(nullptr, ServerOptions());
  EXPECT_TRUE(core.first_error().ok());

  core.remember(Status(StatusCode::unavailable, "first"));
  core.remember(Status(StatusCode::internal, "second"));

  EXPECT_EQ(core.first_error().message(), "first");
}

TEST_F(ServerCoreTest, AServerThatListensNowhereDoesNotStart) {
  Server server;

  const Result<void> started = server.start();

  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code(), StatusCode::failed_precondition);
  EXPECT_NE(started.error().message().find("listens nowhere"), std::string::npos);
  EXPECT_EQ(server.run(), 1);
  EXPECT_TRUE(log_capture().take("listens nowhere"));
}

TEST_F(ServerCoreTest, KeepsAServiceThatItIsGivenAndNamesIt) {
  Server server;
  server.add_service(std::make_unique<WrapperService>());
  server.listen(target());
  ASSERT_TRUE(server.start());
  SessionPeer client(path());

  EXPECT_EQ(server.services(), std::vector<std::string>{"test.Wrapper"});
  EXPECT_TRUE(client.call(SessionPeer::request_to("/test.Wrapper/Echo"), framed(Text())));
}

/// While it lives the process gets no thread: each would need a stack that nobody has.
class NoThreads {
 public:
  NoThreads() {
    pthread_attr_t attributes;
    EXPECT_EQ(::pthread_getattr_default_np(&attributes), 0);
    EXPECT_EQ(::pthread_attr_getstacksize(&attributes, &usual_), 0);
    set(std::size_t{1} << 46);
    ::pthread_attr_destroy(&attributes);
  }
  NoThreads(const NoThreads&) = delete;
  NoThreads& operator=(const NoThreads&) = delete;
  ~NoThreads() { set(usual_); }

 private:
  static void set(std::size_t stack_size) {
    pthread_attr_t attributes;
    EXPECT_EQ(::pthread_getattr_default_np(&attributes), 0);
    EXPECT_EQ(::pthread_attr_setstacksize(&attributes, stack_size), 0);
    EXPECT_EQ(::pthread_setattr_default_np(&attributes), 0);
    ::pthread_attr_destroy(&attributes);
  }

  std::size_t usual_ = 0;
};

TEST_F(ServerCoreTest, WithoutThreadsItDoesNotStartAndMayBeStartedLater) {
  Server server(ServerOptions().threads(2));
  server.add_service(service_).listen("unix:" + path());
  {
    const NoThreads none;
    const Result<void> started = server.start();
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().code(), StatusCode::resource_exhausted);
    EXPECT_EQ(started.error().reason(), StatusReason::system_limit);
  }

  ASSERT_TRUE(server.start());

  SessionPeer client(path());
  EXPECT_TRUE(client.call(SessionPeer::request_to("/test.Wrapper/Echo"), framed(Text())));
}

TEST_F(ServerCoreTest, MayBeDestroyedWhileItsLoopsAreThroughWithTheirDrain) {
  for (int i = 0; i < 50; ++i) {
    Server server(ServerOptions().threads(2));
    server.add_service(service_).listen("unix:" + path());
    ASSERT_TRUE(server.start());
    server.stop();
  }
}

}  // namespace
}  // namespace nearcall::test
