// SPDX-License-Identifier: Apache-2.0
// QueueListener: a listener whose connections the test makes itself.
#pragma once

#include "support/event_fd.hpp"

#include <nearcall/transport.hpp>

#include <poll.h>

#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace nearcall::test {

/// Connections on their way to a QueueListener. Thread safety: any thread.
class ConnectionQueue {
 public:
  void push(std::unique_ptr<Transport> connection) {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(connection));
    event_.raise();
  }
  /// Null when there is none.
  std::unique_ptr<Transport> pop() {
    const std::lock_guard lock(mutex_);
    if (waiting_.empty()) {
      event_.lower();
      return nullptr;
    }
    std::unique_ptr<Transport> first = std::move(waiting_.front());
    waiting_.pop_front();
    return first;
  }
  int fd() const noexcept { return event_.get(); }
  /// What the listener finds of its name, if it is asked: it is in place, or a successor's.
  void has_name(bool is_in_place) noexcept { name_ = is_in_place; }
  Result<bool> name() const {
    if (name_.value_or(true)) return name_.has_value();
    return Status(StatusCode::aborted, "queue: taken over");
  }

 private:
  std::mutex mutex_;
  std::deque<std::unique_ptr<Transport>> waiting_;
  const EventFd event_;
  std::optional<bool> name_;
};

class QueueListener final : public Listener {
 public:
  explicit QueueListener(std::shared_ptr<ConnectionQueue> queue, bool knows_credentials = false)
      : queue_(std::move(queue)), knows_credentials_(knows_credentials) {}

  Result<void> bind() override { return {}; }
  Result<std::unique_ptr<Transport>> try_accept() override { return queue_->pop(); }
  WaitAdvice prepare_wait() override { return WaitAdvice::poll(queue_->fd(), POLLIN); }
  void unbind() noexcept override {}
  Result<bool> check_name() override { return queue_->name(); }
  std::string address() const override { return "queue:"; }
  bool knows_credentials() const noexcept override { return knows_credentials_; }

 private:
  const std::shared_ptr<ConnectionQueue> queue_;
  const bool knows_credentials_;
};

}  // namespace nearcall::test
