// SPDX-License-Identifier: Apache-2.0
// Policies by name: whom the system knows, and whom it does not.
#include <nearcall/peer_policy.hpp>

#include <grp.h>
#include <gtest/gtest.h>
#include <pwd.h>

#include <string>
#include <string_view>

namespace nearcall {
namespace {

using namespace std::string_view_literals;

TEST(NamedAccounts, UserAndGroupAreThoseOfThatName) {
  const passwd* const daemon = ::getpwnam("daemon");
  ASSERT_NE(daemon, nullptr);
  const uid_t uid = daemon->pw_uid;
  const group* const operators = ::getgrnam("daemon");
  ASSERT_NE(operators, nullptr);

  EXPECT_EQ(PeerPolicy::user("daemon").value(), PeerPolicy::user(uid));
  EXPECT_EQ(PeerPolicy::group("daemon").value(), PeerPolicy::group(operators->gr_gid));
}

TEST(NamedAccounts, ANameThatNobodyHasIsNotFound) {
  for (const std::string_view name : {"no-such-account"sv, ""sv, "root\0"sv, "daemon\0x"sv}) {
    EXPECT_EQ(PeerPolicy::user(name).status().code(), StatusCode::not_found);
    EXPECT_EQ(PeerPolicy::group(name).status().code(), StatusCode::not_found);
  }
  EXPECT_EQ(PeerPolicy::user("no\nbody").status().message(), R"(there is no user "no\x0abody")");
  EXPECT_EQ(PeerPolicy::group("nobodies").status().message(), R"(there is no group "nobodies")");
}

TEST(NamedAccounts, ALiteralZeroIsAnId) {
  EXPECT_EQ(PeerPolicy::user(0).to_string(), "user 0");
  EXPECT_EQ(PeerPolicy::group(0).to_string(), "group 0");
}

}  // namespace
}  // namespace nearcall
