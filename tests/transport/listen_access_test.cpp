// SPDX-License-Identifier: Apache-2.0
// Policies and modes that go together, and those that do not.
#include "transport/listen_access.hpp"

#include "support/log_capture.hpp"
#include "support/temp_dir.hpp"
#include "transport/listening.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <string>

namespace nearcall::inline v0::detail {
namespace {

using testing::HasSubstr;

constexpr gid_t operators = 4711;

Status verdict_on(const char* target, const ListenOptions& options) {
  return check_access(*Endpoint::parse(target), options).status();
}
Status verdict_on(const ListenOptions& options) {
  return verdict_on("unix:/run/x.sock", options);
}

TEST(ListenAccess, TheDefaultIsFineForAPathAlone) {
  EXPECT_TRUE(verdict_on(ListenOptions()).ok());
  for (const char* open : {"unix-abstract:x", "ipv4:127.0.0.1:1", "ipv6:[::1]:1", "vsock:2:1"}) {
    const Status status = verdict_on(open, ListenOptions());
    EXPECT_EQ(status.code(), StatusCode::failed_precondition) << open;
    EXPECT_THAT(status.message(), HasSubstr("untrusted::anyone()")) << open;
    EXPECT_TRUE(verdict_on(open, untrusted::anyone()).ok()) << open;
    EXPECT_FALSE(verdict_on(open, PeerPolicy::by_file_mode()).ok()) << open;
  }
}

TEST(ListenAccess, ANameWithinTheProcessIsForItself) {
  EXPECT_TRUE(verdict_on("inproc:x", ListenOptions()).ok());
  EXPECT_TRUE(verdict_on("inproc:x", untrusted::anyone()).ok());
  EXPECT_EQ(verdict_on("inproc:x", PeerPolicy::root()).message(),
            "inproc:x: what connects there is our own, which the policy \"root\" does "
            "not admit");
}

TEST(ListenAccess, AModeForOthersNeedsAPolicyForOthers) {
  for (const mode_t mode : {0660U, 0666U, 0602U, 0620U}) {
    const Status status = verdict_on(ListenOptions().mode(mode).group(operators));
    EXPECT_EQ(status.code(), StatusCode::failed_precondition) << std::oct << mode;
    EXPECT_THAT(status.message(), HasSubstr("unix:/run/x.sock: mode 06"));
    EXPECT_THAT(status.message(), HasSubstr("\"same user or root\""));
    EXPECT_THAT(status.message(), HasSubstr("PeerPolicy::by_file_mode()"));

    EXPECT_TRUE(verdict_on(ListenOptions(PeerPolicy::by_file_mode()).mode(mode)).ok());
    EXPECT_TRUE(verdict_on(ListenOptions(untrusted::anyone()).mode(mode)).ok());
  }
  EXPECT_TRUE(verdict_on(ListenOptions().mode(0644)).ok()) << "reading lets nobody connect";
}

TEST(ListenAccess, APolicyForAGroupNeedsAModeForIt) {
  const ListenOptions policy(PeerPolicy::group(operators));
  ListenOptions options = policy;

  EXPECT_EQ(verdict_on(options).message(),
            "unix:/run/x.sock: the policy \"group 4711\" admits group 4711, which mode 0600 keeps "
            "out; pass ListenOptions::mode(0660).group(4711)");
  EXPECT_FALSE(verdict_on(options.mode(0660)).ok()) << "the file has another group";
  EXPECT_TRUE(verdict_on(options.group(operators)).ok());
  options = policy;
  EXPECT_TRUE(verdict_on(options.mode(0666)).ok());
}

TEST(ListenAccess, OfSeveralGroupsTheFileLetsInAll) {
  const PeerPolicy two =
      PeerPolicy::any_of({PeerPolicy::group(operators), PeerPolicy::group(operators + 1)});

  EXPECT_THAT(verdict_on(ListenOptions(two).mode(0660).group(operators)).message(),
              HasSubstr("admits group 4712, which mode 0660 keeps out"));
  EXPECT_TRUE(verdict_on(ListenOptions(two).mode(0666)).ok());
}

TEST(ListenAccess, APolicyForAnotherUserNeedsAModeForOthersOrForAGroup) {
  const PeerPolicy both =
      PeerPolicy::any_of({PeerPolicy::same_user_or_root(), PeerPolicy::user(4713)});

  EXPECT_EQ(verdict_on(both).message(),
            "unix:/run/x.sock: the policy \"same user or root or user 4713\" admits user 4713, "
            "which mode 0600 keeps out; it takes mode 0666, or mode 0660 and a group that the user "
            "is in");
  EXPECT_TRUE(verdict_on(ListenOptions(both).mode(0666)).ok());
  EXPECT_TRUE(verdict_on(ListenOptions(both).mode(0660)).ok()) << "it may be in the group";
  EXPECT_TRUE(verdict_on(PeerPolicy::user(0)).ok());
  EXPECT_TRUE(verdict_on(PeerPolicy::user(::geteuid())).ok());
}

TEST(ListenAccess, TheProcesssOwnGroupIsTheFilesWhereNoneWasNamed) {
  EXPECT_TRUE(verdict_on(ListenOptions(PeerPolicy::group(::getegid())).mode(0660)).ok());
}

TEST(ListenAccess, AModeHasPermissionBitsOnly) {
  EXPECT_EQ(verdict_on(ListenOptions().mode(04600)).code(), StatusCode::invalid_argument);
}

/// A socket that somebody else has made.
class InheritedAccessTest : public test::LogCheckedTest {
 protected:
  Status verdict_on(mode_t mode, const PeerPolicy& policy) {
    EXPECT_EQ(::chmod(path_.c_str(), mode), 0);
    const auto socket = InheritedSocket::inspect(theirs_.get(), "fd:3");
    return check_inherited_access(*socket, policy).status();
  }

  const test::TempDir directory_;
  const std::string path_ = directory_.file("s");
  const UniqueFd theirs_ = test::listening_at(path_);
};

TEST_F(InheritedAccessTest, APolicyNarrowerThanTheModeIsUsedWithAWarning) {
  EXPECT_TRUE(verdict_on(0660, PeerPolicy::same_user_or_root()).ok());

  EXPECT_TRUE(log_capture().take("unix:" + path_ +
                                 ": mode 0660 lets others connect, and the policy \"same user or "
                                 "root\" refuses them all; pass "
                                 "PeerPolicy::by_file_mode()"));
  EXPECT_TRUE(verdict_on(0660, PeerPolicy::by_file_mode()).ok());
  EXPECT_TRUE(verdict_on(0660, untrusted::anyone()).ok());
  EXPECT_TRUE(verdict_on(0755, PeerPolicy::same_user_or_root()).ok());
}

TEST_F(InheritedAccessTest, APolicyForThoseWhomTheModeKeepsOutIsUsedWithAWarning) {
  EXPECT_TRUE(verdict_on(0600, PeerPolicy::group(operators)).ok());
  EXPECT_TRUE(
      log_capture().take("admits group 4711, which mode 0600 keeps out; pass a socket of "
                         "mode 0660 and group 4711 (SocketMode= and SocketGroup="));
  EXPECT_TRUE(verdict_on(0600, PeerPolicy::user(4713)).ok());
  EXPECT_TRUE(log_capture().take("admits user 4713, which mode 0600 keeps out"));

  EXPECT_TRUE(verdict_on(0660, PeerPolicy::group(::getegid())).ok());
  EXPECT_TRUE(verdict_on(0666, PeerPolicy::group(operators)).ok());
  EXPECT_TRUE(verdict_on(0600, PeerPolicy::user(::geteuid())).ok());
}

TEST_F(InheritedAccessTest, AFileThatIsNotTheSocketsSaysNothing) {
  ASSERT_EQ(::unlink(path_.c_str()), 0);
  const auto socket = InheritedSocket::inspect(theirs_.get(), "fd:3");

  EXPECT_TRUE(check_inherited_access(*socket, PeerPolicy::same_user_or_root()));
  std::ofstream(path_) << "another file";
  EXPECT_TRUE(verdict_on(0666, PeerPolicy::same_user_or_root()).ok());
}

}  // namespace
}  // namespace nearcall::inline v0::detail
