// SPDX-License-Identifier: Apache-2.0
// Counts what a unary call allocates in steady state beyond protobuf, on either side; fails when
// that is more than it may be.
#include "base/check.hpp"
#include "micro/whole_call.hpp"

#include <cstdio>
#include <cstdlib>

namespace {

thread_local std::uint64_t allocations = 0;

}  // namespace

// In place of the C library's, on which operator new stands as well.
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* memory, std::size_t size);

void* malloc(std::size_t size) {
  ++allocations;
  return __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) {
  ++allocations;
  return __libc_calloc(count, size);
}
void* realloc(void* memory, std::size_t size) {
  ++allocations;
  return __libc_realloc(memory, size);
}
}

namespace nearcall::bench {
namespace {

constexpr std::size_t size = 64;
constexpr std::uint64_t calls = 1000;

/// The server's counter is read on its thread: by the handler of a call.
class CountingService final : public ::bench::Echo::Service {
 public:
  std::uint64_t seen = 0;

 private:
  Task<Result<::bench::Message>> Unary(ServerContext&, ::bench::Message request) override {
    seen = allocations;
    ::bench::Message reply;
    reply.set_payload(std::move(*request.mutable_payload()));
    co_return reply;
  }
};

struct Counts {
  double client;
  double server;
};

/// What parsing and building the messages allocates by itself.
Counts count_protobuf() {
  const std::string bytes = message_of(size).SerializeAsString();
  const std::uint64_t begin = allocations;
  ::bench::Message request;
  CHECK(request.ParseFromString(bytes));
  const std::uint64_t parsed = allocations - begin;
  ::bench::Message reply;
  reply.set_payload(std::move(*request.mutable_payload()));
  const std::uint64_t served = allocations - begin;
  return {static_cast<double>(parsed), static_cast<double>(served)};
}

double each(std::uint64_t count, std::uint64_t of) {
  return static_cast<double>(count) / static_cast<double>(of);
}

/// Counts over the second half of its calls.
class Window {
 public:
  explicit Window(const CountingService& service) : service_(&service) {}

  static constexpr std::uint64_t all_calls = 2 * calls + 1;
  void call_done(std::uint64_t number) {
    if (number != calls) return;
    client_begin_ = allocations;
    server_begin_ = service_->seen;
  }
  Counts counts() const {
    return {each(allocations - client_begin_, calls), each(service_->seen - server_begin_, calls)};
  }

 private:
  const CountingService* service_;
  std::uint64_t client_begin_ = 0;
  std::uint64_t server_begin_ = 0;
};

Task<void> await_calls(const ::bench::Echo::Client& echo,
                       const CountingService& service,
                       Counts& counts) {
  const ::bench::Message request = message_of(size);
  Window window(service);
  for (std::uint64_t i = 0; i < Window::all_calls; ++i) {
    auto call = echo.UnaryAsync(request);
    const Result<::bench::Message> reply = co_await call;
    CHECK(reply.ok());
    window.call_done(i);
  }
  counts = window.counts();
}

Counts count_awaited(const ::bench::Echo::Client& echo, const CountingService& service) {
  EventLoop loop;
  Counts counts{};
  run_to_end(loop, await_calls(echo, service, counts));
  return counts;
}

Counts count_blocking(const ::bench::Echo::Client& echo, const CountingService& service) {
  const ::bench::Message request = message_of(size);
  Window window(service);
  for (std::uint64_t i = 0; i < Window::all_calls; ++i) {
    const Result<::bench::Message> reply = echo.Unary(request);
    CHECK(reply.ok());
    window.call_done(i);
  }
  return window.counts();
}

/// `most` is what it must not exceed; the aim is 2 everywhere.
bool is_within(const char* side, double all, double protobuf, double most) {
  const double ours = all - protobuf;
  std::printf("%s: %.3f allocations a call, %.0f of them protobuf's, %.3f ours (at most %.0f)\n",
              side, all, protobuf, ours, most);
  return ours < most + 0.01;
}

}  // namespace
}  // namespace nearcall::bench

int main() {
  using namespace nearcall::bench;
  CountingService service;
  const WholeCall ends(service);
  const Counts protobuf = count_protobuf();
  const Counts awaited = count_awaited(ends.echo(), service);
  const Counts blocking = count_blocking(ends.echo(), service);
  bool is_good = is_within("client, awaited", awaited.client, protobuf.client, 1);
  is_good = is_within("client, blocking", blocking.client, protobuf.client, 0) && is_good;
  is_good = is_within("server", awaited.server, protobuf.server, 0) && is_good;
  return is_good ? 0 : 1;
}
