// SPDX-License-Identifier: Apache-2.0
// For programs with Asio: an io_context's EventLoop, and what Asio's coroutines await of ours.
#pragma once

#include <nearcall/client.hpp>
#include <nearcall/event_loop.hpp>
#include <nearcall/result.hpp>
#include <nearcall/spawn.hpp>
#include <nearcall/status.hpp>
#include <nearcall/task.hpp>
#include <nearcall/task_scope.hpp>

#include <asio/associated_cancellation_slot.hpp>
#include <asio/associated_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/cancellation_type.hpp>
#include <asio/error.hpp>
#include <asio/error_code.hpp>
#include <asio/execution/context.hpp>
#include <asio/execution_context.hpp>
#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/post.hpp>
#include <asio/query.hpp>
#include <asio/use_awaitable.hpp>
#include <fcntl.h>

#include <cerrno>
#include <exception>
#include <memory>
#include <system_error>
#include <utility>

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0 {

namespace detail {

/// The EventLoop of an io_context. A service of it, as those end in two steps: shutdown() destroys
/// the waits, and with them the coroutines that wait; when the calls in their frames have gone too,
/// the destructor destroys the loop.
class AsioService final : public asio::execution_context::service {
 public:
  static inline asio::execution_context::id id;

  explicit AsioService(asio::execution_context& context)
      : service(context), readable_(static_cast<asio::io_context&>(context)) {
    if (const Result<void> opened = loop_.open(); !opened) {
      throw std::system_error(std::make_error_code(std::errc::too_many_files_open),
                              opened.error().message());
    }
    const int copy = ::fcntl(loop_.fd(), F_DUPFD_CLOEXEC, 3);  // Asio closes it
    if (copy < 0) throw std::system_error(errno, std::system_category(), "asio_loop(): fcntl");
    readable_.assign(copy);
    poll_when_readable();
  }

  EventLoop& loop() noexcept { return loop_; }

  template <class T, class Handler>
  void wait(Task<T> task, Handler handler) {
    const auto awaited = std::make_shared<JoinHandle<T>>(scope_.spawn(std::move(task)));
    auto slot = asio::get_associated_cancellation_slot(handler);
    if (slot.is_connected()) {
      slot.assign([awaited](asio::cancellation_type type) {
        // Not `total`, which asks for no effect at all: the server may have begun.
        constexpr auto accepted =
            asio::cancellation_type::terminal | asio::cancellation_type::partial;
        if ((type & accepted) != asio::cancellation_type::none) awaited->cancel();
      });
    }
    scope_.spawn(complete(awaited, std::move(handler)));
  }

 private:
  template <class T, class Handler>
  static Task<void> complete(std::shared_ptr<JoinHandle<T>> awaited, Handler handler) {
    typename Joined<T>::type result(Status::unknown("the task ended with an exception"));
    std::exception_ptr thrown;
    try {
      result = co_await awaited->join();
    } catch (...) {
      thrown = std::current_exception();
    }
    asio::get_associated_cancellation_slot(handler).clear();
    const auto executor = asio::get_associated_executor(handler);
    asio::post(executor,
               [handler = std::move(handler), thrown, result = std::move(result)]() mutable {
                 std::move(handler)(thrown, std::move(result));  // outside of poll()
               });
  }

  void poll_when_readable() {
    readable_.async_wait(readable_.wait_read, [this](const asio::error_code& error) {
      if (error == asio::error::operation_aborted) return;  // by shutdown()
      if (error) throw std::system_error(error, "asio_loop()");
      loop_.poll();
      poll_when_readable();
    });
  }

  void shutdown() override {
    scope_.cancel();
    asio::error_code ignored;
    readable_.close(ignored);
  }

  EventLoop loop_;
  TaskScope scope_{loop_};
  asio::posix::stream_descriptor readable_;
};

template <class Handler>
AsioService& asio_service_of(const Handler& handler) {
  asio::execution_context& context =
      asio::query(asio::get_associated_executor(handler), asio::execution::context);
  if (!asio::has_service<AsioService>(context)) {
    fail_precondition(
        "async_wait(): the executor is not of an io_context that asio_loop() was called with; a "
        "function gets one by asio::bind_executor()");
  }
  return asio::use_service<AsioService>(context);
}

template <class Reply>
Task<Result<Reply>> take_reply(AsyncUnaryCall<Reply> call) {
  Result<Reply> reply = co_await call;
  co_return reply;
}

}  // namespace detail

/// The EventLoop that `context` owns and drives, for servers and channels without a thread of their
/// own. It is made by the first call, and goes when all that waits in the context has been
/// destroyed. From then on context.run() returns only after context.stop(), as there is always
/// something to wait for. Throws std::system_error if the process is short of descriptors.
///
///     asio::io_context context;
///     EventLoop& loop = asio_loop(context);
///     const EventLoop::Binding binding(loop);
///
/// Thread safety: one thread runs the context, and binds the loop.
inline EventLoop& asio_loop(asio::io_context& context) {
  return asio::use_service<detail::AsioService>(static_cast<asio::execution_context&>(context))
      .loop();
}

/// An asynchronous operation of Asio: runs `task` on the context's loop. It completes as
/// asio::co_spawn() does, with the exception that left the task, or none, and what
/// JoinHandle::join() gives: a Result<T>, or what the task returns if that is a Result or a Status.
/// Cancelled by Asio (`terminal`, `partial`), the task is destroyed where it waits and the result
/// is CANCELLED. It completes by a post(), so outside of EventLoop::poll().
///
///     Result<int> words = co_await async_wait(count_words(file), asio::use_awaitable);
///
/// REQUIRES: the executor of the token is of an io_context that asio_loop() was called with (that
/// of a coroutine is; a function has it by asio::bind_executor()); on the thread of that loop.
template <class T, class Token = asio::use_awaitable_t<>>
auto async_wait(Task<T> task, Token&& token = Token()) {
  return asio::async_initiate<Token, void(std::exception_ptr, typename detail::Joined<T>::type)>(
      [](auto handler, Task<T> awaited) {
        detail::AsioService& service = detail::asio_service_of(handler);
        service.wait(std::move(awaited), std::move(handler));
      },
      token, std::move(task));
}

/// The same for a unary call, which completes with its result:
///
///     Result<HelloReply> reply = co_await async_wait(greeter.SayHelloAsync(request));
template <class Reply, class Token = asio::use_awaitable_t<>>
auto async_wait(AsyncUnaryCall<Reply> call, Token&& token = Token()) {
  return async_wait(detail::take_reply(std::move(call)), std::forward<Token>(token));
}

}  // namespace nearcall::inline v0

#pragma GCC visibility pop
