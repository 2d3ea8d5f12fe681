// SPDX-License-Identifier: Apache-2.0
// What a loop has of a backend: found without asking the backend, kept as long as it is needed.
#include "client/loop_backend.hpp"

#include "client/script_methods.hpp"
#include "support/log_capture.hpp"

#include <nearcall/event_loop.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace nearcall::inline v0::detail {
namespace {

class LoopBackendTest : public test::LogCheckedTest {
 protected:
  static std::shared_ptr<Backend> make() {
    return std::make_shared<Backend>("unix:/nobody", ChannelOptions());
  }
};

TEST_F(LoopBackendTest, IsTheSameOneEachTimeAndAnotherOneForEachLoopAndBackend) {
  EventLoop loop;
  EventLoop other_loop;
  const std::shared_ptr<Backend> backend = make();
  const std::shared_ptr<Backend> other_backend = make();

  LoopBackend& first = LoopBackend::of(*backend, Access::core(loop));

  EXPECT_EQ(&LoopBackend::of(*backend, Access::core(loop)), &first);
  EXPECT_NE(&LoopBackend::of(*other_backend, Access::core(loop)), &first);
  EXPECT_NE(&LoopBackend::of(*backend, Access::core(other_loop)), &first);
}

TEST_F(LoopBackendTest, KeepsItsBackendUntilThatIsDrainedAndTheLoopTurned) {
  EventLoop loop;
  std::shared_ptr<Backend> backend = make();
  const std::weak_ptr<Backend> watched = backend;
  LoopBackend::of(*backend, Access::core(loop));

  backend->drain();
  backend.reset();
  EXPECT_FALSE(watched.expired());
  loop.poll();

  EXPECT_TRUE(watched.expired());
}

TEST_F(LoopBackendTest, GoesWithItsLoopWhetherItsBackendWasDrainedOrNot) {
  for (const bool is_draining : {false, true}) {
    auto loop = std::make_unique<EventLoop>();
    std::shared_ptr<Backend> backend = make();
    const std::weak_ptr<Backend> watched = backend;
    LoopBackend::of(*backend, Access::core(*loop));
    if (is_draining) backend->drain();
    backend.reset();

    loop.reset();

    EXPECT_TRUE(watched.expired());
  }
}

TEST_F(LoopBackendTest, PlacesOfBackendsThatWentAreUsedAgain) {
  EventLoop loop;
  const std::size_t before = make()->slot();
  for (int i = 0; i < 100; ++i) {
    std::shared_ptr<Backend> backend = make();
    EXPECT_LE(backend->slot(), before);
    LoopBackend::of(*backend, Access::core(loop));
    backend->drain();
    backend.reset();
    loop.poll();
  }
}

Task<void> call_beyond_the_channel(std::unique_ptr<Channel> channel, bool& was_answered) {
  auto stub = std::make_unique<ClientStub>(*channel, test::test_methods);
  auto call =
      stub->unary_async<test::Text>(test::unary_method, test::text_of("a"), test::patient());
  stub.reset();
  channel.reset();
  const Result<test::Text> reply = co_await call;
  was_answered = reply.ok();
}

TEST_F(LoopBackendTest, ACallThatRunsGoesOnWhenItsClientAndItsChannelGo) {
  test::ScriptedServer server({[](test::SessionPeer& peer) {
    http2::Stream* const refused = peer.next_call();
    ASSERT_NE(refused, nullptr);
    peer.reset(*refused, http2::ErrorCode::refused_stream);  // and is repeated
    EXPECT_TRUE(peer.answer_all("reply"));
  }});
  bool was_answered = false;

  sync_wait(
      call_beyond_the_channel(std::make_unique<Channel>("mine", server.options()), was_answered));

  EXPECT_TRUE(was_answered);
}

TEST_F(LoopBackendTest, CloseIdleClosesTheConnectionOfALoopInItsNextTurn) {
  test::ScriptedServer server({[](test::SessionPeer& peer) {
    EXPECT_TRUE(peer.answer_all("reply"));  // until the client goes
  }});
  const Channel channel("mine", server.options());
  const ClientStub stub(channel, test::test_methods);
  EventLoop loop;
  const EventLoop::Binding binding(loop);
  const auto call = [&stub]() -> Task<Result<test::Text>> {
    return [](const ClientStub& to) -> Task<Result<test::Text>> {
      auto made =
          to.unary_async<test::Text>(test::unary_method, test::text_of("a"), test::patient());
      co_return co_await made;
    }(stub);
  };

  EXPECT_TRUE(sync_wait(call()).ok());
  EXPECT_TRUE(sync_wait(call()).ok());
  EXPECT_EQ(server.connection_count(), 1U);
  channel.close_idle();
  channel.close_idle();
  loop.poll();
  EXPECT_TRUE(sync_wait(call()).ok());

  EXPECT_EQ(server.connection_count(), 2U);
}

}  // namespace
}  // namespace nearcall::inline v0::detail
