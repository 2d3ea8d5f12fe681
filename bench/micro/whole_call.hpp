// SPDX-License-Identifier: Apache-2.0
// A channel and a server in one process, joined in memory: what a whole call costs but the kernel.
#pragma once

#include "echo.nearcall.hpp"

#include <nearcall/channel.hpp>
#include <nearcall/event_loop.hpp>
#include <nearcall/server.hpp>

#include <memory>
#include <string>

namespace nearcall::bench {

/// A server, and a channel to it. One at a time: they meet at one address.
class WholeCall {
 public:
  static constexpr const char* in_memory = "inproc:whole-call";

  enum class Interceptors : bool { none, one_each };

  /// Both ends on `loop`, which is driven by whoever calls. `service` outlives this.
  WholeCall(Service& service,
            EventLoop& loop,
            const std::string& address = in_memory,
            Interceptors interceptors = Interceptors::none);
  /// The server on a thread of its own.
  explicit WholeCall(Service& service);
  ~WholeCall();

  const ::bench::Echo::Client& echo() const noexcept { return *echo_; }

 private:
  void join(Service& service, const std::string& address, const ChannelOptions& options);

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
