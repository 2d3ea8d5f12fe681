// SPDX-License-Identifier: Apache-2.0
// WholeCall, and what drives it.
#include "micro/whole_call.hpp"

#include "base/check.hpp"

namespace nearcall::bench {

namespace {

constexpr const char* address = "inproc:whole-call";

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
  server_->add_service(service).listen(address);
  const Result<void> started = server_->start();
  CHECK(started.ok());
  channel_ = std::make_unique<Channel>(address);
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
