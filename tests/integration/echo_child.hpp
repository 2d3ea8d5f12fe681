// SPDX-License-Identifier: Apache-2.0
// EchoProgram: an EchoService that is started as a program is, with descriptors and an environment.
#pragma once

#include "support/child_process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace nearcall::test {

/// A server in a program of its own that inherits descriptors, from 3 on, and no others.
class EchoProgram {
 public:
  EchoProgram(
      const std::vector<std::string>& arguments,
      const std::vector<int>& inherited,
      const std::function<void()>& prepare = [] {})
      : child_([&] {
          std::vector<int> high;  // so that none lies where another one goes
          for (const int fd : inherited)
            high.push_back(::fcntl(fd, F_DUPFD_CLOEXEC, 100));
          for (std::size_t i = 0; i < high.size(); ++i)
            ::dup2(high[i], static_cast<int>(3 + i));
          prepare();
          std::string program = ECHO_PROGRAM;
          std::vector<std::string> all = arguments;
          std::vector<char*> words{program.data()};
          for (std::string& argument : all)
            words.push_back(argument.data());
          words.push_back(nullptr);
          ::execv(program.c_str(), words.data());
          return 127;
        }) {}
  EchoProgram(
      const std::string& target,
      const std::vector<int>& inherited,
      const std::function<void()>& prepare = [] {})
      : EchoProgram(std::vector{target}, inherited, prepare) {}

  /// Stops it in good order: its exit status.
  int stop() {
    ::kill(child_.pid(), SIGTERM);
    return child_.wait();
  }
  void kill() { child_.kill(); }
  /// Waits for its end: its exit status.
  int wait() { return child_.wait(); }

 private:
  ChildProcess child_;
};

/// What a service manager says to the program that it starts.
inline std::function<void()> activation(std::size_t count, const std::string& names) {
  return [count, names] {
    ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), /*overwrite=*/1);
    ::setenv("LISTEN_FDS", std::to_string(count).c_str(), /*overwrite=*/1);
    ::setenv("LISTEN_FDNAMES", names.c_str(), /*overwrite=*/1);
  };
}

}  // namespace nearcall::test
