// SPDX-License-Identifier: Apache-2.0
// The handlers of the simulation.
#include "simulation/service.hpp"

#include <nearcall/wait.hpp>

#include <cstdio>

namespace nearcall::test {
namespace {

char filling(std::uint32_t number) {
  return static_cast<char>('a' + number % 26);
}

}  // namespace

std::string Wish::to_text() const {
  std::array<char, 80> text;
  std::snprintf(text.data(), text.size(), "%u %u %u %u %d", call, size, replies, delay_ms,
                fails ? 1 : 0);
  return text.data();
}

Wish Wish::of(const std::string& text) {
  Wish wish;
  int fails = 0;
  std::sscanf(text.c_str(), "%u %u %u %u %d", &wish.call, &wish.size, &wish.replies, &wish.delay_ms,
              &fails);
  wish.fails = fails != 0;
  return wish;
}

Text numbered(std::uint32_t number, std::uint32_t size) {
  Text text;
  text.set_value(std::to_string(number) + ":" + std::string(size, filling(number)));
  return text;
}

bool is_numbered(const Text& text, std::uint32_t number, std::uint32_t size) {
  return text.value() == numbered(number, size).value();
}

SimulatedService::SimulatedService()
    : Service(
          "test.Simulated",
          {detail::unary_handler<SimulatedService, Text, Text, &SimulatedService::Unary>(
               methods[unary]),
           detail::
               server_streaming_handler<SimulatedService, Text, Text, &SimulatedService::Expand>(
                   methods[expand]),
           detail::
               client_streaming_handler<SimulatedService, Text, Text, &SimulatedService::Collect>(
                   methods[collect]),
           detail::bidi_streaming_handler<SimulatedService, Text, Text, &SimulatedService::Chat>(
               methods[chat])}) {
}

int SimulatedService::runs_of(std::uint32_t call) const {
  const auto found = runs_.find(call);
  return found == runs_.end() ? 0 : found->second;
}

Task<Result<Text>> SimulatedService::Unary(ServerContext& call, Text request) {
  const Presence presence(*this);
  const Wish wish = Wish::of(request.value());
  ++runs_[wish.call];
  const std::chrono::milliseconds delay(wish.delay_ms);
  if (wish.delay_ms > 0) co_await sleep_for(delay, call.cancellation());
  if (wish.fails) co_return Status(StatusCode::aborted, "as the request asked");
  co_return numbered(wish.call, wish.size);
}

Task<Status> SimulatedService::Expand(ServerContext& call,
                                      Text request,
                                      ServerWriter<Text>& replies) {
  const Presence presence(*this);
  const Wish wish = Wish::of(request.value());
  ++runs_[wish.call];
  const std::chrono::milliseconds delay(wish.delay_ms);
  for (std::uint32_t i = 0; i < wish.replies; ++i) {
    if (wish.delay_ms > 0) co_await sleep_for(delay, call.cancellation());
    const Text reply = numbered(i, wish.size);
    if (!co_await replies.write(reply)) break;
  }
  co_return wish.fails ? Status(StatusCode::aborted, "as the request asked") : Status();
}

Task<Result<Text>> SimulatedService::Collect(ServerContext& call, ServerReader<Text>& requests) {
  const Presence presence(*this);
  Text request;
  std::uint32_t count = 0;
  Wish wish;
  while (co_await requests.read(request)) {
    if (count++ == 0) {
      wish = Wish::of(request.value());
      ++runs_[wish.call];
    }
    const std::chrono::milliseconds delay(wish.delay_ms);
    if (wish.delay_ms > 0) co_await sleep_for(delay, call.cancellation());
  }
  if (wish.fails) co_return Status(StatusCode::aborted, "as the request asked");
  co_return numbered(count, 0);
}

Task<Status> SimulatedService::Chat(ServerContext& call,
                                    ServerReader<Text>& requests,
                                    ServerWriter<Text>& replies) {
  const Presence presence(*this);
  Text request;
  std::uint32_t count = 0;
  Wish wish;
  while (co_await requests.read(request)) {
    if (count == 0) {
      wish = Wish::of(request.value());
      ++runs_[wish.call];
    }
    const std::chrono::milliseconds delay(wish.delay_ms);
    if (wish.delay_ms > 0) co_await sleep_for(delay, call.cancellation());
    const Text reply = numbered(count++, wish.size);
    if (!co_await replies.write(reply)) break;
  }
  co_return wish.fails ? Status(StatusCode::aborted, "as the request asked") : Status();
}

}  // namespace nearcall::test
