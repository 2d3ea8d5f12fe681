// SPDX-License-Identifier: Apache-2.0
// CallStage: what happens between a request's headers and its handler.
#include "server/call_stage.hpp"

#include "server/manual_server.hpp"
#include "server/server_core.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>

namespace nearcall::test {

namespace http2 = detail::http2;
namespace {

using http2::ErrorCode;
using http2::FrameType;

/// Throws instead of giving a task: pass() need be no coroutine.
class ThrowingStage final : public detail::CallStage {
  Task<Status> pass(ServerContext& /*call*/) override {
    throw std::runtime_error("the secret reason");
  }
};

/// Answers when the test lets it.
class TestStage final : public detail::CallStage {
 public:
  void go_on() { go_.request_stop(); }

  Status answer;
  bool throws = false;
  int asked = 0;
  int gone = 0;
  int told_of_cancellation = 0;
  std::string method;

 private:
  struct Guard {
    int* count;
    ~Guard() { ++*count; }
  };

  Task<Status> pass(ServerContext& call) override {
    const Guard guard{&gone};
    ++asked;
    method = call.method();
    const std::stop_token cancelled = call.cancellation();
    co_await detail::StopAwaiter(go_.get_token());
    if (cancelled.stop_requested()) ++told_of_cancellation;
    if (throws) throw std::runtime_error("the secret reason");
    co_return answer;
  }

  std::stop_source go_;
};

class CallStageTest : public LogCheckedTest, protected ManualLoop {
 protected:
  CallStageTest() {
    service_.on_echo = [this](ServerContext&, const Text& request) -> Result<Text> {
      ++begun_;
      return request;
    };
    service_.on_chat = [this](Text&) { ++begun_; };
    core_.emplace(&loop_, ServerOptions());
    core_->shared().registry().add(service_);
    core_->shared().set_stage(&stage_);
    Result<std::unique_ptr<Listener>> listener = make_listener("unix:" + path_);
    EXPECT_TRUE(listener);
    EXPECT_TRUE(core_->listen(*std::move(listener), PeerPolicy::same_user_or_root()));
    EXPECT_TRUE(core_->start());
    settle();
    peer_.emplace(path_, FramePeer::passive);
    peer_->say_hello();
    settle();
  }

  void goes_on() {
    stage_.go_on();
    settle();
  }
  std::string status_of(http2::StreamId id) {
    peer_->listen();
    return peer_->stream(id).field("grpc-status");
  }

  TempDir folder_;
  const std::string path_ = folder_.file("s");
  WrapperService service_;
  TestStage stage_;
  int begun_ = 0;
  std::optional<detail::ServerCore> core_;
  std::optional<FramePeer> peer_;
};

TEST_F(CallStageTest, TheHandlerBeginsOnceTheStageLetsIt) {
  peer_->ask_whole(1, echo);
  settle();
  EXPECT_EQ(stage_.asked, 1);
  EXPECT_EQ(stage_.method, echo);
  EXPECT_EQ(begun_, 0);

  goes_on();

  EXPECT_EQ(begun_, 1);
  EXPECT_EQ(peer_->heard_on(1).size(), 3U) << "headers, the reply, trailers";
  EXPECT_EQ(stage_.gone, 1);
}

TEST_F(CallStageTest, AStageThatDoesNotWaitHoldsNothingUp) {
  stage_.go_on();
  peer_->ask(1, echo);
  settle();
  EXPECT_EQ(begun_, 0) << "the request is not whole";

  peer_->say(frames::data(1, framed(text_of("a")), frames::flag::end_stream));
  settle();

  EXPECT_EQ(begun_, 1);
}

TEST_F(CallStageTest, WhatComesMeanwhileIsReadByTheHandler) {
  peer_->ask(1, chat);
  for (int i = 0; i < 3; ++i)
    peer_->say(frames::data(1, framed(text_of("a"))));
  settle();
  EXPECT_EQ(begun_, 0);

  goes_on();

  EXPECT_EQ(begun_, 3);
}

TEST_F(CallStageTest, WhatItRefusesIsAnsweredAndNeverBegins) {
  stage_.answer = Status::permission_denied("not you");
  for (const std::string_view method : {echo, chat})
    peer_->ask_whole(method == echo ? 1 : 3, method, text_of("a"));
  settle();

  goes_on();

  EXPECT_EQ(begun_, 0);
  EXPECT_EQ(status_of(1), "7");
  EXPECT_EQ(status_of(3), "7");
}

TEST_F(CallStageTest, ACallThatIsCancelledMeanwhileNeverBegins) {
  peer_->ask_whole(1, echo);
  settle();
  peer_->say(frames::rst_stream(1, ErrorCode::cancel));
  settle();

  goes_on();

  EXPECT_EQ(stage_.told_of_cancellation, 1);
  EXPECT_EQ(begun_, 0);
  EXPECT_TRUE(peer_->heard_on(1).empty());
}

TEST_F(CallStageTest, OneThatThrowsIsUnknownToTheClientAndTextInTheLog) {
  stage_.throws = true;
  peer_->ask_whole(1, echo);
  settle();

  goes_on();

  EXPECT_EQ(status_of(1), "2");
  EXPECT_EQ(begun_, 0);
  EXPECT_TRUE(log_capture().take("the secret reason"));
}

TEST_F(CallStageTest, OneThatThrowsBeforeItIsACoroutineIsUnknownToo) {
  ThrowingStage throwing;
  core_->shared().set_stage(&throwing);
  for (const std::string_view method : {echo, chat})
    peer_->ask_whole(method == echo ? 1 : 3, method, text_of("a"));

  settle();

  EXPECT_EQ(status_of(1), "2");
  EXPECT_EQ(status_of(3), "2");
  EXPECT_EQ(begun_, 0);
  for (int call = 0; call < 2; ++call)
    EXPECT_TRUE(log_capture().take("the secret reason"));
}

TEST_F(CallStageTest, OneThatWaitsGoesWithTheServer) {
  peer_->ask_whole(1, echo);
  settle();

  core_.reset();

  EXPECT_EQ(stage_.gone, 1);
  EXPECT_EQ(begun_, 0);
}

}  // namespace
}  // namespace nearcall::test
