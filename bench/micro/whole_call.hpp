// SPDX-License-Identifier: Apache-2.0
// A channel and a server that are joined in memory: what a whole call costs but the kernel.
#pragma once

#include "echo.nearcall.hpp"

#include <nearcall/channel.hpp>
#include <nearcall/event_loop.hpp>
#include <nearcall/server.hpp>

#include <memory>
#include <string>

namespace nearcall::bench {

/// Answers unary calls, and each message of a chat.
class EchoService final : public ::bench::Echo::Service {
  Task<Result<::bench::Message>> Unary(ServerContext&, ::bench::Message request) override;
  Task<Status> Chat(ServerContext&,
                    ServerReader<::bench::Message>& requests,
                    ServerWriter<::bench::Message>& replies) override;
};

/// A server, and a channel to it. One at a time: they meet at a name of the process.
class WholeCall {
 public:
  /// Both ends on `loop`, which is driven by whoever calls. `service` outlives this.
  WholeCall(Service& service, EventLoop& loop);
  /// The server on a thread of its own.
  explicit WholeCall(Service& service);
  ~WholeCall();

  const ::bench::Echo::Client& echo() const noexcept { return *echo_; }

 private:
  void join(Service& service);

  std::unique_ptr<Server> server_;
  std::unique_ptr<Channel> channel_;
  std::unique_ptr<::bench::Echo::Client> echo_;
};

inline ::bench::Message message_of(std::size_t size) {
  ::bench::Message message;
  message.set_payload(std::string(size, 'x'));
  return message;
}

/// `count` awaited calls, one after the other; CHECKs each reply.
Task<void> call_often(const ::bench::Echo::Client& echo, std::size_t size, std::uint64_t count);

/// The same beside `streams` chats on the same connection that are open, and have had an answer
/// each.
Task<void> call_beside_streams(const ::bench::Echo::Client& echo,
                               std::size_t streams,
                               std::size_t size,
                               std::uint64_t count);

/// Runs `task` on `loop` until it has finished.
void run_to_end(EventLoop& loop, Task<void> task);

}  // namespace nearcall::bench
