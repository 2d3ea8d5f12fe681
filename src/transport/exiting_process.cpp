// SPDX-License-Identifier: Apache-2.0
// What /proc tells of a process that exits.
#include "transport/exiting_process.hpp"

#include "base/unique_fd.hpp"

#include <fcntl.h>
#include <signal.h>

#include <array>
#include <charconv>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

using namespace std::chrono_literals;

constexpr Duration between_tries = 1ms;

/// The file of /proc, empty if there is none.
std::string read_file(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return {};
  std::array<char, 4096> buffer{};
  const ssize_t count = ::read(file.get(), buffer.data(), buffer.size());
  return {buffer.data(), count > 0 ? static_cast<std::size_t>(count) : 0};
}

/// The state (Z: not reaped yet, X: being reaped) and the flags of proc_pid_stat(5).
bool is_exiting(std::string_view stat) noexcept {
  constexpr unsigned pf_exiting = 0x4;           // of the kernel's sched.h
  const std::size_t name_end = stat.rfind(')');  // the name itself may contain anything
  if (name_end == std::string_view::npos || name_end + 2 >= stat.size()) return false;
  std::string_view rest = stat.substr(name_end + 2);
  if (rest.front() == 'Z' || rest.front() == 'X') return true;
  constexpr int fields_between_state_and_flags = 6;
  for (int field = 0; field < fields_between_state_and_flags; ++field) {
    const std::size_t space = rest.find(' ');
    if (space == std::string_view::npos) return false;
    rest.remove_prefix(space + 1);
  }
  unsigned flags = 0;
  std::from_chars(rest.data(), rest.data() + rest.size(), flags);
  return (flags & pf_exiting) != 0;
}

/// Whether a SIGKILL is on its way to the process or to its first thread.
bool is_killed(std::string_view status) noexcept {
  for (const std::string_view key : {"\nSigPnd:\t", "\nShdPnd:\t"}) {
    const std::size_t at = status.find(key);
    if (at == std::string_view::npos) continue;
    const std::string_view digits = status.substr(at + key.size());
    std::uint64_t pending = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), pending, 16);
    if ((pending >> (SIGKILL - 1) & 1U) != 0) return true;
  }
  return false;
}

}  // namespace

ProcessState process_state(pid_t process) noexcept {
  if (process <= 0) return ProcessState::runs;
  if (::kill(process, 0) != 0 && errno == ESRCH) return ProcessState::gone;
  const std::string folder = "/proc/" + std::to_string(process);
  const bool exits =
      is_exiting(read_file(folder + "/stat")) || is_killed(read_file(folder + "/status"));
  return exits ? ProcessState::exits : ProcessState::runs;
}

bool ExitWait::wait_for(pid_t holder) noexcept {
  state_ = process_state(holder);
  if (state_ == ProcessState::runs) return false;
  // Once it has gone it holds nothing: if the next try fails too, somebody else is in the way.
  if (state_ == ProcessState::gone) return !std::exchange(was_gone_, true);
  const TimePoint now = SteadyClock::now();
  if (deadline_ == no_deadline) deadline_ = now + longest_;
  if (now >= deadline_) return false;
  std::this_thread::sleep_for(between_tries);
  return true;
}

}  // namespace nearcall::inline v0::detail
