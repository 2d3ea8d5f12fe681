// SPDX-License-Identifier: Apache-2.0
// PeerPolicy: who is admitted by each, and why not.
#include "support/child_process.hpp"
#include "transport/overflow_id.hpp"

#include <nearcall/peer_policy.hpp>

#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <string>

namespace nearcall {
namespace {

constexpr gid_t some_gid = 100;
constexpr pid_t some_pid = 4711;

PeerIdentity peer_with(uid_t uid) {
  return PeerIdentity("unix:/tmp/x.sock", uid, some_gid, some_pid);
}

/// Neither this process's user nor root nor nobody.
uid_t stranger() {
  return ::geteuid() == 4242 ? 4243 : 4242;
}

TEST(PeerPolicy, SameUserOrRootAdmitsThoseTwo) {
  const PeerPolicy policy = PeerPolicy::same_user_or_root();

  EXPECT_TRUE(policy.admits(peer_with(::geteuid())));
  EXPECT_TRUE(policy.admits(peer_with(0)));
}

TEST(PeerPolicy, SameUserOrRootRefusesAnotherUser) {
  EXPECT_FALSE(PeerPolicy::same_user_or_root().admits(peer_with(stranger())));
}

TEST(PeerPolicy, SameUserOrRootRefusesAPeerWithoutCredentials) {
  const PeerPolicy policy = PeerPolicy::same_user_or_root();

  EXPECT_FALSE(policy.admits(PeerIdentity("ipv4:127.0.0.1:4711")));
  EXPECT_FALSE(policy.admits(PeerIdentity()));
  EXPECT_TRUE(policy.needs_credentials());
}

TEST(PeerPolicy, SameUserAloneRefusesRootAndRootAloneRefusesTheUser) {
  const uid_t ours = ::geteuid();

  EXPECT_TRUE(PeerPolicy::same_user().admits(peer_with(ours)));
  EXPECT_EQ(PeerPolicy::same_user().admits(peer_with(0)), ours == 0);
  EXPECT_TRUE(PeerPolicy::root().admits(peer_with(0)));
  EXPECT_EQ(PeerPolicy::root().admits(peer_with(ours)), ours == 0);
}

TEST(PeerPolicy, GroupAdmitsItsMembersWhicheverWayTheyAreIn) {
  const PeerPolicy policy = PeerPolicy::group(some_gid);
  PeerIdentity by_supplement("unix:/tmp/x.sock", stranger(), some_gid + 1, some_pid);
  by_supplement.supplementary_groups({some_gid + 2, some_gid});

  EXPECT_TRUE(policy.admits(peer_with(stranger())));
  EXPECT_TRUE(policy.admits(by_supplement));
  EXPECT_FALSE(PeerPolicy::group(some_gid + 3).admits(by_supplement));
  EXPECT_FALSE(policy.admits(PeerIdentity("ipv4:127.0.0.1:4711")));
}

TEST(PeerPolicy, UserAdmitsWhatIsOwnIfThatIsTheProcesssUserAndNotRoot) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to become somebody else";
  const PeerIdentity own = PeerIdentity::own("inproc:x", ::getpid());
  const uid_t user = stranger();
  EXPECT_FALSE(PeerPolicy::user(0).admits(own));
  EXPECT_FALSE(PeerPolicy::user(user).admits(own));

  test::ChildProcess child([&] {
    if (::setuid(user) != 0) return 1;
    return PeerPolicy::user(user).admits(own) ? 0 : 2;
  });

  EXPECT_EQ(child.wait(), 0);
}

TEST(PeerPolicy, UserAdmitsThatOneAlone) {
  const PeerPolicy policy = PeerPolicy::user(stranger());

  EXPECT_TRUE(policy.admits(peer_with(stranger())));
  EXPECT_FALSE(policy.admits(peer_with(stranger() + 2)));
  EXPECT_FALSE(policy.admits(peer_with(::geteuid())));
  EXPECT_FALSE(policy.admits(PeerIdentity("ipv4:127.0.0.1:4711")));
  EXPECT_TRUE(policy.needs_credentials());
  EXPECT_EQ(policy.users().front(), stranger());
}

TEST(PeerPolicy, WhatIsOursCountsAsTheSameUserAndNeverAsRoot) {
  const PeerIdentity own = PeerIdentity::own("inproc:x", ::getpid());

  EXPECT_TRUE(PeerPolicy::same_user().admits(own));
  EXPECT_TRUE(PeerPolicy::same_user_or_root().admits(own));
  EXPECT_TRUE(untrusted::anyone().admits(own));
  EXPECT_FALSE(PeerPolicy::root().admits(own));
  EXPECT_FALSE(PeerPolicy::group(::getegid()).admits(own));
  EXPECT_FALSE(PeerPolicy::by_file_mode().admits(own));
  EXPECT_EQ(PeerPolicy::root().why_not(own), "what is this process's own is not admitted (root)");
}

TEST(PeerPolicy, ByFileModeAdmitsWhomTheKernelLetConnect) {
  const PeerPolicy policy = PeerPolicy::by_file_mode();

  EXPECT_TRUE(policy.admits(peer_with(stranger())));
  EXPECT_FALSE(policy.admits(PeerIdentity("ipv4:127.0.0.1:4711")));
  EXPECT_TRUE(policy.needs_credentials());
  EXPECT_TRUE(policy.needs_socket_file());
  EXPECT_FALSE(PeerPolicy::same_user_or_root().needs_socket_file());
}

TEST(PeerPolicy, AnyOfAdmitsWhomOneOfThemAdmits) {
  const PeerPolicy policy =
      PeerPolicy::any_of({PeerPolicy::same_user(), PeerPolicy::group(some_gid)});

  EXPECT_TRUE(policy.admits(PeerIdentity("", ::geteuid(), some_gid + 1, some_pid)));
  EXPECT_TRUE(policy.admits(PeerIdentity("", stranger(), some_gid, some_pid)));
  EXPECT_FALSE(policy.admits(PeerIdentity("", stranger(), some_gid + 1, some_pid)));
  EXPECT_EQ(PeerPolicy::any_of({PeerPolicy::root(), PeerPolicy::same_user()}),
            PeerPolicy::same_user_or_root());
  EXPECT_FALSE(PeerPolicy::any_of({}).admits(peer_with(0)));
}

TEST(PeerPolicy, IsPrivateIfItAdmitsNoOtherUser) {
  EXPECT_TRUE(PeerPolicy::same_user_or_root().is_private());
  EXPECT_TRUE(PeerPolicy::user(::geteuid()).is_private());
  EXPECT_TRUE(PeerPolicy::user(0).is_private());
  EXPECT_FALSE(PeerPolicy::user(stranger()).is_private());
  EXPECT_FALSE(PeerPolicy::group(some_gid).is_private());
  EXPECT_FALSE(PeerPolicy::by_file_mode().is_private());
  EXPECT_FALSE(untrusted::anyone().is_private());
}

/// What a child that became `nobody` says of its own user, by both of the policies that have it.
int verdict_of_nobody(bool in_namespace_of_its_own) {
  constexpr uid_t nobody = 65534;
  test::ChildProcess child([&] {
    if (::setgid(nobody) != 0 || ::setuid(nobody) != 0) return 2;
    if (in_namespace_of_its_own && ::unshare(CLONE_NEWUSER) != 0) return 3;
    const PeerPolicy policy = PeerPolicy::same_user_or_root();
    const PeerIdentity peer("unix:/x", ::geteuid(), some_gid, some_pid);
    if (policy.admits(peer) != PeerPolicy::user(nobody).admits(peer)) return 5;
    if (policy.admits(peer)) return 0;
    return policy.why_not(peer).find("/proc/self/uid_map") != std::string::npos ? 1 : 4;
  });
  return child.wait();
}

TEST(PeerPolicy, NobodyIsItsOwnUserWhereThatIdIsNoPlaceholder) {
  if (::geteuid() != 0 || detail::may_be_any_user(65534)) {
    GTEST_SKIP() << "needs root of the first user namespace";
  }

  EXPECT_EQ(verdict_of_nobody(/*in_namespace_of_its_own=*/false), 0);
}

TEST(PeerPolicy, ThePlaceholderForUsersOfOtherNamespacesIsNobodysUserAndTheLogSaysWhy) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to become nobody";

  const int verdict = verdict_of_nobody(/*in_namespace_of_its_own=*/true);

  if (verdict == 3) GTEST_SKIP() << "no user namespaces here";
  EXPECT_EQ(verdict, 1);
}

TEST(PeerPolicy, NamesItselfAndWhomItRefuses) {
  const PeerPolicy policy =
      PeerPolicy::any_of({PeerPolicy::group(27), PeerPolicy::same_user(), PeerPolicy::user(8),
                          PeerPolicy::group(5), PeerPolicy::user(7), PeerPolicy::user(8)});

  EXPECT_EQ(policy.to_string(), "same user or user 7 or user 8 or group 5 or group 27");
  EXPECT_EQ(policy.why_not(peer_with(4711)),
            "uid 4711 is not admitted (same user or user 7 or user 8 or group 5 or group 27)");
  EXPECT_EQ(PeerPolicy::root().why_not(PeerIdentity("ipv4:1.2.3.4:5")),
            "a peer without credentials is not admitted (root)");
  EXPECT_EQ(PeerPolicy::by_file_mode().to_string(), "whoever the file's mode lets in");
  EXPECT_EQ(untrusted::anyone().to_string(), "anyone");
  EXPECT_EQ(PeerPolicy::any_of({}).to_string(), "nobody");
}

TEST(PeerPolicy, AnyoneAdmitsWhoeverComes) {
  const PeerPolicy policy = untrusted::anyone();

  EXPECT_TRUE(policy.admits(PeerIdentity()));
  EXPECT_TRUE(policy.admits(peer_with(stranger())));
  EXPECT_FALSE(policy.needs_credentials());
}

TEST(PeerPolicy, IsAValue) {
  EXPECT_EQ(untrusted::anyone(), untrusted::anyone());
  EXPECT_NE(untrusted::anyone(), PeerPolicy::same_user_or_root());
}

}  // namespace
}  // namespace nearcall
