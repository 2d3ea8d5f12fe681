// SPDX-License-Identifier: Apache-2.0
// Each kind of address between two processes, under both drivers of a client.
#include "integration/both_drivers.hpp"
#include "integration/echo_child.hpp"
#include "integration/server_process.hpp"
#include "support/scoped_variable.hpp"
#include "transport/listening.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>
#include <vector>

namespace nearcall::test {
namespace {

class Address : public LogCheckedTest, public testing::WithParamInterface<ClientDriver> {
 protected:
  /// A conversation with a server process that listens at `target`.
  std::string converse_at(const std::string& target,
                          const ListenOptions& listen = ListenOptions()) {
    ServerSetup setup;
    setup.target = target;
    setup.listen = listen;
    return converse_with(setup, ChannelOptions());
  }
  std::string converse_with(const ServerSetup& setup, ChannelOptions options) {
    ServerProcess server(folder_.file("x"), setup);
    if (!server.is_ready()) return "not ready: " + server.log();
    return converse_over(Channel(server.target(), std::move(options)));
  }
  static std::string converse_over(const Channel& channel) {
    return converse(GetParam(), Echo::Client(channel),
                    {.rounds = 20, .big_size = mebibyte, .replies = 100})
        .to_string();
  }

  const TempDir folder_;
};

INSTANTIATE_TEST_SUITE_P(Drivers,
                         Address,
                         testing::Values(ClientDriver::blocking, ClientDriver::loop),
                         driver_name);

TEST_P(Address, OfAPathServes) {
  EXPECT_EQ(converse_at("unix:" + folder_.file("s")), "OK");
}

TEST_P(Address, OfAnAbstractNameServes) {
  const std::string target = "unix-abstract:nearcall%00%FF-" + std::to_string(::getpid());

  EXPECT_EQ(converse_at(target, untrusted::anyone()), "OK");
}

TEST_P(Address, OfANamedPipeServes) {
  const ScopedVariable directory("TMPDIR", folder_.path().c_str());

  EXPECT_EQ(converse_at("npipe:greeter"), "OK");
}

TEST_P(Address, OfTwoFifosServes) {
  EXPECT_EQ(converse_at("fifo:" + folder_.file("f")), "OK");
}

TEST_P(Address, OfAListeningDescriptorServes) {
  const std::string path = folder_.file("s");
  const detail::UniqueFd listening = listening_at(path);
  EchoProgram server("fd:3", {listening.get()});

  EXPECT_EQ(converse_over(Channel("unix:" + path)), "OK");

  EXPECT_EQ(server.stop(), 0);
  EXPECT_TRUE(connected_to(path)) << "it is ours";
}

TEST_P(Address, OfAConnectedDescriptorServes) {
  std::array<int, 2> fds{-1, -1};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds.data()), 0);
  detail::UniqueFd theirs(fds[1]);
  EchoProgram server("fd:3", {theirs.get()});
  theirs.reset();
  const std::string target = "fd:" + std::to_string(fds[0]);
  const Channel channel(target, ChannelOptions().allow_fd().max_connections(1));

  EXPECT_EQ(converse_over(channel), "OK");
  EXPECT_NE(::fcntl(fds[0], F_GETFD) & FD_CLOEXEC, 0);

  EXPECT_EQ(server.stop(), 0);
}

TEST_P(Address, OfSocketsThatSystemdPassedServesAtAllOfThem) {
  const detail::UniqueFd one = listening_at(folder_.file("one"));
  const detail::UniqueFd other = listening_at(folder_.file("other"));
  ASSERT_EQ(::fcntl(one.get(), F_SETFL, 0), 0) << "systemd's block";
  EchoProgram server("systemd:", {one.get(), other.get()}, activation(2, "web:admin"));

  EXPECT_EQ(converse_over(Channel("unix:" + folder_.file("one"))), "OK");
  EXPECT_EQ(converse_over(Channel("unix:" + folder_.file("other"))), "OK");

  EXPECT_EQ(server.stop(), 0);
}

TEST_P(Address, OfASocketThatSystemdKeepsServesWithTheNextServer) {
  const std::string path = folder_.file("s");
  const detail::UniqueFd kept = listening_at(path);
  const Channel channel("unix:" + path);
  for (int i = 0; i < 2; ++i) {
    EchoProgram server("systemd:web", {kept.get()}, activation(1, "web"));

    EXPECT_EQ(converse_over(channel), "OK");

    EXPECT_EQ(server.stop(), 0);
  }
}

TEST_P(Address, OfASocketThatWasNotPassedIsNone) {
  const detail::UniqueFd listening = listening_at(folder_.file("s"));
  EchoProgram server("systemd:admin", {listening.get()}, activation(1, "web"));
  EchoProgram liar("systemd:", {listening.get()}, activation(1'000'000, "web"));

  EXPECT_EQ(server.wait(), 1);
  EXPECT_EQ(liar.wait(), 1);
}

/// systemd's own word for it.
TEST_P(Address, OfWhatSystemdSocketActivatePassesServes) {
  constexpr const char* activator = "/usr/bin/systemd-socket-activate";
  if (::access(activator, X_OK) != 0) GTEST_SKIP() << "there is no " << activator;
  const std::string path = folder_.file("s");
  ChildProcess server([&] {
    ::close(STDERR_FILENO);  // it tells what it does
    ::open("/dev/null", O_WRONLY);
    const std::string listen = "--listen=" + path;
    ::execl(activator, activator, listen.c_str(), "--fdname=web", ECHO_PROGRAM, "systemd:web",
            nullptr);
    return 127;
  });
  const Channel channel("unix:" + path);
  ASSERT_TRUE(channel.connect(std::chrono::seconds(10)).ok());

  EXPECT_EQ(converse_over(channel), "OK");

  ::kill(server.pid(), SIGTERM);
  EXPECT_EQ(server.wait(), 0);
}

TEST_P(Address, OfADescriptorNeedsPermission) {
  std::array<int, 2> fds{-1, -1};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds.data()), 0);
  const detail::UniqueFd one(fds[0]);
  const detail::UniqueFd other(fds[1]);
  const std::string target = "fd:" + std::to_string(fds[0]);

  EXPECT_EQ(converse_over(Channel(target)),
            "FAILED_PRECONDITION: " + target + ": such a target needs ChannelOptions::allow_fd()");
  EXPECT_EQ(::fcntl(fds[0], F_GETFD), 0) << "it is left alone";
}

}  // namespace
}  // namespace nearcall::test
