// SPDX-License-Identifier: Apache-2.0
// WholeCall, and what drives it.
#include "micro/whole_call.hpp"

#include "base/check.hpp"

#include <nearcall/client_interceptor.hpp>
#include <nearcall/server_interceptor.hpp>

#include <utility>
#include <vector>

namespace nearcall::bench {

namespace {

Task<void> stop_after(EventLoop& loop, Task<void> task) {
  co_await std::move(task);
  loop.stop();
}

/// Does nothing.
class PassingClient final : public ClientInterceptor {
  Task<Status> intercept(OutgoingCall& call) override {
    Status status = co_await call.proceed();
    co_return status;
  }
};

class PassingServer final : public ServerInterceptor {
  Task<Status> intercept(IncomingCall& call) override {
    Status status = co_await call.proceed();
    co_return status;
  }
};

}  // namespace

WholeCall::WholeCall(Service& service,
                     EventLoop& loop,
                     const std::string& address,
                     Interceptors interceptors) {
  ServerOptions server_options;
  ChannelOptions options;
  if (interceptors == Interceptors::one_each) {
    server_options.interceptor(std::make_shared<PassingServer>());
    options.interceptor(std::make_shared<PassingClient>());
  }
  server_ = std::make_unique<Server>(loop, server_options);
  join(service, address, options);
}

WholeCall::WholeCall(Service& service) : server_(std::make_unique<Server>()) {
  join(service, in_memory, ChannelOptions());
}

WholeCall::~WholeCall() = default;

void WholeCall::join(Service& service, const std::string& address, const ChannelOptions& options) {
  server_->add_service(service).listen(address);
  const Result<void> started = server_->start();
  CHECK(started.ok());
  channel_ = std::make_unique<Channel>(address, options);
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

Task<void> call_beside_streams(const ::bench::Echo::Client& echo,
                               std::size_t streams,
                               std::size_t size,
                               std::uint64_t count) {
  ::bench::Message message = message_of(size);
  std::vector<AsyncBidiStreamingCall<::bench::Message, ::bench::Message>> open;
  for (std::size_t i = 0; i < streams; ++i) {
    open.push_back(echo.ChatAsync());
    const bool is_written = co_await open.back().write(message);
    const bool is_read = co_await open.back().read(message);
    CHECK(is_written && is_read);
  }
  Task<void> calls = call_often(echo, size, count);
  co_await std::move(calls);
}

void run_to_end(EventLoop& loop, Task<void> task) {
  spawn(loop, stop_after(loop, std::move(task)));
  loop.run();
}

}  // namespace nearcall::bench
