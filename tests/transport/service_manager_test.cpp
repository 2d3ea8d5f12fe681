// SPDX-License-Identifier: Apache-2.0
// What a service manager hears, and when nobody listens.
#include "support/notify_socket.hpp"
#include "support/scoped_variable.hpp"
#include "support/temp_dir.hpp"

#include <nearcall/service_manager.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

namespace nearcall::inline v0::detail {
namespace {

using test::NotifySocket;
using testing::HasSubstr;
using testing::MatchesRegex;

class ServiceManagerTest : public testing::Test {
 protected:
  const test::TempDir directory_;
  const std::string path_ = directory_.file("notify");
};

TEST_F(ServiceManagerTest, HearsWhatTheServiceDoes) {
  const NotifySocket manager(SocketAddress::unix_path(path_), path_);

  EXPECT_TRUE(*service_manager::notify_ready());
  EXPECT_TRUE(*service_manager::notify_alive());
  EXPECT_TRUE(*service_manager::notify_reloading());
  EXPECT_TRUE(*service_manager::notify_stopping());

  EXPECT_EQ(manager.hear(), "READY=1");
  EXPECT_EQ(manager.hear(), "WATCHDOG=1");
  EXPECT_THAT(manager.hear(), MatchesRegex("RELOADING=1\nMONOTONIC_USEC=[0-9]+"));
  EXPECT_EQ(manager.hear(), "STOPPING=1");
  EXPECT_EQ(manager.hear(), "nothing");
}

TEST_F(ServiceManagerTest, HearsAtAnAbstractName) {
  const std::string name = "nearcall-notify-" + std::to_string(::getpid());
  const NotifySocket manager(SocketAddress::unix_abstract(name), "@" + name);

  EXPECT_TRUE(*service_manager::notify_ready());

  EXPECT_EQ(manager.hear(), "READY=1");
}

TEST_F(ServiceManagerTest, KeepsDescriptors) {
  const NotifySocket manager(SocketAddress::unix_path(path_), path_);
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));

  EXPECT_TRUE(*service_manager::store_descriptor(null.get(), "state"));
  EXPECT_TRUE(*service_manager::remove_descriptors("state"));

  UniqueFd kept;
  EXPECT_EQ(manager.hear(&kept), "FDSTORE=1\nFDNAME=state");
  struct stat ours {};
  struct stat theirs {};
  ASSERT_EQ(::fstat(null.get(), &ours), 0);
  ASSERT_EQ(::fstat(kept.get(), &theirs), 0);
  EXPECT_EQ(theirs.st_rdev, ours.st_rdev);
  EXPECT_EQ(manager.hear(), "FDSTOREREMOVE=1\nFDNAME=state");
}

TEST_F(ServiceManagerTest, KeepsNothingUnderANameThatIsNone) {
  const NotifySocket manager(SocketAddress::unix_path(path_), path_);
  for (const std::string& name : {std::string(), std::string("a:b"), std::string("a\nREADY=1"),
                                  std::string("\xc3\xa4"), std::string(256, 'x')}) {
    EXPECT_EQ(service_manager::store_descriptor(0, name).status().code(),
              StatusCode::invalid_argument);
    EXPECT_EQ(service_manager::remove_descriptors(name).status().code(),
              StatusCode::invalid_argument);
  }
  EXPECT_EQ(manager.hear(), "nothing");
}

TEST_F(ServiceManagerTest, IsToldNothingWhereThereIsNone) {
  for (const char* variable : {static_cast<const char*>(nullptr), ""}) {
    const test::ScopedVariable none("NOTIFY_SOCKET", variable);

    const Result<bool> told = service_manager::notify_ready();

    ASSERT_TRUE(told);
    EXPECT_FALSE(*told);
  }
}

TEST_F(ServiceManagerTest, ThatIsGoneIsAnError) {
  const test::ScopedVariable gone("NOTIFY_SOCKET", path_.c_str());

  const Result<bool> told = service_manager::notify_ready();

  EXPECT_EQ(told.status().code(), StatusCode::unavailable);
  EXPECT_EQ(told.status().message(), path_ + ": sendmsg: No such file or directory");
}

TEST_F(ServiceManagerTest, ThatDoesNotListenIsNotWaitedFor) {
  const NotifySocket manager(SocketAddress::unix_path(path_), path_);
  Result<bool> told = true;

  for (int i = 0; told && i < 100'000; ++i)
    told = service_manager::notify_alive();

  EXPECT_EQ(told.status().code(), StatusCode::unavailable);
  EXPECT_THAT(told.status().message(), HasSubstr("Resource temporarily unavailable"));
}

TEST_F(ServiceManagerTest, AtNoSocketIsAMistake) {
  for (const std::string& variable : {std::string("relative"), std::string("@"),
                                      std::string("vsock:2:1"), "/" + std::string(200, 'x')}) {
    const test::ScopedVariable wrong("NOTIFY_SOCKET", variable.c_str());

    EXPECT_EQ(service_manager::notify_ready().status().code(), StatusCode::invalid_argument);
  }
}

TEST_F(ServiceManagerTest, SaysHowOftenItWantsToHear) {
  const std::string self = std::to_string(::getpid());
  const auto interval = [](const char* microseconds, const char* pid) {
    const test::ScopedVariable one("WATCHDOG_USEC", microseconds);
    const test::ScopedVariable other("WATCHDOG_PID", pid);
    return service_manager::watchdog_interval();
  };

  EXPECT_EQ(interval("30000000", self.c_str()), std::chrono::seconds(30));
  EXPECT_EQ(interval("30000000", nullptr), std::chrono::seconds(30));
  EXPECT_EQ(interval("30000000", "1"), std::nullopt) << "another process";
  for (const char* none : {"0", "", "x", "-1", "1s", "99999999999999999999"}) {
    EXPECT_EQ(interval(none, self.c_str()), std::nullopt) << none;
  }
  EXPECT_EQ(interval(nullptr, self.c_str()), std::nullopt);
}

}  // namespace
}  // namespace nearcall::inline v0::detail
