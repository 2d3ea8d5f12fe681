// SPDX-License-Identifier: Apache-2.0
// A server and a client inside of another main loop, as Qt, GLib or a game have one; with a dialog.
#include "greet.nearcall.hpp"
#include "program.hpp"

#include <nearcall/channel.hpp>
#include <nearcall/event_loop.hpp>
#include <nearcall/server.hpp>
#include <nearcall/task_scope.hpp>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdio>
#include <functional>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using nearcall::CallOptions;
using nearcall::Task;

/// What a toolkit has: watches descriptors, and calls whoever wants to know that one is readable.
class MainLoop {
 public:
  void watch(int fd, std::function<void()> on_readable) {
    polled_.push_back({fd, POLLIN, 0});
    callbacks_.push_back(std::move(on_readable));
  }
  /// Until quit(). A modal dialog calls it inside of a callback.
  void run() {
    const int depth = ++depth_;
    while (depth_ >= depth) {
      ::poll(polled_.data(), polled_.size(), -1);
      for (std::size_t i = 0; i < polled_.size() && depth_ >= depth; ++i) {
        if (std::exchange(polled_[i].revents, 0) != 0) callbacks_[i]();
      }
    }
  }
  /// Ends the innermost run().
  void quit() { --depth_; }

 private:
  std::vector<pollfd> polled_;
  std::vector<std::function<void()>> callbacks_;
  int depth_ = 0;
};

class GreeterService final : public greet::Greeter::Service {
  Task<Result<greet::HelloReply>> SayHello(ServerContext&, greet::HelloRequest request) override {
    greet::HelloReply reply;
    reply.set_message("hello " + request.name());
    co_return reply;
  }
};

/// Without a coroutine: `show` is called in a later turn of the loop.
void greet_then(greet::Greeter::Client& greeter, std::function<void(std::string)> show) {
  greet::HelloRequest request;
  request.set_name("later");
  greeter.SayHelloAsync(request, CallOptions().timeout(5s))
      .on_done([show = std::move(show)](const nearcall::Result<greet::HelloReply>& reply) {
        show(reply ? reply->message() : reply.error().to_string());
      });
}

Task<> say_hello(greet::Greeter::Client& greeter, std::string name) {
  greet::HelloRequest request;
  request.set_name(name);
  const auto reply = co_await greeter.SayHelloAsync(request, CallOptions().timeout(5s));
  std::printf("%s\n", reply ? reply->message().c_str() : reply.error().to_string().c_str());
}

Task<> greet_twice(greet::Greeter::Client& greeter, MainLoop& main_loop, int button) {
  co_await say_hello(greeter, "before");
  ::eventfd_write(button, 1);  // the user will press it
  main_loop.run();             // a modal dialog: meanwhile nothing of nearcall goes on
  co_await say_hello(greeter, "after");
  main_loop.quit();
}

int main(int argc, char** argv) {
  if (argc != 2) return usage(argv[0]);
  nearcall::EventLoop loop;
  const nearcall::EventLoop::Binding binding(loop);
  MainLoop main_loop;
  main_loop.watch(loop.fd(), [&loop] { loop.poll(); });

  GreeterService service;
  nearcall::Server server(loop);
  server.add_service(service).listen(argv[1]);
  if (const auto started = server.start(); !started) return report(started.error());
  nearcall::Channel channel(argv[1]);
  greet::Greeter::Client greeter(channel);

  const int button = ::eventfd(0, EFD_CLOEXEC);
  main_loop.watch(button, [&main_loop, button] {
    eventfd_t presses = 0;
    ::eventfd_read(button, &presses);
    std::printf("the dialog was closed\n");
    main_loop.quit();
  });
  greet_then(greeter, [&main_loop](const std::string& text) {
    std::printf("%s\n", text.c_str());
    main_loop.quit();
  });
  main_loop.run();

  nearcall::TaskScope scope(loop);  // last: what waits goes before what it refers to
  scope.spawn(greet_twice(greeter, main_loop, button));
  main_loop.run();
  ::close(button);
  return 0;
}
