// SPDX-License-Identifier: Apache-2.0
// What interceptors of both sides have in common: hooks of messages, and how they go on.
#pragma once

#include <nearcall/access.hpp>
#include <nearcall/status.hpp>
#include <nearcall/task.hpp>
#include <nearcall/unique_function.hpp>

#include <google/protobuf/message_lite.h>

#include <coroutine>
#include <cstddef>
#include <utility>

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0 {

/// Is shown a message, and may change it; anything but OK ends the call. A message of a known type
/// is a `dynamic_cast` away, and any other one is a google::protobuf::Message with a descriptor.
/// Must not wait: what waits for room, waits before or after it.
using MessageHook = UniqueFunction<Status(google::protobuf::MessageLite&)>;

namespace detail {

/// The interceptors of one call; `View` is what they see of it.
template <class View>
class CallChain {
 public:
  /// The interceptor at `depth` goes on, with the call as it sees it: `inner`. Its task is put into
  /// `task`; where there are no more, the call itself begins. Who waits is told of the end by
  /// being resumed, which may be inside of this. False: it has ended.
  virtual bool proceed(std::size_t depth,
                       View& inner,
                       Task<Status>& task,
                       std::coroutine_handle<> waiting) = 0;
  /// How the call itself ended.
  virtual Status take_end() = 0;
  /// Who waits for that waits no more.
  virtual void leave() noexcept = 0;
  /// An interceptor did what it must not.
  virtual Status note_misuse(const char* what) = 0;

 protected:
  ~CallChain() = default;
};

/// Waits for the rest of a call: the next interceptor, or the call itself.
template <class View>
class [[nodiscard]] ProceedAwaiter {
 public:
  ProceedAwaiter(CallChain<View>& chain, std::size_t depth, bool is_first) noexcept
      : chain_(&chain),
        depth_(depth),
        inner_(Access::make<View>(chain, depth)),
        is_first_(is_first) {}
  ProceedAwaiter(const ProceedAwaiter&) = delete;
  ProceedAwaiter& operator=(const ProceedAwaiter&) = delete;
  ~ProceedAwaiter() {
    if (is_waiting_) chain_->leave();
  }

  bool await_ready() const noexcept { return !is_first_; }
  bool await_suspend(std::coroutine_handle<> waiting) {
    is_waiting_ = true;
    return chain_->proceed(depth_, inner_, task_, waiting);
  }
  Status await_resume() {
    is_waiting_ = false;
    if (!is_first_) return chain_->note_misuse("called proceed() twice");
    if (task_) return Access::handle(task_).promise().take();
    return chain_->take_end();
  }

 private:
  CallChain<View>* chain_;
  std::size_t depth_;
  View inner_;
  bool is_first_;
  bool is_waiting_ = false;
  Task<Status> task_;
};

}  // namespace detail
}  // namespace nearcall::inline v0

#pragma GCC visibility pop
