// SPDX-License-Identifier: Apache-2.0
// make_connector and make_listener: each kind of endpoint gets its transport.
#include "transport/make_transport.hpp"

#include "support/child_process.hpp"
#include "support/io.hpp"
#include "support/misuse.hpp"
#include "support/temp_dir.hpp"
#include "transport/connecting.hpp"
#include "transport/listening.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <unistd.h>

#include <array>

namespace nearcall {
namespace {

using testing::HasSubstr;

TEST(MakeTransport, ListenerAndConnectorOfEachKindFindEachOther) {
  const test::TempDir directory;
  for (const std::string& target :
       {"unix:" + directory.file("s"), "unix:" + directory.file(std::string(255, 'l')),
        "npipe:" + directory.file("p"),
        "unix-abstract:nearcall-make-%00%FF%2F-" + std::to_string(::getpid()),
        "inproc:make-" + directory.path(), "fifo:" + directory.file("f"),
        std::string("ipv4:127.0.0.1:0"), std::string("ipv6:[::1]:0"),
        std::string("vsock:1:4294967295")}) {
    SCOPED_TRACE(target);
    const ListenOptions options = target.find(directory.path()) != std::string::npos
                                      ? ListenOptions()
                                      : ListenOptions(untrusted::anyone());
    auto listener = make_listener(target, options);
    ASSERT_TRUE(listener);
    const Result<void> bound = (*listener)->bind();
    const bool may_be_missing = target.starts_with("ipv6:") || target.starts_with("vsock:");
    if (!bound && may_be_missing) continue;  // of this machine
    ASSERT_TRUE(bound) << bound.status().to_string();
    const auto connector = make_connector((*listener)->address());
    ASSERT_TRUE(connector);

    const auto client = test::connect_now(**connector);

    ASSERT_TRUE(client) << client.error().to_string();
    const WaitAdvice advice = (*listener)->prepare_wait();
    pollfd watched{advice.fd(), advice.events(), 0};
    ASSERT_EQ(::poll(&watched, 1, 10'000), 1);
    const auto server = (*listener)->try_accept();
    ASSERT_TRUE(server && *server);
    ASSERT_TRUE(test::write_all(**client, "hello"));
    EXPECT_EQ(test::read_exactly(**server, 5), "hello");
  }
}

TEST(MakeTransport, AuthorityNeedsAConnectCallback) {
  const auto connector = make_connector("http://localhost");
  ASSERT_TRUE(connector);

  const auto connection = test::connect_now(**connector);

  ASSERT_FALSE(connection);
  EXPECT_EQ(connection.error().code(), StatusCode::failed_precondition);
  EXPECT_EQ(make_listener("http://localhost").status().code(), StatusCode::invalid_argument);
}

TEST(MakeTransport, WhatIsNoTargetIsAnError) {
  EXPECT_EQ(make_connector("carrier-pigeon:x").status().code(), StatusCode::invalid_argument);
  EXPECT_EQ(make_connector("carrier-pigeon:x").status().reason(), StatusReason::bad_target);
  EXPECT_EQ(make_listener("carrier-pigeon:x").status().code(), StatusCode::invalid_argument);
}

TEST(MakeTransport, ListenerWhosePolicyCannotBeKeptIsAnError) {
  EXPECT_EQ(make_listener("ipv4:127.0.0.1:0").status().code(), StatusCode::failed_precondition);
  EXPECT_EQ(make_listener("ipv4:127.0.0.1:0").status().reason(), StatusReason::misuse);
}

/// A socket that this process could have inherited.
detail::UniqueFd inheritable_listener(const test::TempDir& directory) {
  detail::UniqueFd listening = test::listening_at(directory.file("s"));
  ::fcntl(listening.get(), F_SETFD, 0);
  return listening;
}

TEST(MakeTransport, DescriptorIsTheListenersOnceTheListenerIsMade) {
  const test::TempDir directory;
  const int fd = inheritable_listener(directory).release();
  {
    const auto listener = make_listener("fd:" + std::to_string(fd));

    ASSERT_TRUE(listener) << listener.error().to_string();
    EXPECT_EQ((*listener)->address(), "unix:" + directory.file("s"));
    EXPECT_TRUE((*listener)->knows_credentials());
    EXPECT_THAT(make_listener("fd:" + std::to_string(fd)).status().message(),
                HasSubstr("it is close-on-exec, so it was not inherited"))
        << "twice";
  }
  EXPECT_EQ(::fcntl(fd, F_GETFD), -1) << "closed";
}

TEST(MakeTransport, DescriptorOfAProgramsOwnIsAdopted) {
  const test::TempDir directory;
  detail::UniqueFd listening = test::listening_at(directory.file("s"));
  const int fd = listening.release();

  EXPECT_EQ(make_listener("fd:" + std::to_string(fd)).status().code(),
            StatusCode::failed_precondition);
  const auto listener = adopt_listener(fd);
  ASSERT_TRUE(listener) << listener.error().to_string();
  EXPECT_EQ(
      adopt_connector(fd).status().message(),
      "unix:" + directory.file("s") + ": it listens, and a channel needs one that is connected");
}

TEST(MakeTransport, DescriptorThatIsRefusedStaysTheCallers) {
  const detail::UniqueFd null(::open("/dev/null", O_RDWR));
  const std::string target = "fd:" + std::to_string(null.get());

  for (const Status& status : {make_listener(target).status(), adopt_listener(null.get()).status(),
                               adopt_connector(null.get()).status()}) {
    EXPECT_EQ(status.code(), StatusCode::failed_precondition);
    EXPECT_EQ(status.message(), target +
                                    ": it has to be a stream socket that listens or is "
                                    "connected, and is a device, such as /dev/null or a "
                                    "terminal");
  }
  EXPECT_EQ(::fcntl(null.get(), F_GETFD), 0);
}

TEST(MakeTransport, DescriptorWithoutCredentialsNeedsAnyone) {
  detail::UniqueFd tcp(::socket(AF_INET, SOCK_STREAM, 0));
  ASSERT_EQ(::listen(tcp.get(), 1), 0);
  const std::string target = "fd:" + std::to_string(tcp.get());

  const Status status = make_listener(target).status();

  EXPECT_EQ(status.code(), StatusCode::failed_precondition);
  EXPECT_THAT(status.message(), HasSubstr("untrusted::anyone()"));
  EXPECT_TRUE(make_listener(target, untrusted::anyone()));
  tcp.release();
}

TEST(MakeTransport, DescriptorWithAPathMayGoByItsMode) {
  const test::TempDir directory;
  detail::UniqueFd listening = inheritable_listener(directory);
  const std::string target = "fd:" + std::to_string(listening.get());

  EXPECT_TRUE(make_listener(target, PeerPolicy::by_file_mode()));
  listening.release();
}

TEST(MakeTransport, DescriptorWithoutAPathHasNoMode) {
  std::array<int, 2> fds{-1, -1};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds.data()), 0);
  const detail::UniqueFd one(fds[0]);
  const detail::UniqueFd other(fds[1]);

  EXPECT_THAT(
      make_listener("fd:" + std::to_string(fds[0]), PeerPolicy::by_file_mode()).status().message(),
      HasSubstr("by_file_mode() is for a socket that has a path"));
}

TEST(MakeTransport, ConnectorOfADescriptorNeedsAnOption) {
  const auto connector = make_connector("fd:0");
  ASSERT_TRUE(connector);

  EXPECT_EQ(test::connect_now(**connector).status().message(),
            "fd:0: such a target needs ChannelOptions::allow_fd()");
}

TEST(MakeTransport, SystemdIsForServersThatItHasStarted) {
  const auto connector = make_connector("systemd:web");
  ASSERT_TRUE(connector);

  EXPECT_EQ(test::connect_now(**connector).status().message(),
            "systemd:web: such a target is for servers");
  EXPECT_EQ(make_listener("systemd:web").status().code(), StatusCode::failed_precondition);
}

TEST(MakeTransport, ConnectorOfACommandNeedsAnOption) {
  const auto connector = make_connector("exec:cat");
  ASSERT_TRUE(connector);

  EXPECT_EQ(test::connect_now(**connector).status().message(),
            "exec:cat: such a target needs ChannelOptions::allow_exec()");
  EXPECT_EQ(make_listener("exec:cat").status().message(),
            "exec:cat: nobody can listen on such a target");
}

TEST(MakeTransport, WhatAProcessIsStartedWithIsForServers) {
  for (const std::string target : {"inherited:", "stdio:"}) {
    const auto connector = make_connector(target);
    ASSERT_TRUE(connector);

    EXPECT_EQ(test::connect_now(**connector).status().message(),
              target + ": such a target is for servers");
  }
}

/// Makes it descriptor 3, as an exec would.
void inherit(int fd) {
  const int above = ::fcntl(fd, F_DUPFD_CLOEXEC, 10);  // 3 itself would stay as it is
  above < 0 ? ::close(3) : ::dup2(above, 3);
}

/// A process whose descriptor 3 is this one (-1: closed): whether "inherited:" is refused so.
bool is_not_inherited(int fd, const std::string& why) {
  test::ChildProcess process([&] {
    inherit(fd);
    const auto listener = make_listener("inherited:");
    return !listener && listener.error().message() == "inherited: descriptor 3: " + why ? 0 : 1;
  });
  return process.wait() == 0;
}

TEST(MakeTransport, InheritedIsAConnectedSocketThatIsTakenOnce) {
  const test::TempDir directory;
  std::array<int, 2> fds{-1, -1};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()), 0);
  const detail::UniqueFd one(fds[0]);
  const detail::UniqueFd other(fds[1]);
  const std::string stream = "it has to be a stream socket that listens or is connected, and is ";

  EXPECT_TRUE(is_not_inherited(-1, "that descriptor is not open"));
  EXPECT_TRUE(is_not_inherited(detail::UniqueFd(::open("/dev/null", O_RDWR)).get(),
                               stream + "a device, such as /dev/null or a terminal"));
  EXPECT_TRUE(is_not_inherited(test::listening_at(directory.file("s")).get(),
                               "it listens, and a spawned child has one that is connected; fd:3 "
                               "takes it"));
  test::ChildProcess child([&one] {
    inherit(one.get());
    const auto first = make_listener("inherited:");
    const bool is_kept = first && (::fcntl(3, F_GETFD) & FD_CLOEXEC) != 0;
    const auto second = make_listener("inherited:");
    return is_kept && second.status().message().find("it is close-on-exec") != std::string::npos
               ? 0
               : 1;
  });
  EXPECT_EQ(child.wait(), 0);
}

TEST(ListenerDeathTest, UsedOutOfOrderSaysTheOrder) {
  const test::TempDir directory;
  for (const std::string& target :
       {"unix:" + directory.file("s"), "npipe:" + directory.file("p"), "inproc:" + directory.path(),
        std::string("ipv4:127.0.0.1:0")}) {
    SCOPED_TRACE(target);
    const auto made = make_listener(target, ListenOptions(untrusted::anyone()).mode(0600));
    ASSERT_TRUE(made) << made.error().to_string();
    Listener& listener = **made;
    const auto order = test::ends_with_sentence(
        "Listener: used out of order; call bind() once, and prepare_wait() only between bind() and "
        "unbind()");

    EXPECT_DEATH(listener.prepare_wait(), order);
    ASSERT_TRUE(listener.bind());
    EXPECT_DEATH(static_cast<void>(listener.bind()), order);
    listener.unbind();
    EXPECT_DEATH(listener.prepare_wait(), order);
  }
}

}  // namespace
}  // namespace nearcall
