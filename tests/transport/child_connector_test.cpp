// SPDX-License-Identifier: Apache-2.0
// Children as what connectors lead to.
#include "transport/child_connector.hpp"

#include "support/child_process.hpp"
#include "support/io.hpp"
#include "transport/connecting.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <string>
#include <vector>

namespace nearcall::inline v0::detail {
namespace {

using namespace std::chrono_literals;

/// A child that runs a line of shell, and gets no time to end by itself.
Result<std::shared_ptr<Connector>> spawn_shell(const std::string& script,
                                               const SpawnOptions& options = SpawnOptions()) {
  return spawn_child({"/bin/sh", "-c", script}, SpawnOptions(options).grace(0s));
}

std::unique_ptr<Connector> connector_to(const std::string& target) {
  const Result<Endpoint> endpoint = Endpoint::parse(target);
  EXPECT_TRUE(endpoint);
  return make_command_connector(*endpoint);
}

std::string read_all(int fd) {
  std::string text;
  std::array<char, 100> buffer{};
  for (;;) {
    const ssize_t count = ::read(fd, buffer.data(), buffer.size());
    if (count <= 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
}

TEST(SpawnedChild, HasTheOtherEndAsItsDescriptor3) {
  const auto connector = spawn_shell("printf hello >&3; exec cat <&3 >&3");
  ASSERT_TRUE(connector) << connector.error().to_string();

  const auto connection = test::connect_now(**connector);

  ASSERT_TRUE(connection);
  EXPECT_EQ(test::read_exactly(**connection, 5), "hello");
  ASSERT_TRUE(test::write_all(**connection, "echo"));
  EXPECT_EQ(test::read_exactly(**connection, 4), "echo");
  EXPECT_EQ((*connection)->peer().address(), "spawn:/bin/sh");
}

TEST(SpawnedChild, HasOneConnection) {
  const auto connector = spawn_shell("exec sleep 1000");
  ASSERT_TRUE(connector);
  const auto connection = test::connect_now(**connector);

  const auto another = test::connect_now(**connector);

  ASSERT_FALSE(another);
  EXPECT_EQ(another.error().to_string(),
            "UNAVAILABLE: spawn:/bin/sh: the child has one connection, which was used already; "
            "blocking calls do not share it with those that are awaited on a loop");
}

TEST(SpawnedChild, ThatHasEndedIsNotStartedAgain) {
  const auto connector = spawn_shell("exit 7");
  ASSERT_TRUE(connector);
  {
    const auto connection = test::connect_now(**connector);
    ASSERT_TRUE(connection && test::park(**connection, Interest::read));
    EXPECT_EQ(test::read_kind(**connection), IoResult::Kind::failed);
  }

  const auto again = test::connect_now(**connector);

  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().to_string(),
            "UNAVAILABLE: spawn:/bin/sh: the child exited with status 7");
}

TEST(SpawnedChild, PrintsWhereItIsTold) {
  std::array<int, 2> fds{-1, -1};
  ASSERT_EQ(::pipe2(fds.data(), O_CLOEXEC), 0);
  const UniqueFd read_end(fds[0]);
  UniqueFd write_end(fds[1]);

  const auto connector =
      spawn_shell("cat; echo out; echo error >&2", SpawnOptions().output(write_end.get()));
  write_end.reset();

  ASSERT_TRUE(connector);
  EXPECT_EQ(read_all(read_end.get()), "out\nerror\n") << "and has nothing to read";
}

TEST(SpawnedChild, PrintsNowhereIfItIsTold) {
  const auto connector = spawn_shell("cd /proc/$$/fd; printf \"$(readlink 1) $(readlink 2)\" >&3",
                                     SpawnOptions().drop_output());
  ASSERT_TRUE(connector);

  const auto connection = test::connect_now(**connector);

  EXPECT_EQ(test::read_exactly(**connection, 100), "/dev/null /dev/null");
}

TEST(SpawnedChild, NeedsAnOutputThatIsOpen) {
  for (const int fd : {1'000'000, -1, -2}) {  // -1: what a failed open(2) gives
    const auto connector = spawn_shell("exit 0", SpawnOptions().output(fd));

    ASSERT_FALSE(connector);
    EXPECT_EQ(connector.error().to_string(),
              "FAILED_PRECONDITION: spawn:/bin/sh: SpawnOptions::output(" + std::to_string(fd) +
                  "): it is not open");
  }
}

TEST(SpawnedChild, ThatCannotBeRunIsRefusedAtOnce) {
  const auto nowhere = spawn_child({"/nowhere/plugin"}, SpawnOptions());
  const auto nothing = spawn_child({}, SpawnOptions());

  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().to_string(),
            "UNAVAILABLE: spawn:/nowhere/plugin: exec /nowhere/plugin: No such file or directory");
  EXPECT_EQ(nowhere.error().reason(), StatusReason::no_server);
  ASSERT_FALSE(nothing);
  EXPECT_EQ(nothing.error().to_string(), "INVALID_ARGUMENT: spawn:: the command is empty");
}

TEST(SpawnedChild, IsThatOfTheProcessThatSpawnedIt) {
  const auto connector = spawn_shell("exec sleep 1000");
  ASSERT_TRUE(connector);
  test::ChildProcess fork([&] {
    const auto connection = test::connect_now(**connector);
    return !connection && connection.error().message().find("forked") != std::string::npos ? 0 : 1;
  });

  EXPECT_EQ(fork.wait(), 0);

  EXPECT_TRUE(test::connect_now(**connector));
}

TEST(CommandConnector, SpeaksToStandardInputAndOutput) {
  const auto connector = connector_to("exec:sh -c 'printf \"$1 \"; exec cat' name 'two words'");

  const auto connection = test::connect_now(*connector);

  ASSERT_TRUE(connection) << connection.error().to_string();
  EXPECT_EQ(test::read_exactly(**connection, 10), "two words ");
  ASSERT_TRUE(test::write_all(**connection, "echo"));
  EXPECT_EQ(test::read_exactly(**connection, 4), "echo");
  EXPECT_TRUE((*connection)->peer().is_own());
}

TEST(CommandConnector, RunsTheCommandForEachConnection) {
  const auto connector = connector_to("exec:cat");

  const auto one = test::connect_now(*connector);
  const auto other = test::connect_now(*connector);

  ASSERT_TRUE(one && other);
  EXPECT_NE((*one)->peer().pid(), (*other)->peer().pid());
}

TEST(CommandConnector, GivesItNoOtherDescriptors) {
  const UniqueFd open_on_exec(::fcntl(STDERR_FILENO, F_DUPFD, 20));
  const auto connector = connector_to(
      "exec:sh -c 'cd /proc/$$/fd; for fd in 3 4 5 6 7 8 9 \"$1\"; do test ! -e $fd "
      "|| echo $fd; done; test -e 2 && echo end; read line' name " +
      std::to_string(open_on_exec.get()));

  const auto connection = test::connect_now(*connector);

  ASSERT_TRUE(connection);
  EXPECT_EQ(test::read_exactly(**connection, 4), "end\n");
}

TEST(CommandConnector, EndsTheCommandWithItsConnection) {
  const auto connector = connector_to("exec:sleep 1000");
  auto connection = test::connect_now(*connector);
  ASSERT_TRUE(connection);
  const pid_t pid = (*connection)->peer().pid();

  connection->reset();

  EXPECT_NE(::kill(pid, 0), 0);
}

TEST(CommandConnector, SaysWhatCannotBeRun) {
  const auto connector = connector_to("exec:/nowhere/program --flag");

  const auto connection = test::connect_now(*connector);

  ASSERT_FALSE(connection);
  EXPECT_EQ(connection.error().to_string(),
            "UNAVAILABLE: exec:/nowhere/program --flag: exec /nowhere/program: No such file or "
            "directory");
}

}  // namespace
}  // namespace nearcall::inline v0::detail
