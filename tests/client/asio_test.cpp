// SPDX-License-Identifier: Apache-2.0
// What coroutines and functions of Asio get of our tasks (nearcall/asio.hpp).
#include <nearcall/asio.hpp>
#include <nearcall/wait.hpp>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/bind_executor.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/strand.hpp>
#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

namespace nearcall::inline v0 {
namespace {

using namespace std::chrono_literals;

Task<int> answer_soon() {
  co_await sleep_for(1ms);
  co_return 42;
}

Task<> throw_soon() {
  co_await sleep_for(1ms);
  throw std::runtime_error("thrown by a task");
}

Task<Status> never_answer() {
  co_await sleep_for(1h);
  co_return Status();
}

asio::awaitable<void> await_answer(asio::io_context& context, Result<int>& answer) {
  answer = co_await async_wait(answer_soon());
  context.stop();
}

using Strand = asio::strand<asio::io_context::executor_type>;

asio::awaitable<void> await_on_strand(asio::io_context& context,
                                      Strand strand,
                                      bool& is_on_strand) {
  const auto answer = co_await async_wait(answer_soon());
  is_on_strand = answer && strand.running_in_this_thread();
  context.stop();
}

asio::awaitable<void> catch_exception(asio::io_context& context, std::string& caught) {
  try {
    co_await async_wait(throw_soon(), asio::use_awaitable);
  } catch (const std::runtime_error& error) {
    caught = error.what();
  }
  context.stop();
}

/// Waits for never_answer(), until `signal` is emitted.
void await_cancellation(asio::io_context& context,
                        asio::cancellation_signal& signal,
                        std::optional<Status>& result) {
  const auto take = [&context, &result](std::exception_ptr, Status status) {
    result = std::move(status);
    context.stop();
  };
  async_wait(never_answer(),
             asio::bind_cancellation_slot(signal.slot(), asio::bind_executor(context, take)));
}

struct Asio : ::testing::Test {
  asio::cancellation_signal signal;
  asio::io_context context;
  EventLoop& loop = asio_loop(context);
  EventLoop::Binding binding{loop};
};

TEST_F(Asio, OwnsOneLoopForEachContext) {
  asio::io_context another;
  EXPECT_EQ(&asio_loop(context), &loop);
  EXPECT_NE(&asio_loop(another), &loop);
}

TEST_F(Asio, GivesAFunctionWhatTheTaskReturned) {
  Result<int> answer(Status::unknown("none yet"));
  const auto take = [this, &answer](std::exception_ptr thrown, Result<int> result) {
    EXPECT_FALSE(thrown);
    EXPECT_EQ(EventLoop::running(), nullptr) << "it is called outside of poll()";
    answer = std::move(result);
    context.stop();
  };
  async_wait(answer_soon(), asio::bind_executor(context, take));
  context.run();
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(*answer, 42);
}

TEST_F(Asio, ResumesACoroutineOnItsStrand) {
  const Strand strand = asio::make_strand(context);
  bool is_on_strand = false;
  asio::co_spawn(strand, await_on_strand(context, strand, is_on_strand), asio::detached);
  context.run();
  EXPECT_TRUE(is_on_strand);
}

TEST_F(Asio, ThrowsWhatLeftTheTaskInTheCoroutine) {
  std::string caught;
  asio::co_spawn(context, catch_exception(context, caught), asio::detached);
  context.run();
  EXPECT_EQ(caught, "thrown by a task");
}

TEST_F(Asio, CancelsATaskThatHasNotStarted) {
  std::optional<Status> result;
  await_cancellation(context, signal, result);
  signal.emit(asio::cancellation_type::terminal);
  context.run();
  ASSERT_TRUE(result);
  EXPECT_EQ(result->code(), StatusCode::cancelled);
}

TEST_F(Asio, LeavesATaskAloneWhereACancellationMayHaveNoEffect) {
  std::optional<Status> result;
  await_cancellation(context, signal, result);
  signal.emit(asio::cancellation_type::total);
  Result<int> answer(Status::unknown("none yet"));
  asio::co_spawn(context, await_answer(context, answer), asio::detached);
  context.run();  // until the other task has ended
  EXPECT_TRUE(answer.ok());
  EXPECT_FALSE(result);
}

TEST(AsioContext, MayGoWhileATaskIsAwaitedAndBeforeTheSignalIsEmitted) {
  asio::cancellation_signal signal;
  std::optional<Status> result;
  {
    asio::io_context context;
    const EventLoop::Binding binding(asio_loop(context));
    await_cancellation(context, signal, result);
    context.poll();
  }
  signal.emit(asio::cancellation_type::terminal);
  EXPECT_FALSE(result);
}

TEST_F(Asio, SaysThatAFunctionNeedsAnExecutor) {
  const auto take = [](std::exception_ptr, Result<int>) {};
  EXPECT_DEATH(async_wait(answer_soon(), take), "bind_executor");
}

}  // namespace
}  // namespace nearcall::inline v0
