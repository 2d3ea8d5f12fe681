// SPDX-License-Identifier: Apache-2.0
// connect(2): whom it reaches, by a short path, a long one, and an abstract name.
#include "transport/connect_socket.hpp"

#include "base/unique_fd.hpp"
#include "support/child_process.hpp"
#include "support/temp_dir.hpp"
#include "transport/connecting.hpp"
#include "transport/listening.hpp"
#include "transport/socket_path.hpp"
#include "transport/unix_connector.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string>

namespace nearcall::inline v0::detail {
namespace {

TEST(ConnectSocket, TellsAServerFromOneThatHasGoneAndFromNone) {
  const test::TempDir directory;
  const std::string path = directory.file("s");
  const UniqueFd client = test::unix_socket();

  EXPECT_EQ(connect_to_path(client.get(), path), ENOENT);
  test::leave_stale_socket_at(path);
  EXPECT_EQ(connect_to_path(client.get(), path), ECONNREFUSED);
  ASSERT_EQ(::unlink(path.c_str()), 0);
  const UniqueFd server = test::listening_at(path);
  EXPECT_EQ(connect_to_path(client.get(), path), 0);
}

TEST(ConnectSocket, ReachesAnAbstractName) {
  const SocketAddress name =
      SocketAddress::unix_abstract("nearcall-connect-socket-" + std::to_string(::getpid()));
  const UniqueFd client = test::unix_socket();
  EXPECT_EQ(connect_to_address(client.get(), name), ECONNREFUSED);
  const UniqueFd server = test::unix_socket();
  ASSERT_EQ(::bind(server.get(), name.get(), name.size()), 0);
  ASSERT_EQ(::listen(server.get(), 1), 0);

  EXPECT_EQ(connect_to_address(client.get(), name), 0);
}

class LongSocketPath : public testing::Test {
 protected:
  int connect() const {
    const UniqueFd client = test::unix_socket();
    return connect_to_path(client.get(), path_);
  }
  /// For tests that are their own servers: a short way to the folder.
  std::string short_way() const { return path_of_fd(opened_folder_.get()) + "/s"; }
  void rename_from_short() const { ASSERT_EQ(::rename(short_way().c_str(), path_.c_str()), 0); }

  const test::TempDir directory_;
  const std::string folder_ = directory_.file(std::string(200, 'd'));
  const std::string path_ = folder_ + "/" + std::string(255, 's');
  const UniqueFd opened_folder_{[this] {
    std::filesystem::create_directories(folder_);
    return ::open(folder_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  }()};
};

TEST_F(LongSocketPath, LeadsToWhoListensThere) {
  EXPECT_EQ(connect(), ENOENT);
  const UniqueFd server = test::listening_at(short_way());
  rename_from_short();

  EXPECT_EQ(connect(), 0);
}

TEST_F(LongSocketPath, OfAServerThatHasGoneIsRefused) {
  test::leave_stale_socket_at(short_way());
  rename_from_short();

  EXPECT_EQ(connect(), ECONNREFUSED);
}

TEST_F(LongSocketPath, LeadsThroughSymbolicLinksAsAnyPath) {
  const std::string target = folder_ + "/" + std::string(200, 't');
  const UniqueFd server = test::listening_at(short_way());
  ASSERT_EQ(::rename(short_way().c_str(), target.c_str()), 0);
  ASSERT_EQ(::symlink(target.c_str(), path_.c_str()), 0);

  EXPECT_EQ(connect(), 0);
}

TEST_F(LongSocketPath, WithoutProcIsTooLong) {
  const UniqueFd server = test::listening_at(short_way());
  rename_from_short();
  test::ChildProcess child([this] {
    if (!test::hide_proc()) return 77;
    if (connect() != ENAMETOOLONG) return 1;
    UnixConnector connector(*Endpoint::parse("unix:" + path_));
    const Status status = test::connect_now(connector).status();
    return status.message().ends_with("connect: File name too long, as so long a path needs /proc")
               ? 0
               : 2;
  });

  const int result = child.wait();

  if (result == 77) GTEST_SKIP() << "needs a mount namespace of its own";
  EXPECT_EQ(result, 0);
}

}  // namespace
}  // namespace nearcall::inline v0::detail
