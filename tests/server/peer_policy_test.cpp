// SPDX-License-Identifier: Apache-2.0
// PeerPolicy: who is admitted by each.
#include <nearcall/peer_policy.hpp>

#include <gtest/gtest.h>
#include <unistd.h>

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

TEST(PeerPolicy, ThePlaceholderForUsersOfOtherNamespacesIsNobodysUser) {
  constexpr uid_t overflow_uid = 65534;

  EXPECT_FALSE(PeerPolicy::same_user_or_root().admits(peer_with(overflow_uid)));
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
