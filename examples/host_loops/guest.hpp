// SPDX-License-Identifier: Apache-2.0
// What each of these programs runs in its main loop: a server, and a client that calls it.
#pragma once

#include "greet.nearcall.hpp"
#include "program.hpp"

#include <nearcall/channel.hpp>
#include <nearcall/event_loop.hpp>
#include <nearcall/server.hpp>
#include <nearcall/task_scope.hpp>

#include <functional>
#include <set>
#include <string>

class GreeterService final : public greet::Greeter::Service {
  Task<Result<greet::HelloReply>> SayHello(ServerContext&, greet::HelloRequest request) override;
  Task<Status> Repeat(ServerContext&,
                      greet::RepeatRequest request,
                      ServerWriter<greet::HelloReply>& replies) override;
  /// So slowly that it waits until the call is over.
  Task<Result<greet::HelloReply>> SayHelloSlowly(ServerContext& call,
                                                 greet::HelloRequest request) override;
};

/// Of this process.
int count_threads();

/// A guest of somebody else's loop: it has no thread of its own, and never blocks.
///
/// Thread safety: the thread that `loop` is bound to.
class Guest {
 public:
  Guest(nearcall::EventLoop& loop, const char* target);

  nearcall::Result<void> start_server();
  /// Starts calls, of each form; `on_end` is called in a turn of the loop, when all are over.
  void call(std::function<void()> on_end);
  /// What main() returns: 0 if the answers were right, and no thread has come since the start.
  int exit_status() const;

 private:
  using HelloCall = nearcall::AsyncUnaryCall<greet::HelloReply>;

  nearcall::Task<> read_answers(HelloCall call);
  void show(const nearcall::Result<greet::HelloReply>& reply);
  void end_call();

  const int threads_ = count_threads();
  GreeterService service_;
  nearcall::Server server_;
  nearcall::Channel channel_;
  greet::Greeter::Client greeter_;
  std::function<void()> on_end_;
  int open_calls_ = 2;
  std::set<std::string> shown_;
  nearcall::TaskScope scope_;  // last: what waits goes before what it refers to
};
