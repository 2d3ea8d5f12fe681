// SPDX-License-Identifier: Apache-2.0
// The same conversation with an Echo service under both drivers: a blocking thread, and a loop.
#pragma once

#include "integration/echo_server.hpp"

#include <ostream>
#include <string>

namespace nearcall::test {

enum class ClientDriver { blocking, loop };

inline std::string driver_name(const testing::TestParamInfo<ClientDriver>& info) {
  return info.param == ClientDriver::blocking ? "Blocking" : "Loop";
}

inline void PrintTo(ClientDriver driver, std::ostream* to) {
  *to << (driver == ClientDriver::blocking ? "blocking" : "loop");
}

/// What a conversation sends.
struct Conversation {
  int rounds = 0;                  // of ping-pong in one bidirectional call
  std::size_t big_size = 0;        // of one unary message, there and back
  unsigned replies = 0;            // of one server-streaming call
  std::chrono::seconds bound{20};  // a wake-up that is missed ends here
};

inline Status differs(std::string what) {
  return Status(StatusCode::data_loss, std::move(what));
}

inline Status converse_blocking(const Echo::Client& echo, const Conversation& plan) {
  const CallOptions options = CallOptions().timeout(plan.bound);
  auto chat = echo.Chat(options);
  for (int i = 0; i < plan.rounds; ++i) {
    if (!chat.write(request_of(std::to_string(i), 1))) return chat.finish();
    const std::optional<EchoReply> reply = chat.read();
    if (!reply) return chat.finish();
    if (reply->payload() != std::to_string(i)) return differs("a reply of Chat");
  }
  if (Status status = chat.finish(); !status.ok()) return status;

  const std::string big(plan.big_size, 'b');
  const Result<EchoReply> reply = echo.Unary(request_of(big), options);
  if (!reply) return reply.status();
  if (reply->payload() != big) return differs("the reply of Unary");

  auto expand = echo.Expand(request_of("x", plan.replies), options);
  unsigned seen = 0;
  while (expand.read())
    ++seen;
  if (Status status = expand.finish(); !status.ok()) return status;
  return seen == plan.replies ? Status() : differs("the number of replies of Expand");
}

inline Task<Status> converse_awaiting(const Echo::Client& echo, Conversation plan) {
  const CallOptions options = CallOptions().timeout(plan.bound);
  auto chat = echo.ChatAsync(options);
  for (int i = 0; i < plan.rounds; ++i) {
    const EchoRequest request = request_of(std::to_string(i), 1);
    const bool written = co_await chat.write(request);
    EchoReply reply;
    const bool got = written && co_await chat.read(reply);
    if (!got) co_return co_await chat.finish();
    if (reply.payload() != std::to_string(i)) co_return differs("a reply of Chat");
  }
  Status chatted = co_await chat.finish();
  if (!chatted.ok()) co_return chatted;

  const std::string big(plan.big_size, 'b');
  const Result<EchoReply> reply = co_await echo.UnaryAsync(request_of(big), options);
  if (!reply) co_return reply.status();
  if (reply->payload() != big) co_return differs("the reply of Unary");

  auto expand = echo.ExpandAsync(request_of("x", plan.replies), options);
  EchoReply next;
  unsigned seen = 0;
  while (co_await expand.read(next))
    ++seen;
  Status expanded = co_await expand.finish();
  if (!expanded.ok()) co_return expanded;
  co_return seen == plan.replies ? Status() : differs("the number of replies of Expand");
}

inline Task<Status> converse_on(EventLoop& loop, const Echo::Client& echo, Conversation plan) {
  Status status = co_await converse_awaiting(echo, plan);
  loop.stop();
  co_return status;
}

inline Task<void> keep(Task<Status> task, Status* outcome) {
  *outcome = co_await std::move(task);
}

/// `spin`: of the loop; a channel has its own policy for blocking calls.
inline Status converse(ClientDriver driver,
                       const Echo::Client& echo,
                       const Conversation& plan,
                       SpinPolicy spin = SpinPolicy::adaptive()) {
  if (driver == ClientDriver::blocking) return converse_blocking(echo, plan);
  EventLoop loop(spin);
  Status outcome = differs("the task did not finish");
  spawn(loop, keep(converse_on(loop, echo, plan), &outcome));
  loop.run();
  return outcome;
}

}  // namespace nearcall::test
