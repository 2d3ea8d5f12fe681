// SPDX-License-Identifier: Apache-2.0
// Pipes as a transport: what is special to them: SIGPIPE, forks, a lack of descriptors.
#include "transport/pipe_transport.hpp"

#include "support/child_process.hpp"
#include "support/io.hpp"
#include "support/open_descriptors.hpp"
#include "support/system_calls.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

using Kind = IoResult::Kind;

std::pair<UniqueFd, UniqueFd> make_pipe() {
  std::array<int, 2> fds{-1, -1};
  EXPECT_EQ(::pipe2(fds.data(), O_CLOEXEC), 0);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

class PipeTransportTest : public testing::Test {
 protected:
  PipeTransportTest() {
    auto there = make_pipe();
    auto back = make_pipe();
    here_ = *PipeTransport::make(std::move(back.first), std::move(there.second), PeerIdentity("p"));
    there_ =
        *PipeTransport::make(std::move(there.first), std::move(back.second), PeerIdentity("p"));
  }

  std::unique_ptr<Transport> here_;
  std::unique_ptr<Transport> there_;
};

bool is_sigpipe_pending() {
  sigset_t pending{};
  return ::sigpending(&pending) == 0 && ::sigismember(&pending, SIGPIPE) == 1;
}

sigset_t only_sigpipe() {
  sigset_t signals{};
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGPIPE);
  return signals;
}

TEST_F(PipeTransportTest, WritesThatNobodyReadsFailAndRaiseNoSignal) {
  ASSERT_NE(::signal(SIGPIPE, SIG_DFL), SIG_ERR);  // it would end this program
  there_.reset();

  EXPECT_EQ(test::write_once(*here_, "x").error(), std::errc::broken_pipe);
  EXPECT_FALSE(is_sigpipe_pending());
}

TEST_F(PipeTransportTest, LeavesASigpipeThatTheProgramKeepsPending) {
  const sigset_t signals = only_sigpipe();
  ASSERT_EQ(::pthread_sigmask(SIG_BLOCK, &signals, nullptr), 0);
  ::raise(SIGPIPE);
  there_.reset();

  EXPECT_EQ(test::write_once(*here_, "x").error(), std::errc::broken_pipe);
  EXPECT_TRUE(is_sigpipe_pending());

  constexpr timespec at_once{};
  EXPECT_EQ(::sigtimedwait(&signals, nullptr, &at_once), SIGPIPE);
  EXPECT_EQ(::pthread_sigmask(SIG_UNBLOCK, &signals, nullptr), 0);
}

TEST_F(PipeTransportTest, AbortFailsThePeersWritesAtOnce) {
  here_->abort(std::make_error_code(std::errc::timed_out));

  EXPECT_EQ(test::write_once(*there_, "x").error(), std::errc::broken_pipe);
}

TEST_F(PipeTransportTest, ForkedChildLeavesThePipesOfItsParentAlone) {
  test::ChildProcess child([this] {
    here_->abort(std::make_error_code(std::errc::timed_out));
    here_->shutdown_write();
    here_.reset();
    return 0;
  });
  ASSERT_EQ(child.wait(), 0);

  EXPECT_FALSE(test::is_ready(*here_, Interest::read));
  EXPECT_TRUE(test::write_all(*here_, "x"));
  EXPECT_EQ(test::read_exactly(*there_, 1), "x");
}

TEST_F(PipeTransportTest, ForkedChildKeepsNoPipeOpen) {
  test::ProcessSignal runs;
  test::ProcessSignal done;
  test::ChildProcess child([&] {
    runs.raise();
    return done.wait_for(10) ? 0 : 1;
  });
  ASSERT_TRUE(runs.wait());
  there_.reset();

  EXPECT_EQ(test::write_once(*here_, "x").error(), std::errc::broken_pipe);
  EXPECT_EQ(test::read_kind(*here_), Kind::end_of_stream);

  done.raise();
  EXPECT_EQ(child.wait(), 0);
}

#ifdef __x86_64__
Transport* aborted_within_read = nullptr;

/// In the place of a read(2): another thread is faster, and the number is that of something else.
void abort_and_read(int /*signal*/, siginfo_t* /*info*/, void* context) {
  aborted_within_read->abort(std::make_error_code(std::errc::timed_out));
  greg_t* const registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  iovec into{reinterpret_cast<void*>(registers[REG_RSI]),
             static_cast<std::size_t>(registers[REG_RDX])};
  const ssize_t count = ::readv(static_cast<int>(registers[REG_RDI]), &into, 1);
  registers[REG_RAX] = count < 0 ? -errno : count;
}

TEST_F(PipeTransportTest, AbortBetweenTheLookAndTheReadIsTheReasonTheReadGives) {
  test::ChildProcess child([this] {
    aborted_within_read = here_.get();
    struct sigaction action {};
    action.sa_sigaction = &abort_and_read;
    action.sa_flags = SA_SIGINFO;
    ::sigaction(SIGSYS, &action, nullptr);
    if (!test::answer_system_call(SYS_read, test::traps)) return test::no_seccomp;
    std::array<std::byte, 8> buffer{};
    return here_->try_read(buffer).error() == std::errc::timed_out ? 0 : 1;
  });

  const int status = child.wait();

  if (status == test::no_seccomp) GTEST_SKIP() << "this kernel has no seccomp";
  EXPECT_EQ(status, 0);
}
#endif

TEST(PipeTransport, WithoutDescriptorsToWaitWithIsRefusedAndClosesBoth) {
  const std::ptrdiff_t before = test::open_descriptors();
  auto there = make_pipe();
  auto back = make_pipe();
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  const int next = UniqueFd(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0)).get();
  const rlimit one_more{static_cast<rlim_t>(next + 1), limit.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &one_more), 0);

  const auto made =
      PipeTransport::make(std::move(there.first), std::move(back.second), PeerIdentity("stdio:"));

  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.status().to_string(), "RESOURCE_EXHAUSTED: stdio:: epoll: Too many open files");
  there.second.reset();
  back.first.reset();
  EXPECT_EQ(test::open_descriptors(), before);
}

}  // namespace
}  // namespace nearcall::inline v0::detail
