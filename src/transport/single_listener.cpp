// SPDX-License-Identifier: Apache-2.0
// Telling a listener of the end of its connection.
#include "transport/single_listener.hpp"

#include "base/fork_mark.hpp"
#include "base/unique_fd.hpp"
#include "transport/acceptor.hpp"
#include "transport/system_error.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <utility>

namespace nearcall::inline v0::detail {

/// Whether the connection has ended, told from any thread.
class SingleListener::End {
 public:
  explicit End(UniqueFd event) noexcept : event_(std::move(event)) {}

  int fd() const noexcept { return event_.get(); }
  bool has_come() const noexcept { return has_come_.load(); }
  /// Not in a forked child: the connection is its parent's.
  void tell() noexcept {
    if (!made_in_.is_in_maker() || has_come_.exchange(true)) return;
    const std::uint64_t one = 1;
    static_cast<void>(!::write(event_.get(), &one, sizeof one));
  }

 private:
  const ForkMark made_in_;
  std::atomic<bool> has_come_ = false;
  const UniqueFd event_;  // readable once it has
};

class SingleListener::LastTransport final : public ForwardingTransport {
 public:
  LastTransport(std::unique_ptr<Transport> inner, std::shared_ptr<End> end) noexcept
      : ForwardingTransport(std::move(inner)), end_(std::move(end)) {}
  ~LastTransport() override { end_->tell(); }

  /// Whoever ends a connection aborts its transport: before that, calls may take their time.
  void abort(std::error_code reason) noexcept override {
    ForwardingTransport::abort(reason);
    end_->tell();
  }

 private:
  const std::shared_ptr<End> end_;
};

SingleListener::SingleListener(std::unique_ptr<Transport> transport,
                               std::string address,
                               bool knows_credentials)
    : address_(std::move(address)),
      knows_credentials_(knows_credentials),
      transport_(std::move(transport)) {
}

SingleListener::~SingleListener() = default;

Result<void> SingleListener::bind() {
  if (state_ != State::unbound) fail_listener_order();
  UniqueFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event) return Failure{listen_status(address_, "eventfd", errno)};
  end_ = std::make_shared<End>(std::move(event));
  transport_ = std::make_unique<LastTransport>(std::move(transport_), end_);
  state_ = State::bound;
  return {};
}

Result<std::unique_ptr<Transport>> SingleListener::try_accept() {
  if (state_ != State::bound) return std::unique_ptr<Transport>();
  return std::move(transport_);
}

WaitAdvice SingleListener::prepare_wait() {
  if (state_ != State::bound) fail_listener_order();
  return transport_ ? WaitAdvice::ready_now() : WaitAdvice::poll(end_->fd(), POLLIN);
}

void SingleListener::unbind() noexcept {
  state_ = State::over;
  transport_.reset();
}

bool SingleListener::is_over() const noexcept {
  return end_ && end_->has_come();
}

}  // namespace nearcall::inline v0::detail
