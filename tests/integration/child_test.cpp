// SPDX-License-Identifier: Apache-2.0
// Servers that are started by their client, as children or as commands.
#include "integration/both_drivers.hpp"
#include "integration/server_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class ChildServer : public LogCheckedTest, public testing::WithParamInterface<ClientDriver> {
 protected:
  static std::string converse_over(const Channel& channel) {
    return converse(GetParam(), Echo::Client(channel),
                    {.rounds = 20, .big_size = mebibyte, .replies = 100})
        .to_string();
  }
  /// What becomes of one call.
  static Status call(const Channel& channel,
                     EchoRequest request,
                     std::chrono::nanoseconds timeout) {
    const Echo::Client echo(channel);
    const CallOptions options = CallOptions().timeout(timeout);
    if (GetParam() == ClientDriver::blocking) return echo.Unary(request, options).status();
    return sync_wait(await(echo, std::move(request), options)).status();
  }
  static Channel spawn_shell(const std::string& script, ChannelOptions options = ChannelOptions()) {
    auto channel =
        Channel::spawn({"/bin/sh", "-c", script}, SpawnOptions().grace(0s), std::move(options));
    EXPECT_TRUE(channel) << channel.status().to_string();
    return *channel;
  }

 private:
  static Task<Result<EchoReply>> await(const Echo::Client& echo,
                                       EchoRequest request,
                                       CallOptions options) {
    co_return co_await echo.UnaryAsync(request, options);
  }
};

INSTANTIATE_TEST_SUITE_P(Drivers,
                         ChildServer,
                         testing::Values(ClientDriver::blocking, ClientDriver::loop),
                         driver_name);

/// To read from, and to write to.
std::pair<detail::UniqueFd, detail::UniqueFd> pipe_ends() {
  std::array<int, 2> fds{-1, -1};
  EXPECT_EQ(::pipe2(fds.data(), O_CLOEXEC), 0);
  return {detail::UniqueFd(fds[0]), detail::UniqueFd(fds[1])};
}

/// The spawned child, once it serves.
pid_t child_of(const Channel& channel) {
  const Echo::Client echo(channel);
  CallInfo info;
  EXPECT_TRUE(echo.Unary(request_of("x"), CallOptions().timeout(10s), &info).status().ok());
  return info.peer().pid();
}

TEST_P(ChildServer, ThatIsSpawnedServes) {
  const auto channel = Channel::spawn({ECHO_PROGRAM, "inherited:"});
  ASSERT_TRUE(channel) << channel.status().to_string();

  EXPECT_EQ(converse_over(*channel), "OK");
}

TEST_P(ChildServer, ThatCannotBeStartedIsToldAtOnce) {
  const auto channel = Channel::spawn({"/nowhere/plugin", "inherited:"});

  EXPECT_EQ(channel.status().to_string(),
            "UNAVAILABLE: spawn:/nowhere/plugin: exec /nowhere/plugin: No such file or directory");
}

TEST_P(ChildServer, ThatDiesBeforeItListensFailsCallsWithItsStatus) {
  const Channel channel = spawn_shell("exit 42");

  for (int i = 0; i < 2; ++i) {
    const Status status = call(channel, request_of("x"), 60s);

    EXPECT_EQ(status.code(), StatusCode::unavailable);
    EXPECT_THAT(status.message(), HasSubstr("the child exited with status 42"));
  }
}

TEST_P(ChildServer, ThatNeverListensFailsCallsAtTheirDeadline) {
  const Channel channel = spawn_shell("exec sleep 1000");

  const Status status = call(channel, request_of("x"), 100ms);

  EXPECT_EQ(status.code(), StatusCode::deadline_exceeded) << status.to_string();
}

TEST_P(ChildServer, ThatNeverListensFailsCallsWhenTheChannelLosesPatience) {
  const Channel channel = spawn_shell("exec sleep 1000", ChannelOptions().connect_timeout(100ms));

  const Status status = call(channel, request_of("x"), 60s);

  EXPECT_EQ(status.code(), StatusCode::unavailable) << status.to_string();
  EXPECT_EQ(status.reason(), StatusReason::no_answer) << status.to_string();
}

TEST_P(ChildServer, ThatClosesItsDescriptorHasClosedTheConnection) {
  const Channel channel = spawn_shell("exec 3>&-; exec sleep 1000");

  const Status status = call(channel, request_of("x"), 60s);

  EXPECT_EQ(status.code(), StatusCode::unavailable);
}

TEST_P(ChildServer, ThatLeavesAProcessBehindIsOverAllTheSame) {
  const Channel channel = spawn_shell("sleep 1000 & exit 0");

  const Status status = call(channel, request_of("x"), 60s);

  EXPECT_EQ(status.code(), StatusCode::unavailable);
  EXPECT_THAT(status.message(), HasSubstr("the child exited with status 0"));
}

TEST_P(ChildServer, ThatIsACommandServes) {
  const Channel channel(std::string("exec:") + ECHO_PROGRAM + " 'stdio:'",
                        ChannelOptions().allow_exec());

  EXPECT_EQ(converse_over(channel), "OK");
}

TEST_P(ChildServer, ThatIsACommandNeedsPermission) {
  const Channel channel("exec:true");

  EXPECT_EQ(converse_over(channel),
            "FAILED_PRECONDITION: exec:true: such a target needs ChannelOptions::allow_exec()");
}

TEST_P(ChildServer, ThatIsNoProgramIsToldByTheCall) {
  const Channel channel("exec:/nowhere/program --flag", ChannelOptions().allow_exec());

  EXPECT_EQ(call(channel, request_of("x"), 60s).to_string(),
            "UNAVAILABLE: exec:/nowhere/program --flag: exec /nowhere/program: No such file or "
            "directory");
}

TEST_P(ChildServer, ThatIsACommandAndFailsIsNamedWithItsStatus) {
  const Channel channel("exec:sh -c 'exit 255'", ChannelOptions().allow_exec());

  const Status status = call(channel, request_of("x"), 60s);

  EXPECT_EQ(status.code(), StatusCode::unavailable);
  EXPECT_THAT(status.message(), HasSubstr("the child exited with status 255"));
}

/// As ssh gives a command its standard input and output.
TEST_P(ChildServer, BehindPipesServesWhomItIsToldToUntilTheyEnd) {
  auto [their_input, our_output] = pipe_ends();
  auto [our_input, their_output] = pipe_ends();
  const std::array<int, 2> theirs = {their_input.get(), their_output.get()};
  ChildProcess server([&theirs] {
    ::dup2(theirs[0], STDIN_FILENO);
    ::dup2(theirs[1], STDOUT_FILENO);
    ::execl(ECHO_PROGRAM, ECHO_PROGRAM, "--anyone", "stdio:", nullptr);
    return 127;
  });
  their_input.reset();
  their_output.reset();
  const std::string folder = "/proc/" + std::to_string(::getpid()) + "/fd/";
  const std::string copy_in = "cat <" + folder + std::to_string(our_input.get());
  const std::string copy_out = "cat >" + folder + std::to_string(our_output.get());

  EXPECT_EQ(converse_over(Channel("exec:sh -c '" + copy_in + " & exec " + copy_out + "'",
                                  ChannelOptions().allow_exec())),
            "OK");

  our_output.reset();
  our_input.reset();
  EXPECT_EQ(server.wait(), 0);
}

TEST(SpawnedServer, ThatIsKilledInMidCallFailsItWithTheSignal) {
  const auto channel = Channel::spawn({ECHO_PROGRAM, "inherited:"});
  ASSERT_TRUE(channel) << channel.status().to_string();
  auto call = Echo::Client(*channel).Chat(CallOptions().timeout(60s));
  ASSERT_TRUE(call.write(request_of("x", 1)));
  ASSERT_TRUE(call.read());

  ASSERT_EQ(::kill(call.peer().pid(), SIGKILL), 0);

  EXPECT_FALSE(call.read());
  const Status status = call.finish();
  EXPECT_EQ(status.code(), StatusCode::unavailable);
  EXPECT_THAT(status.message(), HasSubstr("the child was killed by signal 9 (SIGKILL)"));
}

TEST(SpawnedServer, EndsWithItsChannelInGoodOrder) {
  auto [read_end, write_end] = pipe_ends();
  pid_t child = 0;
  {
    const auto channel = Channel::spawn(
        {"/bin/sh", "-c", "\"$@\"; echo \"status $?\"", "sh", ECHO_PROGRAM, "inherited:"},
        SpawnOptions().output(write_end.get()).grace(10s));
    ASSERT_TRUE(channel) << channel.status().to_string();
    write_end.reset();
    child = child_of(*channel);
  }

  std::array<char, 100> text{};
  const ssize_t count = ::read(read_end.get(), text.data(), text.size());
  EXPECT_EQ(std::string(text.data(), static_cast<std::size_t>(std::max<ssize_t>(count, 0))),
            "status 0\n");
  EXPECT_NE(::kill(child, 0), 0);
}

TEST(SpawnedServer, OutlivesItsChannelAsLongAsACallRuns) {
  auto channel = std::make_unique<Channel>(*Channel::spawn({ECHO_PROGRAM, "inherited:"}));
  const Echo::Client echo(*channel);
  channel.reset();

  EXPECT_TRUE(echo.Unary(request_of("x"), CallOptions().timeout(10s)).status().ok());
}

TEST(SpawnedServer, IsOurOwnAndNoUser) {
  const auto channel = Channel::spawn({ECHO_PROGRAM, "inherited:"}, SpawnOptions(),
                                      ChannelOptions().expect_server(PeerPolicy::same_user()));
  ASSERT_TRUE(channel);
  const Echo::Client echo(*channel);
  CallInfo info;

  EXPECT_TRUE(echo.Unary(request_of("x"), CallOptions().timeout(10s), &info).status().ok());

  EXPECT_TRUE(info.peer().is_own());
  EXPECT_EQ(info.peer().uid(), static_cast<uid_t>(-1)) << "not root, whoever we are";
}

/// The one that started it is gone, and nobody is left to end it.
TEST(SpawnedServer, EndsWithTheProcessThatSpawnedIt) {
  auto [read_end, write_end] = pipe_ends();
  ProcessSignal serves;
  ChildProcess parent([&serves, output = write_end.get()] {
    const auto channel =
        Channel::spawn({ECHO_PROGRAM, "inherited:"}, SpawnOptions().output(output));
    if (channel && child_of(*channel) > 0) serves.raise();
    ::pause();
    return 0;
  });
  write_end.reset();
  ASSERT_TRUE(serves.wait());

  parent.kill();

  pollfd watched{read_end.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&watched, 1, 10'000), 1);
  char byte = 0;
  EXPECT_EQ(::read(read_end.get(), &byte, 1), 0) << "nobody can print there any more";
}

}  // namespace
}  // namespace nearcall::test
