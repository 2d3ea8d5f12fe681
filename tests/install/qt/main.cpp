// SPDX-License-Identifier: Apache-2.0
// A server and a client in the main loop of Qt, with a dialog that blocks and one that does not.
#include "greet.nearcall.hpp"

#include <nearcall/async_event.hpp>
#include <nearcall/channel.hpp>
#include <nearcall/event_loop.hpp>
#include <nearcall/server.hpp>
#include <nearcall/task_scope.hpp>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <QApplication>
#include <QDialog>
#include <QSocketNotifier>
#include <QTemporaryDir>
#include <QTimer>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <iterator>
#include <string>
#include <utility>

using nearcall::Task;

class GreeterService final : public greet::Greeter::Service {
  Task<Result<greet::HelloReply>> SayHello(ServerContext&, greet::HelloRequest request) override {
    greet::HelloReply reply;
    reply.set_message("hello " + request.name());
    co_return reply;
  }
};

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "this does not hold: %s\n", what);
  std::exit(1);
}

auto count_threads() {
  const std::filesystem::directory_iterator threads("/proc/self/task");
  return std::distance(begin(threads), end(threads));
}

/// Somebody who connects to the server's socket, without a word.
class Visitor {
 public:
  explicit Visitor(const std::string& path)
      : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    require(::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0,
            "the server listens");
  }
  ~Visitor() { ::close(fd_); }
  Visitor(const Visitor&) = delete;
  Visitor& operator=(const Visitor&) = delete;

 private:
  int fd_;
};

/// Closes `dialog` after `rounds` rounds of the loop that runs.
class Closer : public QTimer {
 public:
  Closer(QDialog& dialog, int rounds) {
    callOnTimeout([this, &dialog, rounds] {
      if (++seen_ == rounds) dialog.accept();
    });
    start(0);  // which is due in each round
  }

 private:
  int seen_ = 0;
};

class Window {
 public:
  Window(nearcall::EventLoop& loop, std::string path)
      : loop_(loop),
        path_(std::move(path)),
        greeter_(nearcall::Channel("unix:" + path_)),
        notifier_(loop.fd(), QSocketNotifier::Read) {
    QObject::connect(&notifier_, &QSocketNotifier::activated, [this] {
      ++wakeups_;
      loop_.poll();
    });
  }

  void open() { scope_.spawn(show()); }
  /// Without a coroutine, and from outside of poll().
  void greet_then(std::function<void(const nearcall::Result<greet::HelloReply>&)> use) {
    greet::HelloRequest request;
    request.set_name("later");
    greeter_.SayHelloAsync(request).on_done(std::move(use));
  }
  bool awaits_an_answer() const { return awaits_an_answer_; }

 private:
  Task<> show() {
    co_await greet("before");
    co_await open_a_dialog_that_blocks();
    co_await greet("between");
    co_await open_a_dialog_that_does_not();
    co_await greet("after");
    QApplication::quit();
  }

  Task<> greet(std::string name) {
    greet::HelloRequest request;
    request.set_name(name);
    awaits_an_answer_ = true;
    const auto reply = co_await greeter_.SayHelloAsync(request);
    awaits_an_answer_ = false;
    require(reply && reply->message() == "hello " + name, "the server greets");
  }

  /// Its loop runs inside of a poll(): what the loop has to do waits, and wakes nobody meanwhile.
  Task<> open_a_dialog_that_blocks() {
    const int before = std::exchange(wakeups_, 0);
    require(before > 0, "the loop of Qt drives ours");
    bool was_posted_work_done = false;
    loop_.post([&was_posted_work_done] { was_posted_work_done = true; });
    const Visitor visitor(path_);
    QDialog dialog;
    const Closer closer(dialog, 1000);
    dialog.exec();
    require(!was_posted_work_done, "nothing of ours runs inside of a dialog that blocks");
    require(wakeups_ == 1, "a loop that waits for the outer poll() is readable no more");
    co_await greet("behind the dialog");
    require(was_posted_work_done, "what waited for the end of the dialog is done");
  }

  /// The task waits for its answer, and calls go on.
  Task<> open_a_dialog_that_does_not() {
    nearcall::AsyncEvent answered;
    QDialog dialog;
    QObject::connect(&dialog, &QDialog::finished, [&answered] { answered.set(); });
    dialog.open();
    co_await greet("beside the dialog");
    require(dialog.isVisible(), "the dialog is open while the call is made");
    const Closer closer(dialog, 1);
    co_await answered.wait();
    require(dialog.result() == QDialog::Accepted, "the dialog was answered");
  }

  nearcall::EventLoop& loop_;
  std::string path_;
  greet::Greeter::Client greeter_;
  QSocketNotifier notifier_;
  int wakeups_ = 0;
  bool awaits_an_answer_ = false;
  nearcall::TaskScope scope_{loop_};  // last: what waits goes before what it refers to
};

int main(int argc, char** argv) {
  ::setenv("QT_QPA_PLATFORM", "offscreen", 1);
  ::setenv("QT_NO_GLIB", "1", 1);  // whose loop would not call a callback inside of itself
  const QApplication application(argc, argv);
  const auto threads = count_threads();  // of Qt
  nearcall::EventLoop loop;
  const nearcall::EventLoop::Binding binding(loop);

  const QTemporaryDir folder;
  const std::string path = folder.filePath("socket").toStdString();
  GreeterService service;
  nearcall::Server server(loop);
  server.add_service(service).listen("unix:" + path);
  if (!server.start()) return 1;

  {
    Window closed(loop, path);
    closed.open();
    loop.poll();
    require(closed.awaits_an_answer(), "a window can be closed while it awaits an answer");
  }
  Window window(loop, path);
  window.open();
  bool was_answered = false;
  window.greet_then([&was_answered](const nearcall::Result<greet::HelloReply>& reply) {
    was_answered = reply && reply->message() == "hello later";
  });
  const int status = QApplication::exec();
  require(was_answered, "a callback gets the answer");
  require(count_threads() == threads, "the server and the client have no thread of their own");
  return status;
}
