// SPDX-License-Identifier: Apache-2.0
// Forking, waiting, and a pipe to wait on.
#include "support/child_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

namespace nearcall::test {

ChildProcess::ChildProcess(const std::function<int()>& body) : pid_(::fork()) {
  if (pid_ < 0) {
    std::perror("fork");
    std::abort();
  }
  if (pid_ == 0) ::_exit(body());
}

ChildProcess::~ChildProcess() {
  kill();
}

int ChildProcess::wait() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void ChildProcess::kill() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  wait();
}

Zombie::Zombie() : child_([] { return 0; }) {
  siginfo_t info{};
  const auto id = static_cast<id_t>(child_.pid());
  while (::waitid(P_PID, id, &info, WEXITED | WNOWAIT) != 0 && errno == EINTR) {
  }
}

ProcessSignal::ProcessSignal() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    std::perror("pipe2");
    std::abort();
  }
  read_ = detail::UniqueFd(ends[0]);
  write_ = detail::UniqueFd(ends[1]);
}

void ProcessSignal::raise() noexcept {
  const char byte = 0;
  while (::write(write_.get(), &byte, 1) < 0 && errno == EINTR) {
  }
}

bool ProcessSignal::wait() noexcept {
  char byte = 0;
  ssize_t count = 0;
  do {
    count = ::read(read_.get(), &byte, 1);
  } while (count < 0 && errno == EINTR);
  return count == 1;
}

bool ProcessSignal::wait_for(int seconds) noexcept {
  pollfd watched{read_.get(), POLLIN, 0};
  int ready = 0;
  do {
    ready = ::poll(&watched, 1, seconds * 1000);
  } while (ready < 0 && errno == EINTR);
  return ready == 1 && wait();
}

}  // namespace nearcall::test
