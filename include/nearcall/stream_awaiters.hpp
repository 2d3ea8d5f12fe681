// SPDX-License-Identifier: Apache-2.0
// What awaited reads and writes of a message stream are made of, on both sides of a call, and in a
// test without one.
#pragma once

#include <nearcall/access.hpp>
#include <nearcall/unique_function.hpp>

#include <google/protobuf/message_lite.h>

#include <coroutine>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0 {
class EventLoop;
}

namespace nearcall::inline v0::detail {

/// Reads one message into `into`; true if there was one. Ready at once when it is at hand.
class [[nodiscard]] ReadAwaiter {
 public:
  ReadAwaiter(MessageStream& stream, google::protobuf::MessageLite& into) noexcept
      : stream_(&stream), into_(&into) {}
  ReadAwaiter(const ReadAwaiter&) = delete;
  ReadAwaiter& operator=(const ReadAwaiter&) = delete;
  ~ReadAwaiter() {
    if (is_waiting_) leave();
  }

  bool await_ready();
  void await_suspend(std::coroutine_handle<> reader);
  bool await_resume() noexcept {
    if (is_waiting_) take_outcome();
    return has_message_;
  }

 private:
  void take_outcome() noexcept;
  void leave() noexcept;

  MessageStream* stream_;
  google::protobuf::MessageLite* into_;
  bool has_message_ = false;
  bool is_waiting_ = false;
};

/// Reads one message into a new T.
template <class T>
class [[nodiscard]] ReadNewAwaiter {
 public:
  explicit ReadNewAwaiter(MessageStream& stream) noexcept : read_(stream, message_) {}
  ReadNewAwaiter(const ReadNewAwaiter&) = delete;
  ReadNewAwaiter& operator=(const ReadNewAwaiter&) = delete;

  bool await_ready() { return read_.await_ready(); }
  void await_suspend(std::coroutine_handle<> reader) { read_.await_suspend(reader); }
  std::optional<T> await_resume() {
    if (!read_.await_resume()) return std::nullopt;
    return std::optional<T>(std::move(message_));
  }

 private:
  T message_;
  ReadAwaiter read_;
};

/// Hands one message over; true if it was taken, false if the call is over. The message is
/// serialised before the awaiting coroutine suspends, or when it goes on.
class [[nodiscard]] WriteAwaiter {
 public:
  WriteAwaiter(MessageStream& stream,
               const google::protobuf::MessageLite& message,
               bool may_compress = true) noexcept
      : stream_(&stream), message_(&message), may_compress_(may_compress) {}
  WriteAwaiter(const WriteAwaiter&) = delete;
  WriteAwaiter& operator=(const WriteAwaiter&) = delete;
  ~WriteAwaiter() {
    if (is_waiting_) leave();
  }

  bool await_ready();
  void await_suspend(std::coroutine_handle<> writer);
  bool await_resume() noexcept {
    if (is_waiting_) take_outcome();
    return is_taken_;
  }

 private:
  void take_outcome() noexcept;
  void leave() noexcept;

  MessageStream* stream_;
  const google::protobuf::MessageLite* message_;
  bool may_compress_;
  bool is_taken_ = false;
  bool is_waiting_ = false;
};

/// A stream that no connection carries, for tests of what reads and writes it (nearcall::testing).
///
/// Thread safety: the thread of `loop`, where coroutines that wait go on.
class LooseStream {
 public:
  /// Each message that is written is given to `written`, and taken.
  LooseStream(EventLoop& loop, UniqueFunction<void(const google::protobuf::MessageLite&)> written);
  LooseStream(const LooseStream&) = delete;
  LooseStream& operator=(const LooseStream&) = delete;
  /// REQUIRES: nobody waits.
  ~LooseStream();

  MessageStream& stream() noexcept;
  /// A serialised message comes.
  void arrive(std::string_view message);
  /// There come no more.
  void finish();
  /// The call is over: what was not read is dropped, nothing is taken.
  void close();

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace nearcall::inline v0::detail

#pragma GCC visibility pop
