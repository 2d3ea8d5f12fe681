// SPDX-License-Identifier: Apache-2.0
// What the kernel answers to system calls of a test's child process.
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <array>
#include <cstddef>
#include <cstdint>

namespace nearcall::test {

/// What a child exits with whose kernel knows no seccomp: its test is skipped.
inline constexpr int no_seccomp = 77;

/// Answers of the kernel: the process is killed, or the call fails, or SIGSYS comes in its place.
inline constexpr std::uint32_t is_killed = SECCOMP_RET_KILL_PROCESS;
inline constexpr std::uint32_t traps = SECCOMP_RET_TRAP;
constexpr std::uint32_t fails_with(int number) {
  return SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(number);
}

/// From now on the kernel answers so to one system call of this process. False: it cannot.
inline bool answer_system_call(long number, std::uint32_t answer) {
  const auto wanted = static_cast<std::uint32_t>(number);
  std::array<sock_filter, 4> filter = {
      sock_filter{BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
      sock_filter{BPF_JMP | BPF_JEQ | BPF_K, 0, 1, wanted},
      sock_filter{BPF_RET | BPF_K, 0, 0, answer},
      sock_filter{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
  const sock_fprog program{filter.size(), filter.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

}  // namespace nearcall::test
