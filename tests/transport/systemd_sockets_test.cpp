// SPDX-License-Identifier: Apache-2.0
// What of LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES is taken, and what is a lie.
#include "transport/systemd_sockets.hpp"

#include "support/child_process.hpp"
#include "support/temp_dir.hpp"
#include "transport/listening.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <string>
#include <vector>

namespace nearcall::inline v0::detail {
namespace {

using testing::HasSubstr;

/// Listening sockets, at numbers one after the other, as a service manager passes them.
class SystemdSocketsTest : public testing::Test {
 protected:
  void TearDown() override {
    for (int fd = first; fd < next_; ++fd)
      ::close(fd);
  }

  /// Passes a copy, which an exec leaves open.
  void pass(const UniqueFd& socket) {
    ASSERT_EQ(::dup2(socket.get(), next_), next_);
    ++next_;
  }
  void pass_listening(const std::string& name) { pass(test::listening_at(directory_.file(name))); }
  static SystemdSockets sockets(const char* count,
                                const char* names = nullptr,
                                const std::string& pid = std::to_string(::getpid())) {
    return SystemdSockets({.pid = pid.c_str(), .count = count, .names = names}, ::getpid(), first);
  }
  std::vector<std::string> addresses_of(SystemdSockets& sockets, std::string_view name) {
    std::vector<std::string> addresses;
    const auto found = sockets.find(name);
    if (!found) return {found.error().message()};
    for (const InheritedSocket& socket : *found)
      addresses.push_back(socket.address());
    return addresses;
  }
  static std::string complaint_of(SystemdSockets& sockets, std::string_view name = "") {
    const auto found = sockets.find(name);
    if (found) return "none";
    EXPECT_EQ(found.error().code(), StatusCode::failed_precondition);
    EXPECT_EQ(found.error().reason(), StatusReason::misuse);
    return found.error().message();
  }
  std::string address_of(const std::string& name) const { return "unix:" + directory_.file(name); }

  static constexpr int first = 700;
  test::TempDir directory_;

 private:
  int next_ = first;
};

TEST_F(SystemdSocketsTest, AreFoundAllOrByTheirNames) {
  pass_listening("a");
  pass_listening("b");
  pass_listening("c");
  SystemdSockets passed = sockets("3", "web:admin:web");

  EXPECT_EQ(addresses_of(passed, ""),
            (std::vector{address_of("a"), address_of("b"), address_of("c")}));
  EXPECT_EQ(addresses_of(passed, "web"), (std::vector{address_of("a"), address_of("c")}));
  EXPECT_EQ(addresses_of(passed, "admin"), std::vector{address_of("b")});
  EXPECT_EQ(complaint_of(passed, "none"),
            "systemd:none: no socket of that name was passed; there are: web, admin, web");
}

TEST_F(SystemdSocketsTest, OfTheLibraryItselfAreNotAmongAll) {
  pass_listening("a");
  pass_listening("b");
  SystemdSockets passed = sockets("2", "web:nearcall-b");

  EXPECT_EQ(addresses_of(passed, ""), std::vector{address_of("a")});
  const auto stored = passed.take_stored([](std::string_view) { return true; });
  ASSERT_EQ(stored.size(), 1U);
  EXPECT_EQ(stored[0].name, "nearcall-b");
  EXPECT_TRUE(passed.take_stored([](std::string_view) { return true; }).empty()) << "once";
}

TEST_F(SystemdSocketsTest, OfTheLibraryItselfAreFoundAgainOnceTheyWerePutBack) {
  SystemdSockets passed({.pid = nullptr, .count = nullptr, .names = nullptr}, ::getpid(), first);

  passed.put_back({"nearcall-a", test::listening_at(directory_.file("a"))});

  EXPECT_EQ(passed.take_stored([](std::string_view name) { return name == "nearcall-a"; }).size(),
            1U);
}

TEST_F(SystemdSocketsTest, WithoutNamesAreUnknown) {
  pass_listening("a");
  SystemdSockets passed = sockets("1");

  EXPECT_EQ(addresses_of(passed, "unknown"), std::vector{address_of("a")});
}

TEST_F(SystemdSocketsTest, AreCloseOnExecFromTheFirstLookOn) {
  pass_listening("a");
  pass_listening("b");

  SystemdSockets passed = sockets("2", "a:b");

  EXPECT_EQ(::fcntl(first, F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(::fcntl(first + 1, F_GETFD), FD_CLOEXEC) << "also what nobody takes";
}

TEST_F(SystemdSocketsTest, AreGivenOutOnce) {
  pass_listening("a");
  pass_listening("b");
  SystemdSockets passed = sockets("2", "a:b");

  const auto a = passed.find("a");
  EXPECT_TRUE(passed.mark_used(*a));

  EXPECT_FALSE(passed.mark_used(*a)) << "somebody else was quicker";
  EXPECT_EQ(complaint_of(passed, "a"), "systemd:a: what was passed is used already");
  EXPECT_EQ(addresses_of(passed, ""), std::vector{address_of("b")});
  EXPECT_TRUE(passed.mark_used(*passed.find("")));
  EXPECT_EQ(complaint_of(passed), "systemd:: what was passed is used already");
}

TEST_F(SystemdSocketsTest, ThatWereNotPassedAreNotThere) {
  SystemdSockets passed({.pid = nullptr, .count = nullptr, .names = nullptr}, ::getpid(), first);

  EXPECT_THAT(complaint_of(passed), HasSubstr("it was not started by a socket unit"));
}

TEST_F(SystemdSocketsTest, OfAnotherProcessAreNotTaken) {
  pass_listening("a");
  const std::string self = std::to_string(::getpid());
  for (const std::string& pid : {std::string("1"), std::string(""), self + "x", "-" + self}) {
    SystemdSockets passed = sockets("1", "a", pid);

    EXPECT_EQ(complaint_of(passed), "systemd:: LISTEN_PID is \"" + pid +
                                        "\", and this process is " + self +
                                        ": the sockets were passed to another one");
  }
  EXPECT_EQ(::fcntl(first, F_GETFD), 0) << "it is left alone";
}

TEST_F(SystemdSocketsTest, AreNoForkedChilds) {
  pass_listening("a");
  SystemdSockets passed = sockets("1", "a");

  test::ChildProcess child([&] {
    return complaint_of(passed) == "systemd:: the sockets were passed to the parent of this process"
               ? 0
               : 1;
  });

  EXPECT_EQ(child.wait(), 0);
}

TEST_F(SystemdSocketsTest, CountThatIsNoneIsALie) {
  pass_listening("a");
  for (const char* count : {"0", "-1", "", "1x", " 1", "99999999999999999999"}) {
    SystemdSockets passed = sockets(count);

    EXPECT_EQ(complaint_of(passed), "systemd:: LISTEN_FDS is \"" + std::string(count) +
                                        "\", which is no number of sockets");
  }
}

TEST_F(SystemdSocketsTest, CountBeyondWhatIsOpenIsALie) {
  pass_listening("a");
  for (const std::string count : {"2", "2147483647"}) {
    SystemdSockets passed = sockets(count.c_str());

    EXPECT_EQ(complaint_of(passed), "systemd:: LISTEN_FDS is " + count + ", but descriptor " +
                                        std::to_string(first + 1) + " is not open");
  }
  EXPECT_EQ(::fcntl(first, F_GETFD), 0) << "it is left alone";
}

TEST_F(SystemdSocketsTest, CountThatIncludesADescriptorOfOursIsALie) {
  pass_listening("a");
  pass_listening("b");
  ASSERT_EQ(::fcntl(first + 1, F_SETFD, FD_CLOEXEC), 0);
  SystemdSockets passed = sockets("2");

  EXPECT_THAT(complaint_of(passed), HasSubstr("is close-on-exec, so nobody has passed it"));
}

TEST_F(SystemdSocketsTest, NamesOfAnotherNumberAreALie) {
  pass_listening("a");
  for (const char* names : {"a:b", "a:", ":"}) {
    SystemdSockets passed = sockets("1", names);

    EXPECT_EQ(complaint_of(passed), "systemd:: LISTEN_FDNAMES has 2 names, and LISTEN_FDS is 1");
  }
}

TEST_F(SystemdSocketsTest, OfAnotherKindAreNamed) {
  pass(UniqueFd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)));
  pass(UniqueFd(::open("/dev/null", O_RDWR | O_CLOEXEC)));
  SystemdSockets passed = sockets("2", "udp:null");

  EXPECT_EQ(complaint_of(passed, "udp"),
            "systemd:udp (descriptor 700): it has to be a stream socket that listens or is "
            "connected, and is a datagram socket, as of UDP");
  EXPECT_THAT(complaint_of(passed, "null"), HasSubstr("a device, such as /dev/null"));
}

}  // namespace
}  // namespace nearcall::inline v0::detail
