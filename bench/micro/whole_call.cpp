// SPDX-License-Identifier: Apache-2.0
// WholeCall, and the pipe in memory that joins its ends.
#include "micro/whole_call.hpp"

#include "base/check.hpp"
#include "base/unique_fd.hpp"
#include "transport/inproc_pipe.hpp"

#include <sys/eventfd.h>
#include <sys/poll.h>
#include <unistd.h>

#include <deque>
#include <mutex>

namespace nearcall::bench {

/// Where a connector leaves the far ends of its pipes, for a listener to find.
///
/// Thread safety: any thread.
class PipeHub {
 public:
  PipeHub() : event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) { CHECK(event_.get() >= 0); }

  int fd() const noexcept { return event_.get(); }
  void put(std::unique_ptr<Transport> far_end) {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(far_end));
    const std::uint64_t one = 1;
    CHECK(write(event_.get(), &one, sizeof one) == sizeof one);
  }
  std::unique_ptr<Transport> take() {
    const std::lock_guard lock(mutex_);
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t ignored = read(event_.get(), &count, sizeof count);
    if (waiting_.empty()) return nullptr;
    std::unique_ptr<Transport> next = std::move(waiting_.front());
    waiting_.pop_front();
    return next;
  }

 private:
  std::mutex mutex_;
  detail::UniqueFd event_;
  std::deque<std::unique_ptr<Transport>> waiting_;
};

namespace {

class PipeListener final : public Listener {
 public:
  explicit PipeListener(std::shared_ptr<PipeHub> hub) : hub_(std::move(hub)) {}
  Result<void> bind() override { return {}; }
  Result<std::unique_ptr<Transport>> try_accept() override { return hub_->take(); }
  WaitAdvice prepare_wait() override { return WaitAdvice::poll(hub_->fd(), POLLIN); }
  void unbind() noexcept override {}
  std::string address() const override { return "inproc:bench"; }

 private:
  std::shared_ptr<PipeHub> hub_;
};

class PipeConnector final : public Connector {
 public:
  explicit PipeConnector(std::shared_ptr<PipeHub> hub) : hub_(std::move(hub)) {}
  Task<Result<std::unique_ptr<Transport>>> connect(ConnectContext) override {
    Result<detail::InprocPipe> pipe = detail::make_inproc_pipe();
    CHECK(pipe.ok());
    hub_->put(std::move(pipe->second));
    co_return std::move(pipe->first);
  }

 private:
  std::shared_ptr<PipeHub> hub_;
};

Task<void> stop_after(EventLoop& loop, Task<void> task) {
  co_await std::move(task);
  loop.stop();
}

}  // namespace

Task<Result<::bench::Message>> EchoService::Unary(ServerContext&, ::bench::Message request) {
  ::bench::Message reply;
  reply.set_payload(std::move(*request.mutable_payload()));
  co_return reply;
}

WholeCall::WholeCall(Service& service, EventLoop& loop) : server_(std::make_unique<Server>(loop)) {
  join(service);
}

WholeCall::WholeCall(Service& service) : server_(std::make_unique<Server>()) {
  join(service);
}

WholeCall::~WholeCall() = default;

void WholeCall::join(Service& service) {
  hub_ = std::make_shared<PipeHub>();
  server_->add_service(service);
  server_->listen(std::make_unique<PipeListener>(hub_), untrusted::anyone());
  const Result<void> started = server_->start();
  CHECK(started.ok());
  channel_ = std::make_unique<Channel>(
      "http://bench", ChannelOptions().connector(std::make_shared<PipeConnector>(hub_)));
  echo_ = std::make_unique<::bench::Echo::Client>(*channel_);
}

Task<void> call_often(const ::bench::Echo::Client& echo, std::size_t size, std::uint64_t count) {
  const ::bench::Message request = message_of(size);
  for (std::uint64_t i = 0; i < count; ++i) {
    auto call = echo.UnaryAsync(request);
    const Result<::bench::Message> reply = co_await call;
    CHECK(reply.ok() && reply->payload().size() == size);
  }
}

void run_to_end(EventLoop& loop, Task<void> task) {
  spawn(loop, stop_after(loop, std::move(task)));
  loop.run();
}

}  // namespace nearcall::bench
