// SPDX-License-Identifier: Apache-2.0
// Times a program from its start to its exit, without a shell or an interpreter in between:
// start_exit REPEATS SOCKET PROGRAM ARGUMENTS… prints the median and the 99th percentile as JSON.
// SOCKET is - for a client, which exits by itself; a server is told to once it says READY.
#include "common/meter.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <stdexcept>
#include <string>
#include <string_view>

extern char** environ;

namespace {

/// A child whose standard output we read.
class Child {
 public:
  explicit Child(char** command) {
    std::array<int, 2> pipe{};
    if (pipe2(pipe.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pipe[1], STDOUT_FILENO);
    const int error = posix_spawnp(&pid_, command[0], &actions, nullptr, command, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(pipe[1]);
    output_ = pipe[0];
    if (error != 0) throw std::runtime_error(std::string("cannot start ") + command[0]);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() { close(output_); }

  void stop_when_ready() const {
    std::array<char, 16> text{};
    if (read(output_, text.data(), text.size()) <= 0) throw std::runtime_error("never ready");
    kill(pid_, SIGTERM);
  }
  void wait(bool was_told_to_exit) const {
    int status = 0;
    if (waitpid(pid_, &status, 0) != pid_) throw std::runtime_error("waitpid");
    const bool by_signal = WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM;
    if (status != 0 && !(was_told_to_exit && by_signal)) throw std::runtime_error("it failed");
  }

 private:
  pid_t pid_ = 0;
  int output_ = -1;
};

void run_once(char** command, bool is_server) {
  const Child child(command);
  if (is_server) child.stop_when_ready();
  child.wait(is_server);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  const bool is_server = std::string_view(argv[2]) != "-";
  bench::Histogram times;
  try {
    for (int left = std::stoi(argv[1]); left > 0; --left) {
      if (is_server) unlink(argv[2]);
      const bench::Clock::time_point started = bench::Clock::now();
      run_once(argv + 3, is_server);
      times.add((bench::Clock::now() - started).count());
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  std::printf("{\"p50_ns\": %llu, \"p99_ns\": %llu}\n",
              static_cast<unsigned long long>(times.quantile(0.5)),
              static_cast<unsigned long long>(times.quantile(0.99)));
  return 0;
}
