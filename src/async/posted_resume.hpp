// SPDX-License-Identifier: Apache-2.0
// PostedResume: a coroutine on its way to another thread.
#pragma once

#include "async/busy_meter.hpp"
#include "async/pool_queue.hpp"

#include <nearcall/resume_on.hpp>

#include <coroutine>

namespace nearcall::inline v0::detail {

/// One way of a coroutine to another thread; lives inside a ResumeOnAwaiter.
class PostedResume final : public PoolWork {
 public:
  /// Where it goes: one of the two.
  struct Queue {
    EventLoop* loop;
    ThreadPool* pool;
  };

  PostedResume(Queue to, std::coroutine_handle<> moving, TaskHome* home) noexcept;
  PostedResume(const PostedResume&) = delete;
  PostedResume& operator=(const PostedResume&) = delete;
  ~PostedResume();

  /// It may be gone when this returns. Throws if the pool cannot have a thread.
  void post();
  /// The same to a pool, for `client`; nothing has happened if it is not taken.
  [[nodiscard]] PoolQueue::Answer try_post(PoolClient client);
  /// Takes it out of the queue, if it is still there; whether it was.
  bool take_back() noexcept;

  void run() noexcept override;
  void drop() noexcept override;

 private:
  /// It stays here after all.
  void stay() noexcept;
  bool goes_home() const noexcept { return home_ != nullptr && to_is_home_; }

  EventLoop* loop_ = nullptr;
  ThreadPool* pool_ = nullptr;
  Suspended moving_;
  TaskHome* home_;
  bool to_is_home_;
  bool is_pending_ = true;
};

}  // namespace nearcall::inline v0::detail
