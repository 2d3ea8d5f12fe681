// SPDX-License-Identifier: Apache-2.0
// posix_spawn, pidfds, and the end of a child.
#include "transport/started_process.hpp"

#include "transport/exiting_process.hpp"
#include "transport/system_error.hpp"

#include <nearcall/event_loop.hpp>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <string_view>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

using namespace std::chrono_literals;

/// How long the kernel may take to end what was killed, or what exits.
constexpr Duration patience_with_kernel = 2s;
/// The longest grace where other connections of a loop wait meanwhile, and the longest wait there
/// for what seems to exit: all but its threads may.
constexpr Duration longest_grace_on_loop = 50ms;
constexpr Duration longest_exit_on_loop = 200ms;

/// How a child has ended, as an error: its value is one of these and a status or a signal.
class ChildEnd final : public std::error_category {
 public:
  static constexpr int exited = 0x1000;
  static constexpr int killed = 0x2000;
  static constexpr int unknown = 0x4000;

  static std::error_code of(int value) noexcept {
    static const ChildEnd category;
    return {value, category};
  }
  const char* name() const noexcept override { return "child"; }
  std::string message(int value) const override {
    const int number = value & 0xfff;
    if ((value & exited) != 0) return "the child exited with status " + std::to_string(number);
    if ((value & killed) == 0) return "the child has ended, and somebody else knows how";
    const char* const name = ::sigabbrev_np(number);
    return "the child was killed by signal " + std::to_string(number) +
           (name != nullptr ? std::string(" (SIG") + name + ")" : std::string());
  }
};

std::string unknown_end() {
  return ChildEnd::of(ChildEnd::unknown).message();
}

/// What posix_spawn(3) does in the child before the program runs. Each call says 0, or errno.
class Preparations {
 public:
  Preparations() {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawnattr_init(&attributes_);
  }
  ~Preparations() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }
  Preparations(const Preparations&) = delete;
  Preparations& operator=(const Preparations&) = delete;

  /// Those of the plan, and none above `last`.
  int set_descriptors(const ProcessPlan& plan, int null, int last) {
    for (const ProcessPlan::Descriptor& one : plan.descriptors) {
      const int ours = one.ours >= 0 ? one.ours : null;
      if (int failed = ::posix_spawn_file_actions_adddup2(&actions_, ours, one.theirs)) {
        return failed;
      }
    }
    return ::posix_spawn_file_actions_addclosefrom_np(&actions_, last + 1);
  }
  /// No signal is blocked, none is ignored; handlers do not survive an exec anyway.
  int set_signals_and_group(bool has_group) {
    sigset_t none{};
    sigset_t all{};
    ::sigemptyset(&none);
    ::sigfillset(&all);
    int failed = ::posix_spawnattr_setsigmask(&attributes_, &none);
    if (failed == 0) failed = ::posix_spawnattr_setsigdefault(&attributes_, &all);
    if (failed == 0) failed = ::posix_spawnattr_setpgroup(&attributes_, 0);
    const int flags =
        POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | (has_group ? POSIX_SPAWN_SETPGROUP : 0);
    return failed == 0 ? ::posix_spawnattr_setflags(&attributes_, static_cast<short>(flags))
                       : failed;
  }
  /// Where the program is no program, no shell is tried (as execvp(3) would).
  int run(const std::vector<std::string>& command, pid_t& pid) const {
    std::vector<char*> arguments;
    for (const std::string& argument : command)
      arguments.push_back(const_cast<char*>(argument.c_str()));  // execve(2) only reads it
    arguments.push_back(nullptr);
    return ::posix_spawnp(&pid, arguments.front(), &actions_, &attributes_, arguments.data(),
                          ::environ);
  }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

// Not <sys/pidfd.h>: that of glibc 2.36 is for C alone.
int open_pidfd(pid_t pid) noexcept {
  return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
}
void signal_pidfd(int pidfd, int number) noexcept {
  ::syscall(SYS_pidfd_send_signal, pidfd, number, nullptr, 0);
}

Status refused(const std::string& subject, const std::string& call, int number) {
  Status status = connect_status(subject, call, number);
  // EAGAIN: RLIMIT_NPROC, or that of a cgroup.
  return number == EAGAIN ? std::move(status).with_reason(StatusReason::system_limit) : status;
}

/// The last one that the child gets.
int last_descriptor(const ProcessPlan& plan) noexcept {
  int last = STDERR_FILENO;
  for (const ProcessPlan::Descriptor& one : plan.descriptors)
    last = std::max(last, one.theirs);
  return last;
}

/// What is wrong with a command that no system call would refuse.
std::string_view problem_of(const std::vector<std::string>& command) {
  if (command.empty() || command.front().empty()) return "the command is empty";
  const bool has_nul = std::ranges::any_of(
      command, [](const std::string& part) { return part.find('\0') != std::string::npos; });
  return has_nul ? "the command contains a NUL byte" : std::string_view();
}

}  // namespace

Result<std::shared_ptr<StartedProcess>> StartedProcess::start(const ProcessPlan& plan,
                                                              const std::string& subject) {
  if (const std::string_view problem = problem_of(plan.command); !problem.empty()) {
    return Status::invalid_argument(subject + ": " + std::string(problem))
        .with_reason(StatusReason::misuse);
  }
  const int last = last_descriptor(plan);
  const UniqueFd opened(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!opened) return refused(subject, "open /dev/null", errno);
  // Above those of the child, which are put in place one after the other.
  const UniqueFd null(::fcntl(opened.get(), F_DUPFD_CLOEXEC, last + 1));
  if (!null) return refused(subject, "open /dev/null", errno);
  Preparations preparations;
  pid_t pid = 0;
  int failed = preparations.set_descriptors(plan, null.get(), last);
  if (failed == 0) failed = preparations.set_signals_and_group(plan.has_group);
  if (failed == 0) failed = preparations.run(plan.command, pid);
  if (failed != 0) return refused(subject, "exec " + plan.command.front(), failed);
  // Nobody else reaps it before we do, so the number is its own.
  UniqueFd pidfd(open_pidfd(pid));
  if (!pidfd) {
    const int reason = errno;
    // The program ignores SIGCHLD, and the number may be that of another process.
    if (reason == ESRCH) return Status(StatusCode::unavailable, subject + ": " + unknown_end());
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return refused(subject, "pidfd_open", reason);
  }
  return std::shared_ptr<StartedProcess>(new StartedProcess(pid, std::move(pidfd), plan));
}

StartedProcess::~StartedProcess() {
  if (!made_in_.is_in_maker()) return;
  const bool is_on_loop = EventLoop::running() != nullptr;
  const Duration grace = is_on_loop ? std::min(grace_, longest_grace_on_loop) : grace_;
  if (!wait_for(grace)) {
    signal(SIGTERM);
    if (!wait_for(grace)) signal(SIGKILL);
    wait_for(patience_with_kernel);
  }
  end();
}

bool StartedProcess::wait_for(Duration most) const noexcept {
  const TimePoint until = SteadyClock::now() + most;
  for (;;) {
    const Duration left = std::max(until - SteadyClock::now(), Duration::zero());
    const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(left).count();
    pollfd watched{pidfd_.get(), POLLIN, 0};
    const int ready = ::poll(&watched, 1, static_cast<int>(milliseconds));
    if (ready >= 0 || errno != EINTR) return ready == 1;
  }
}

/// One that has left its group since gets it alone.
void StartedProcess::signal(int number) const noexcept {
  if (has_group_ && ::getpgid(pid_) == pid_) {
    ::kill(-pid_, number);
  } else {
    signal_pidfd(pidfd_.get(), number);
  }
}

std::optional<std::error_code> StartedProcess::end() noexcept {
  // There the mutex may be that of a thread which is not there.
  if (!made_in_.is_in_maker()) return std::nullopt;
  const std::lock_guard lock(mutex_);
  if (end_ || !wait_for(Duration::zero())) return end_;
  end_ = reap();
  return end_;
}

std::error_code StartedProcess::reap() noexcept {
  siginfo_t info{};
  const auto id = static_cast<id_t>(pidfd_.get());
  // Where the program ignores SIGCHLD, or waits for whatever child there is, it is not ours to
  // reap.
  if (::waitid(P_PIDFD, id, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid != pid_) {
    return ChildEnd::of(ChildEnd::unknown);
  }
  // Until it is reaped nothing else has its number, and so no other group.
  if (has_group_) ::kill(-pid_, SIGKILL);
  ::waitid(P_PIDFD, id, &info, WEXITED | WNOHANG);
  return ChildEnd::of((info.si_code == CLD_EXITED ? ChildEnd::exited : ChildEnd::killed) |
                      info.si_status);
}

std::optional<std::error_code> StartedProcess::end_if_exiting() noexcept {
  const std::optional<std::error_code> known = end();
  if (known || !made_in_.is_in_maker() || was_waited_in_vain_.load()) return known;
  if (process_state(pid_) == ProcessState::runs) return known;
  const bool is_on_loop = EventLoop::running() != nullptr;
  const Duration most = is_on_loop ? longest_exit_on_loop : patience_with_kernel;
  if (!wait_for(most)) was_waited_in_vain_.store(true);
  return end();
}

}  // namespace nearcall::inline v0::detail
