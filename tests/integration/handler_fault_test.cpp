// SPDX-License-Identifier: Apache-2.0
// Handlers that throw, that are late, and that occupy their thread.
#include "integration/echo_frames.hpp"
#include "integration/echo_server.hpp"

#include <chrono>
#include <thread>

namespace nearcall::test {

namespace http2 = detail::http2;
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
namespace flag = http2::frame_flag;

class HandlerFault : public EchoServerTest {
 protected:
  /// Releases the thread of a handler, which has then held its thread for longer than goes
  /// unnoticed.
  void release_thread() {
    EXPECT_TRUE(service_.started.reaches(1));
    const auto until = Clock::now() + 150ms;
    while (Clock::now() < until)
      std::this_thread::yield();
    service_.released.add();
  }
  /// A request as a peer with a deadline and no clock of its own sends it.
  static std::string with_timeout(std::string_view path,
                                  std::string_view timeout,
                                  const EchoRequest& request) {
    return frames::headers(1, frames::block({{":method", "POST"},
                                             {":scheme", "http"},
                                             {":path", path},
                                             {"te", "trailers"},
                                             {"content-type", "application/grpc"},
                                             {"grpc-timeout", timeout}})) +
           frames::data(1, framed(request.SerializeAsString()), flag::end_stream);
  }
};

TEST_F(HandlerFault, ThatThrowsIsUnknownAndALogLineWithMethodAndCause) {
  EchoRequest request;
  request.set_throw_exception(true);

  const Result<EchoReply> reply = echo_.Unary(request, CallOptions().timeout(10s));

  EXPECT_EQ(reply.status().code(), StatusCode::unknown);
  EXPECT_EQ(reply.status().message().find("as the test asked"), std::string::npos)
      << "what was thrown is nobody else's business";
  EXPECT_TRUE(log_.take("/nearcall.test.Echo/Unary: the handler threw: as the test asked"));
  EXPECT_TRUE(echo_.Unary(request_of("next"), CallOptions().timeout(10s)).ok());
}

TEST_F(HandlerFault, ThatIsLateWhileItWaitsIsAnsweredOnTimeByTheServer) {
  EchoRequest waiting;
  waiting.set_wait_for_cancel(true);
  for (const std::string_view path :
       {std::string_view(unary_path), std::string_view(expand_path)}) {
    FramePeer peer(folder_.file("echo.sock"));
    ASSERT_TRUE(peer.greet());
    const auto begin = Clock::now();

    peer.say(with_timeout(path, "50m", waiting));
    const HeardStream& answer = peer.hear(1);

    const auto took = Clock::now() - begin;
    EXPECT_EQ(answer.field("grpc-status"), "4") << path;
    EXPECT_GE(took, 50ms) << path;
    EXPECT_LT(took, 2s) << path;
  }
  EXPECT_TRUE(service_.cancelled.reaches(2));
}

TEST_F(HandlerFault, ThatOccupiesItsThreadIsLateForTheServerButNotForTheClient) {
  EchoRequest request;
  request.set_hold_thread(true);
  const auto begin = Clock::now();

  const Result<EchoReply> reply = echo_.Unary(request, CallOptions().timeout(300ms));

  const auto took = Clock::now() - begin;
  release_thread();
  EXPECT_EQ(reply.status().code(), StatusCode::deadline_exceeded);
  EXPECT_GE(took, 300ms);
  EXPECT_LT(took, 5s);
  EXPECT_TRUE(echo_.Unary(request_of("next"), CallOptions().timeout(20s)).ok());
  EXPECT_TRUE(log_.take("/nearcall.test.Echo/Unary")) << "it is logged with its method";
}

Task<void> await_late(const Echo::Client& echo, Clock::duration* took) {
  EchoRequest request;
  request.set_hold_thread(true);
  const auto begin = Clock::now();
  const Result<EchoReply> reply = co_await echo.UnaryAsync(request, CallOptions().timeout(300ms));
  *took = Clock::now() - begin;
  EXPECT_EQ(reply.status().code(), StatusCode::deadline_exceeded);
}

TEST_F(HandlerFault, ThatOccupiesItsThreadIsNotLateForALoopOfTheClient) {
  Clock::duration took{};

  sync_wait(await_late(echo_, &took));

  release_thread();
  EXPECT_GE(took, 300ms);
  EXPECT_LT(took, 5s);
  EXPECT_TRUE(echo_.Unary(request_of("next"), CallOptions().timeout(20s)).ok());
  EXPECT_TRUE(log_.take("/nearcall.test.Echo/Unary"));
}

}  // namespace
}  // namespace nearcall::test
