// SPDX-License-Identifier: Apache-2.0
// The thread of a Canceller.
#include <nearcall/canceller.hpp>

#include <semaphore.h>
#include <signal.h>

#include <atomic>
#include <cerrno>
#include <thread>

namespace nearcall::inline v0 {
namespace detail {

class CancellerCore {
 public:
  CancellerCore() {
    ::sem_init(&wake_up_, /*pshared=*/0, /*value=*/0);
    sigset_t all{};
    sigset_t before{};
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);  // the thread inherits it
    try {
      thread_ = std::thread([this] { request_stop_once_woken(); });
    } catch (...) {
      ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
      ::sem_destroy(&wake_up_);
      throw;
    }
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
  CancellerCore(const CancellerCore&) = delete;
  CancellerCore& operator=(const CancellerCore&) = delete;
  ~CancellerCore() {
    ::sem_post(&wake_up_);
    thread_.join();
    ::sem_destroy(&wake_up_);
  }

  // An atomic without a lock and sem_post: both allowed in a handler.
  void cancel() noexcept {
    const int saved = errno;
    if (!is_cancelled_.exchange(true)) ::sem_post(&wake_up_);
    errno = saved;
  }
  bool is_cancelled() const noexcept { return is_cancelled_.load(); }
  std::stop_token token() const noexcept { return stop_.get_token(); }

 private:
  void request_stop_once_woken() noexcept {
    while (::sem_wait(&wake_up_) != 0) {
    }
    if (is_cancelled()) stop_.request_stop();
  }

  std::atomic<bool> is_cancelled_{false};
  /// Posted by cancel(), and by the destructor.
  sem_t wake_up_{};
  std::stop_source stop_;
  std::thread thread_;
};

static_assert(std::atomic<bool>::is_always_lock_free);

}  // namespace detail

Canceller::Canceller() : core_(std::make_unique<detail::CancellerCore>()) {
}

Canceller::~Canceller() = default;

void Canceller::cancel() noexcept {
  core_->cancel();
}

bool Canceller::is_cancelled() const noexcept {
  return core_->is_cancelled();
}

std::stop_token Canceller::token() const noexcept {
  return core_->token();
}

}  // namespace nearcall::inline v0
