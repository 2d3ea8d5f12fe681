// SPDX-License-Identifier: Apache-2.0
// A server and a client in Asio's io_context, whose coroutines await calls, and cancel them.
#include "guest.hpp"

#include <nearcall/asio.hpp>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>

#include <cstdio>
#include <exception>

using nearcall::Result;
using nearcall::Status;
using nearcall::Task;

/// A stream is read in a task of ours.
Task<Result<int>> count_replies(greet::Greeter::Client& greeter) {
  greet::RepeatRequest request;
  request.set_times(3);
  auto call = greeter.RepeatAsync(request);
  greet::HelloReply reply;
  int count = 0;
  while (co_await call.read(reply)) {
    ++count;
  }
  const Status status = co_await call.finish();
  if (!status.ok()) co_return status;
  co_return count;
}

asio::awaitable<bool> greet_and_count(greet::Greeter::Client& greeter) {
  greet::HelloRequest request;
  request.set_name("Ada");
  const auto reply = co_await async_wait(greeter.SayHelloAsync(request), asio::use_awaitable);
  if (reply) std::printf("%s\n", reply->message().c_str());
  const auto count = co_await async_wait(count_replies(greeter), asio::use_awaitable);
  co_return reply&& count && reply->message() == "hello Ada" && *count == 3;
}

/// Until somebody cancels this coroutine, and so the call that it awaits.
asio::awaitable<bool> greet_slowly(greet::Greeter::Client& greeter) {
  const greet::HelloRequest request;
  const auto reply = co_await async_wait(greeter.SayHelloSlowlyAsync(request), asio::use_awaitable);
  std::printf("slowly: %s\n", reply ? "answered" : reply.error().to_string().c_str());
  co_return !reply && reply.error().code() == nearcall::StatusCode::cancelled;
}

int main(int argc, char** argv) {
  if (argc != 2) return usage(argv[0]);
  const int threads = count_threads();
  asio::cancellation_signal cancel_button;
  asio::io_context context;
  nearcall::EventLoop& loop = nearcall::asio_loop(context);
  const nearcall::EventLoop::Binding binding(loop);

  GreeterService service;
  nearcall::Server server(loop);
  server.add_service(service).listen(argv[1]);
  if (const auto started = server.start(); !started) return report(started.error());
  nearcall::Channel channel(argv[1]);
  greet::Greeter::Client greeter(channel);

  int right_answers = 0;
  const auto take = [&context, &right_answers](std::exception_ptr thrown, bool is_right) {
    if (thrown) std::rethrow_exception(thrown);
    if (is_right) ++right_answers;
    if (!is_right || right_answers == 3) context.stop();
  };
  asio::co_spawn(context, greet_slowly(greeter),
                 asio::bind_cancellation_slot(cancel_button.slot(), take));
  asio::co_spawn(context, greet_and_count(greeter),
                 [&cancel_button, take](std::exception_ptr thrown, bool is_right) {
                   cancel_button.emit(asio::cancellation_type::terminal);
                   take(thrown, is_right);
                 });
  const greet::HelloRequest request;
  greeter.SayHelloAsync(request).on_done(
      [take](const Result<greet::HelloReply>& reply) { take(nullptr, reply.ok()); });
  // This one still waits when all the others are done, and goes with the context.
  asio::co_spawn(context, greet_slowly(greeter), asio::detached);

  context.run();
  return right_answers == 3 && count_threads() == threads ? 0 : 1;
}
