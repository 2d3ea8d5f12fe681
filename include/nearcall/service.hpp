// SPDX-License-Identifier: Apache-2.0
// Service: what generated services derive from, and how their handlers are run.
#pragma once

#include <nearcall/method.hpp>
#include <nearcall/result.hpp>
#include <nearcall/resume_on.hpp>
#include <nearcall/server_context.hpp>
#include <nearcall/spawn.hpp>
#include <nearcall/sync_wait.hpp>
#include <nearcall/task.hpp>
#include <nearcall/wait.hpp>

#include <google/protobuf/arena.h>
#include <google/protobuf/message_lite.h>

#include <cstddef>
#include <initializer_list>
#include <memory>
#include <new>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0 {

class Service;

namespace detail {

/// Moves a reply to the heap.
using MoveReply = std::unique_ptr<google::protobuf::MessageLite>(google::protobuf::MessageLite&);

/// The part of a server call that the handlers below drive.
class HandlerCall {
 public:
  virtual ServerContext& context() noexcept = 0;
  virtual MessageStream& stream() noexcept = 0;
  /// Parses the one request of a unary or server-streaming call. False: it was answered already.
  virtual bool take_request(google::protobuf::MessageLite& into) = 0;
  /// Answers with the one reply and OK. A large one is moved to where it stays until it is sent; a
  /// null `move`: it lies on the call's arena, which is kept.
  virtual void finish(google::protobuf::MessageLite& reply, MoveReply* move) = 0;
  /// Answers with a status.
  virtual void finish(const Status& status) = 0;
  /// The handler threw: UNKNOWN, and a line in the log.
  virtual void finish_thrown() noexcept = 0;
  /// The handler has returned: the call may go once it was answered. Last use of the call.
  virtual void handler_returned() noexcept = 0;
  /// Runs `go_on` on the call's loop. Last use of the call on another thread.
  virtual void continue_on_loop(void (*go_on)(HandlerCall&) noexcept) noexcept = 0;
  /// Where the handler belongs.
  TaskHome& home() noexcept { return home_; }

  /// Keeps the running handler and its stream ends.
  static constexpr std::size_t storage_size = 8 * sizeof(void*);
  void* storage() noexcept { return storage_; }

 protected:
  explicit HandlerCall(LoopCore& loop) noexcept : home_(loop) {}
  ~HandlerCall() = default;

 private:
  TaskHome home_;
  alignas(std::max_align_t) std::byte storage_[storage_size];
};

/// The reply of a handler that was given one to fill, on its call's arena.
class ReplyOnArena {
 public:
  void set(google::protobuf::MessageLite& reply) noexcept { reply_ = &reply; }
  google::protobuf::MessageLite& get() const noexcept { return *reply_; }

 private:
  friend Access;
  explicit ReplyOnArena(MessageStream& /*stream*/) noexcept {}

  google::protobuf::MessageLite* reply_ = nullptr;
};

/// Starts a handler in `call`, or answers it.
using StartHandler = void (*)(Service& service, HandlerCall& call);

/// One method of a service and what runs it.
struct MethodHandler {
  Method method;
  StartHandler start;
  /// Destroys the handler where it waits. REQUIRES: it was started and has not returned.
  void (*destroy)(HandlerCall& call) noexcept;
};

/// A running handler that ends with a `Reply` or a Status, and whatever it needs to live.
template <class Outcome, class... Ends>
class RunningHandler {
 public:
  /// Runs the task that `invoke(RunningHandler&)` makes.
  template <class Invoke>
  static void start(HandlerCall& call, Invoke&& invoke) {
    static_assert(sizeof(RunningHandler) <= HandlerCall::storage_size);
    RunningHandler& self = *::new (call.storage()) RunningHandler(call);
    try {
      self.task_ = invoke(self);
    } catch (...) {  // a handler that is no coroutine
      call.finish_thrown();
      self.~RunningHandler();
      return call.handler_returned();
    }
    detail::start(self.task_, &RunningHandler::on_done, &call, &call.home());
  }
  static RunningHandler& of(HandlerCall& call) noexcept {
    return *std::launder(reinterpret_cast<RunningHandler*>(call.storage()));
  }
  static void destroy(HandlerCall& call) noexcept { of(call).~RunningHandler(); }

  template <class End>
  End& end() noexcept {
    return static_cast<Holder<End>&>(ends_).end;
  }

 private:
  template <class End>
  struct Holder {
    explicit Holder(MessageStream& stream) noexcept : end(Access::make<End>(stream)) {}
    End end;
  };
  struct EndSet : Holder<Ends>... {
    explicit EndSet([[maybe_unused]] MessageStream& stream) noexcept : Holder<Ends>(stream)... {}
  };

  explicit RunningHandler(HandlerCall& call) : ends_(call.stream()) {}

  static void on_done(void* argument) noexcept {
    auto& call = *static_cast<HandlerCall*>(argument);
    if (!call.home().is_here()) return call.continue_on_loop(&RunningHandler::complete);
    complete(call);
  }
  static void complete(HandlerCall& call) noexcept {
    RunningHandler& self = of(call);
    if (detail::has_thrown(self.task_)) {
      self.answer_exception(call);
    } else {
      Outcome&& outcome = Access::handle(self.task_).promise().take();
      self.answer(call, outcome);  // where it lies
      self.~RunningHandler();
    }
    call.handler_returned();
  }
  void answer_exception(HandlerCall& call) noexcept {
    try {
      static_cast<void>(detail::take_result(task_));
    } catch (...) {
      call.finish_thrown();
    }
    this->~RunningHandler();
  }
  template <class Reply>
  void answer(HandlerCall& call, Result<Reply>& outcome) {
    if (outcome) {
      call.finish(*outcome, &move_reply<Reply>);
    } else {
      call.finish(outcome.error());
    }
  }
  template <class Reply>
  static std::unique_ptr<google::protobuf::MessageLite> move_reply(
      google::protobuf::MessageLite& reply) {
    return std::make_unique<Reply>(std::move(static_cast<Reply&>(reply)));
  }
  void answer(HandlerCall& call, const Status& outcome) {
    if constexpr ((std::is_same_v<Ends, ReplyOnArena> || ...)) {
      if (outcome.ok()) return call.finish(end<ReplyOnArena>().get(), /*move=*/nullptr);
    }
    call.finish(outcome);
  }

  [[no_unique_address]] EndSet ends_;
  Task<Outcome> task_;
};

template <class ServiceType, class Request, class Reply, auto Handler>
struct UnaryHandler {
  using Running = RunningHandler<Result<Reply>>;
  static void start(Service& service, HandlerCall& call) {
    Request request;
    if (!call.take_request(request)) return call.handler_returned();
    Running::start(call, [&](Running&) {
      return (static_cast<ServiceType&>(service).*Handler)(call.context(), std::move(request));
    });
  }
};

/// The same with both messages on the call's arena.
template <class ServiceType, class Request, class Reply, auto Handler>
struct ArenaUnaryHandler {
  using Running = RunningHandler<Status, ReplyOnArena>;
  static void start(Service& service, HandlerCall& call) {
    google::protobuf::Arena* const arena = &call.context().arena();
    auto* const request = google::protobuf::Arena::CreateMessage<Request>(arena);
    if (!call.take_request(*request)) return call.handler_returned();
    auto* const reply = google::protobuf::Arena::CreateMessage<Reply>(arena);
    Running::start(call, [&](Running& running) {
      running.template end<ReplyOnArena>().set(*reply);
      return (static_cast<ServiceType&>(service).*Handler)(call.context(), *request, *reply);
    });
  }
};

template <class ServiceType, class Request, class Reply, auto Handler>
struct ServerStreamingHandler {
  using Running = RunningHandler<Status, ServerWriter<Reply>>;
  static void start(Service& service, HandlerCall& call) {
    Request request;
    if (!call.take_request(request)) return call.handler_returned();
    Running::start(call, [&](Running& running) {
      return (static_cast<ServiceType&>(service).*Handler)(
          call.context(), std::move(request), running.template end<ServerWriter<Reply>>());
    });
  }
};

template <class ServiceType, class Request, class Reply, auto Handler>
struct ClientStreamingHandler {
  using Running = RunningHandler<Result<Reply>, ServerReader<Request>>;
  static void start(Service& service, HandlerCall& call) {
    Running::start(call, [&](Running& running) {
      return (static_cast<ServiceType&>(service).*Handler)(
          call.context(), running.template end<ServerReader<Request>>());
    });
  }
};

template <class ServiceType, class Request, class Reply, auto Handler>
struct BidiStreamingHandler {
  using Running = RunningHandler<Status, ServerReader<Request>, ServerWriter<Reply>>;
  static void start(Service& service, HandlerCall& call) {
    Running::start(call, [&](Running& running) {
      return (static_cast<ServiceType&>(service).*Handler)(
          call.context(), running.template end<ServerReader<Request>>(),
          running.template end<ServerWriter<Reply>>());
    });
  }
};

template <class H>
constexpr MethodHandler make_handler(const Method& method) noexcept {
  return {method, &H::start, &H::Running::destroy};
}

// What generated code picks from.

template <class ServiceType, class Request, class Reply, auto Handler>
constexpr MethodHandler unary_handler(const Method& method) noexcept {
  return make_handler<UnaryHandler<ServiceType, Request, Reply, Handler>>(method);
}
template <class ServiceType, class Request, class Reply, auto Handler>
constexpr MethodHandler arena_unary_handler(const Method& method) noexcept {
  return make_handler<ArenaUnaryHandler<ServiceType, Request, Reply, Handler>>(method);
}
template <class ServiceType, class Request, class Reply, auto Handler>
constexpr MethodHandler server_streaming_handler(const Method& method) noexcept {
  return make_handler<ServerStreamingHandler<ServiceType, Request, Reply, Handler>>(method);
}
template <class ServiceType, class Request, class Reply, auto Handler>
constexpr MethodHandler client_streaming_handler(const Method& method) noexcept {
  return make_handler<ClientStreamingHandler<ServiceType, Request, Reply, Handler>>(method);
}
template <class ServiceType, class Request, class Reply, auto Handler>
constexpr MethodHandler bidi_streaming_handler(const Method& method) noexcept {
  return make_handler<BidiStreamingHandler<ServiceType, Request, Reply, Handler>>(method);
}

/// UNIMPLEMENTED, naming the method.
Status unimplemented(const Method& method);

}  // namespace detail

/// A service of a server: generated classes derive from it, users from those. Handlers run on the
/// loop that the connection belongs to, many at a time, and must not block it (BlockingService).
///
/// Thread safety: with more than one server thread handlers run on several at once.
class Service {
 public:
  // What handlers are declared with, without `nearcall::`.

  template <class T>
  using Task = nearcall::Task<T>;
  template <class T>
  using Result = nearcall::Result<T>;
  using Status = nearcall::Status;
  using StatusCode = nearcall::StatusCode;
  using ServerContext = nearcall::ServerContext;
  template <class Request>
  using ServerReader = nearcall::ServerReader<Request>;
  template <class Reply>
  using ServerWriter = nearcall::ServerWriter<Reply>;

  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;
  virtual ~Service() = default;

  /// "package.Service".
  std::string_view service_name() const noexcept { return name_; }
  /// For the server.
  std::span<const detail::MethodHandler> method_handlers() const noexcept { return handlers_; }

 protected:
  /// `name` is static text.
  Service(std::string_view name, std::initializer_list<detail::MethodHandler> handlers)
      : name_(name), handlers_(handlers) {}

 private:
  std::string_view name_;
  std::vector<detail::MethodHandler> handlers_;
};

}  // namespace nearcall::inline v0

#pragma GCC visibility pop
