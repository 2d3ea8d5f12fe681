// SPDX-License-Identifier: Apache-2.0
// Peer credentials: of a real process, under another user, and where there are none.
#include "transport/peer_credentials.hpp"

#include "base/unique_fd.hpp"
#include "support/child_process.hpp"
#include "support/temp_dir.hpp"
#include "transport/socket_address.hpp"

#include <grp.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <numeric>
#include <vector>

namespace nearcall::inline v0::detail {
namespace {

using test::ChildProcess;
using test::ProcessSignal;

constexpr uid_t other_user = 65534;

int connect_to(const SocketAddress& address) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  return ::connect(fd, address.get(), address.size()) == 0 ? fd : -1;
}

class PeerCredentials : public testing::Test {
 protected:
  PeerCredentials() : address_(SocketAddress::unix_path(directory_.file("s"))) {
    EXPECT_EQ(::bind(listening_.get(), address_.get(), address_.size()), 0);
    EXPECT_EQ(::listen(listening_.get(), 8), 0);
  }
  UniqueFd accept() {
    return UniqueFd(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }

  test::TempDir directory_;
  SocketAddress address_;
  UniqueFd listening_{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
};

TEST_F(PeerCredentials, AreThoseOfTheProcessThatConnected) {
  ProcessSignal finish;
  ChildProcess child([&] { return connect_to(address_) >= 0 && finish.wait() ? 0 : 1; });
  const UniqueFd accepted = accept();

  const PeerIdentity peer = peer_identity(accepted.get(), "unix:/x");

  EXPECT_TRUE(peer.has_credentials());
  EXPECT_EQ(peer.pid(), child.pid());
  EXPECT_EQ(peer.uid(), ::geteuid());
  EXPECT_EQ(peer.gid(), ::getegid());
  EXPECT_EQ(peer.to_string(), "unix:/x uid=" + std::to_string(::geteuid()) +
                                  " gid=" + std::to_string(::getegid()) +
                                  " pid=" + std::to_string(child.pid()));
  finish.raise();
  EXPECT_EQ(child.wait(), 0);
}

TEST_F(PeerCredentials, AreThoseOfTheOtherUser) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to become somebody else";
  ASSERT_EQ(::chmod(directory_.path().c_str(), 0755), 0);
  ASSERT_EQ(::chmod(directory_.file("s").c_str(), 0666), 0);
  ChildProcess child([&] {
    if (::setgid(other_user) != 0 || ::setuid(other_user) != 0) return 1;
    return connect_to(address_) >= 0 ? 0 : 2;
  });
  ASSERT_EQ(child.wait(), 0);

  const PeerIdentity peer = peer_identity(accept().get(), "");

  EXPECT_EQ(peer.uid(), other_user);
  EXPECT_EQ(peer.gid(), other_user);
}

TEST_F(PeerCredentials, SurviveTheProcessThatHadThem) {
  ChildProcess child([&] { return connect_to(address_) >= 0 ? 0 : 1; });
  const pid_t pid = child.pid();
  ASSERT_EQ(child.wait(), 0);

  EXPECT_EQ(peer_identity(accept().get(), "").pid(), pid);
}

TEST_F(PeerCredentials, NameTheSupplementaryGroupsFewOrMany) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to join groups";
  for (const std::size_t count : {std::size_t{0}, std::size_t{2}, std::size_t{100}}) {
    std::vector<gid_t> groups(count);
    std::iota(groups.begin(), groups.end(), gid_t{5000});
    ChildProcess child([&] {
      if (::setgroups(groups.size(), groups.data()) != 0) return 1;
      return connect_to(address_) >= 0 ? 0 : 2;
    });
    ASSERT_EQ(child.wait(), 0);

    const PeerIdentity peer = peer_identity(accept().get(), "");

    EXPECT_TRUE(std::ranges::equal(peer.supplementary_groups(), groups)) << count;
    EXPECT_EQ(peer.is_in_group(5001), count > 1);
    EXPECT_TRUE(peer.is_in_group(peer.gid()));
    EXPECT_FALSE(peer.is_in_group(4999));
  }
}

TEST(PeerCredentialsElsewhere, TcpSocketHasNone) {
  const UniqueFd tcp(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));

  const PeerIdentity peer = peer_identity(tcp.get(), "ipv4:127.0.0.1:1");

  EXPECT_FALSE(peer.has_credentials());
  EXPECT_EQ(peer.uid(), static_cast<uid_t>(-1));
  EXPECT_EQ(peer.gid(), static_cast<gid_t>(-1));
  EXPECT_EQ(peer.pid(), 0);
  EXPECT_EQ(peer.to_string(), "ipv4:127.0.0.1:1");
  EXPECT_FALSE(peer.is_in_group(static_cast<gid_t>(-1)));
}

TEST(PeerCredentialsElsewhere, OwnEndIsShownAsSuchAndAsNoUser) {
  const PeerIdentity own = PeerIdentity::own("inproc:x", 4711);

  EXPECT_TRUE(own.is_own());
  EXPECT_FALSE(own.has_credentials());
  EXPECT_EQ(own.uid(), static_cast<uid_t>(-1));
  EXPECT_EQ(own.pid(), 4711);
  EXPECT_EQ(own.to_string(), "inproc:x own pid=4711");
  EXPECT_FALSE(PeerIdentity("ipv4:127.0.0.1:1").is_own());
}

TEST(PeerCredentialsElsewhere, UnconnectedUnixSocketHasNone) {
  const UniqueFd lonely(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));

  EXPECT_FALSE(peer_identity(lonely.get(), "").has_credentials());
}

}  // namespace
}  // namespace nearcall::inline v0::detail
