// SPDX-License-Identifier: Apache-2.0
// Servers and channels of one process: on threads of their own, and on one loop without the kernel.
#include "integration/both_drivers.hpp"
#include "support/child_process.hpp"
#include "support/sanitized.hpp"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <string>
#include <tuple>
#include <vector>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;

/// Of this test alone.
std::string own_target() {
  const testing::TestInfo& test = *testing::UnitTest::GetInstance()->current_test_info();
  return std::string("inproc:") + test.test_suite_name() + test.name();
}

class InprocServerTest : public LogCheckedTest {
 protected:
  std::unique_ptr<Server> serve(Service& service, SpinPolicy spin = SpinPolicy::adaptive()) {
    auto server = std::make_unique<Server>(ServerOptions().spin(spin).drain_timeout(1s));
    server->add_service(service).listen(target_);
    const Result<void> started = server->start();
    EXPECT_TRUE(started) << started.status().to_string();
    return server;
  }

  const std::string target_ = own_target();
  EchoService echo_;
};

class InprocServer : public InprocServerTest,
                     public testing::WithParamInterface<std::tuple<ClientDriver, bool>> {
 public:
  static std::string name_of(const testing::TestParamInfo<ParamType>& of) {
    const auto [driver, spins] = of.param;
    return std::string(driver == ClientDriver::blocking ? "Blocking" : "Loop") +
           (spins ? "Spins" : "Sleeps");
  }
};

INSTANTIATE_TEST_SUITE_P(
    Drivers,
    InprocServer,
    testing::Combine(testing::Values(ClientDriver::blocking, ClientDriver::loop), testing::Bool()),
    InprocServer::name_of);

TEST_P(InprocServer, OnAThreadOfItsOwnServes) {
  const auto [driver, spins] = GetParam();
  const SpinPolicy spin = spins ? SpinPolicy::adaptive() : SpinPolicy::off();
  const auto server = serve(echo_, spin);
  const Channel channel(target_, ChannelOptions().spin(spin));

  const Status status =
      converse(driver, Echo::Client(channel),
               {.rounds = 300, .big_size = std::size_t{1024} * 1024, .replies = 1000}, spin);

  EXPECT_TRUE(status.ok()) << status.to_string();
}

class PeerService final : public Echo::Service {
  Task<Result<EchoReply>> Unary(ServerContext& call, EchoRequest /*request*/) override {
    EchoReply reply;
    reply.set_payload(call.peer().to_string());
    co_return reply;
  }
};

TEST_F(InprocServerTest, ShowsItsPeersAsThisProcess) {
  PeerService service;
  const auto server = serve(service);
  const Channel channel(target_);
  CallInfo info;

  const Result<EchoReply> reply =
      Echo::Client(channel).Unary(request_of("x"), CallOptions().timeout(10s), &info);

  ASSERT_TRUE(reply) << reply.status().to_string();
  const std::string peer = target_ + " own pid=" + std::to_string(::getpid());
  EXPECT_EQ(reply->payload(), peer);
  EXPECT_EQ(info.peer().to_string(), peer);
}

TEST_F(InprocServerTest, IsWhomTheChannelExpectsUnlessThatIsRoot) {
  const auto server = serve(echo_);
  const Channel user(target_, ChannelOptions().expect_server(PeerPolicy::same_user()));
  const Channel root(target_, ChannelOptions().expect_server(PeerPolicy::root()));

  EXPECT_TRUE(Echo::Client(user).Unary(request_of("x")).ok());
  EXPECT_EQ(Echo::Client(root).Unary(request_of("x")).status().reason(),
            StatusReason::wrong_server);
}

TEST_F(InprocServerTest, WhoseNameIsTakenDoesNotStart) {
  const auto server = serve(echo_);
  Server second;
  second.add_service(echo_).listen(target_);

  const Result<void> started = second.start();

  EXPECT_EQ(started.status().reason(), StatusReason::address_in_use);
}

TEST_F(InprocServerTest, ThatHasGoneIsRefusedAndItsSuccessorIsFound) {
  const Channel channel(target_);
  const Echo::Client echo(channel);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(echo.Unary(request_of("x")).status().message(),
              target_ + ": connect: Connection refused");
    const auto server = serve(echo_);
    ASSERT_TRUE(channel.connect(10s).ok());
    EXPECT_TRUE(echo.Unary(request_of("x")).ok());
  }
}

// ---- on one loop --------------------------------------------------------------------------------

constexpr sock_filter load(std::size_t offset) {
  return {BPF_LD | BPF_W | BPF_ABS, 0, 0, static_cast<std::uint32_t>(offset)};
}
/// Goes on with the next one if what was loaded is `value`, else behind so many.
constexpr sock_filter if_it_is(long value, std::uint8_t otherwise_skip) {
  return {BPF_JMP | BPF_JEQ | BPF_K, 0, otherwise_skip, static_cast<std::uint32_t>(value)};
}
constexpr sock_filter answer(std::uint32_t action) {
  return {BPF_RET | BPF_K, 0, 0, action};
}

#ifdef SYS_epoll_wait
constexpr long epoll_wait_number = SYS_epoll_wait;
#else
constexpr long epoll_wait_number = SYS_epoll_pwait;
#endif
constexpr std::size_t epoll_wait_timeout = offsetof(seccomp_data, args) + 3 * sizeof(std::uint64_t);

/// From now on the kernel kills this process for any system call but its end, memory for the
/// allocator, the time, and a look at other descriptors that does not wait. False: it cannot.
bool forbid_system_calls() {
  std::vector<sock_filter> filter = {load(offsetof(seccomp_data, nr))};
  for (const long allowed : {SYS_exit_group, SYS_brk, SYS_mmap, SYS_munmap, SYS_clock_gettime}) {
    filter.push_back(if_it_is(allowed, 1));
    filter.push_back(answer(SECCOMP_RET_ALLOW));
  }
  filter.push_back(if_it_is(epoll_wait_number, 3));
  filter.push_back(load(epoll_wait_timeout));
  filter.push_back(if_it_is(0, 1));
  filter.push_back(answer(SECCOMP_RET_ALLOW));
  filter.push_back(answer(SECCOMP_RET_KILL_PROCESS));
  const sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

constexpr int cannot_forbid = 77;

/// Calls until nothing is new any more, then without system calls, and ends the process.
Task<void> call_in_silence(const Echo::Client& echo) {
  const EchoRequest request = request_of(std::string(64, 'x'));
  int failures = 0;
  for (int i = 0; i < 1100; ++i) {
    if (i == 100 && !forbid_system_calls()) ::_exit(cannot_forbid);
    const Result<EchoReply> reply = co_await echo.UnaryAsync(request);
    if (!reply) ++failures;
  }
  ::_exit(failures == 0 ? 0 : 1);
}

int serve_in_silence(const std::string& target, SpinPolicy spin) {
  EventLoop loop(spin);
  EchoService service;
  Server server(loop);
  server.add_service(service).listen(target);
  if (!server.start()) return 2;
  const Channel channel(target);
  const Echo::Client echo(channel);
  spawn(loop, call_in_silence(echo));
  loop.run();
  return 3;
}

TEST(InprocOnOneLoop, TakesNoSystemCallForACall) {
  if (is_sanitized) GTEST_SKIP() << "a sanitizer makes system calls of its own";
  for (const SpinPolicy spin : {SpinPolicy::off(), SpinPolicy::adaptive()}) {
    ChildProcess child([&] { return serve_in_silence(own_target(), spin); });

    const int status = child.wait();

    if (status == cannot_forbid) GTEST_SKIP() << "this kernel has no seccomp";
    EXPECT_EQ(status, 0) << "128 + SIGSYS (31): a system call";
  }
}

}  // namespace
}  // namespace nearcall::test
