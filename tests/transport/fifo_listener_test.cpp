// SPDX-License-Identifier: Apache-2.0
// FifoListener: a clean stream for each client, and nothing left behind.
#include "transport/fifo_listener.hpp"

#include "support/child_process.hpp"
#include "support/io.hpp"
#include "support/temp_dir.hpp"
#include "transport/connecting.hpp"
#include "transport/fifo_connector.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

namespace nearcall::inline v0::detail {
namespace {

using testing::HasSubstr;

class FifoListenerTest : public testing::Test {
 protected:
  FifoListenerTest() { EXPECT_TRUE(listener_.bind()); }

  /// The next connection; null if none comes.
  std::unique_ptr<Transport> accept() {
    const WaitAdvice advice = listener_.prepare_wait();
    pollfd watched{advice.fd(), advice.events(), 0};
    if (::poll(&watched, 1, 0) != 1) return nullptr;
    auto accepted = listener_.try_accept();
    return accepted ? *std::move(accepted) : nullptr;
  }
  std::unique_ptr<Transport> accept_after_unbind() {
    auto accepted = listener_.try_accept();
    return accepted ? *std::move(accepted) : nullptr;
  }
  std::unique_ptr<Transport> connect() {
    auto made = test::connect_now(connector_);
    EXPECT_TRUE(made) << made.status().to_string();
    return made ? *std::move(made) : nullptr;
  }

  const test::TempDir directory_;
  const std::string path_ = directory_.file("f");
  const Endpoint endpoint_ = *Endpoint::parse("fifo:" + path_);
  FifoListener listener_{endpoint_};
  FifoConnector connector_{endpoint_};
};

TEST_F(FifoListenerTest, MakesItsDirectoryForThisUserAlone) {
  struct stat status {};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);

  EXPECT_EQ(status.st_mode & 0777U, 0700U);
}

TEST_F(FifoListenerTest, HasNothingToAcceptUntilSomebodyConnects) {
  EXPECT_EQ(accept(), nullptr);
  const auto client = connect();

  const auto server = accept();

  ASSERT_NE(server, nullptr);
  EXPECT_TRUE(server->peer().is_own());
  EXPECT_EQ(accept(), nullptr);
  EXPECT_EQ(test::write_once(*client, "hello").kind(), IoResult::Kind::bytes);
  EXPECT_EQ(test::read_once(*server), "hello");
  EXPECT_EQ(test::write_once(*server, "world").kind(), IoResult::Kind::bytes);
  EXPECT_EQ(test::read_once(*client), "world");
}

TEST_F(FifoListenerTest, NextClientReadsAndSendsNothingOfTheOneBefore) {
  auto first = connect();
  const auto server_of_first = accept();
  ASSERT_NE(server_of_first, nullptr);
  ASSERT_EQ(test::write_once(*first, "unread").kind(), IoResult::Kind::bytes);
  ASSERT_EQ(test::write_once(*server_of_first, "unread").kind(), IoResult::Kind::bytes);
  first.reset();

  const auto second = connect();
  const auto server_of_second = accept();

  ASSERT_NE(server_of_second, nullptr);
  EXPECT_EQ(test::read_kind(*second), IoResult::Kind::would_block);
  ASSERT_EQ(test::write_once(*second, "mine").kind(), IoResult::Kind::bytes);
  EXPECT_EQ(test::read_once(*server_of_second), "mine");
  EXPECT_EQ(test::read_once(*server_of_first), "unread");
  EXPECT_EQ(test::read_kind(*server_of_first), IoResult::Kind::end_of_stream);
}

TEST_F(FifoListenerTest, ClientThatDiesOnItsWayLeavesThePlaceToTheNext) {
  {
    const auto directory = FifoDirectory::open(path_);
    ASSERT_TRUE(directory);
    const UniqueFd output = directory->open_fifo(FifoDirectory::to_server, O_WRONLY);
    ASSERT_TRUE(output);
  }
  EXPECT_EQ(accept(), nullptr);

  const auto client = connect();

  EXPECT_NE(accept(), nullptr);
}

TEST_F(FifoListenerTest, ClientThatIsKilledIsTheEndOfItsStream) {
  test::ProcessSignal connected;
  test::ChildProcess child([&] {
    const auto client = test::connect_now(connector_);
    if (!client || test::write_once(**client, "x").kind() != IoResult::Kind::bytes) return 1;
    connected.raise();
    ::pause();
    return 2;
  });
  ASSERT_TRUE(connected.wait());
  const auto server = accept();
  ASSERT_NE(server, nullptr);

  child.kill();

  EXPECT_EQ(test::read_exactly(*server, 2), "x");
  EXPECT_TRUE(connect()) << "the kernel has released its lock";
}

/// A client that has opened the FIFOs sees that the server ends, whoever else the server has made.
TEST_F(FifoListenerTest, ForkedChildHasNoEndOfThem) {
  const auto directory = FifoDirectory::open(path_);
  ASSERT_TRUE(directory);
  const UniqueFd input = directory->open_fifo(FifoDirectory::to_client, O_RDONLY);
  const UniqueFd output = directory->open_fifo(FifoDirectory::to_server, O_WRONLY);
  ASSERT_TRUE(input && output);
  test::ProcessSignal running;
  const test::ChildProcess child([&] {
    running.raise();
    return ::pause();
  });
  ASSERT_TRUE(running.wait_for(10));

  listener_.unbind();
  EXPECT_EQ(accept_after_unbind(), nullptr);

  char none = 0;
  EXPECT_EQ(::read(input.get(), &none, 1), 0) << "nobody has the other end";
}

TEST_F(FifoListenerTest, EndRemovesAllThatLiesThereAndRefusesClients) {
  listener_.unbind();

  EXPECT_TRUE(std::filesystem::is_empty(path_));
  EXPECT_EQ(test::connect_now(connector_).status().reason(), StatusReason::no_server);
  const auto none = listener_.try_accept();
  EXPECT_TRUE(none && *none == nullptr);
}

TEST_F(FifoListenerTest, WhoConnectedBeforeTheEndIsHandedOver) {
  const auto client = connect();
  listener_.unbind();

  const auto server = listener_.try_accept();

  EXPECT_TRUE(server && *server != nullptr);
}

TEST_F(FifoListenerTest, SecondServerIsRefusedAndTakesNothing) {
  FifoListener second(endpoint_);

  EXPECT_EQ(second.bind().status().reason(), StatusReason::address_in_use);
  second.unbind();
  EXPECT_TRUE(connect());
}

TEST_F(FifoListenerTest, FifosOfAServerThatWasKilledAreReplaced) {
  listener_.unbind();
  for (const char* const name : {FifoDirectory::to_server, FifoDirectory::to_client})
    ASSERT_EQ(::mkfifo((path_ + "/" + name).c_str(), 0600), 0);
  EXPECT_EQ(test::connect_now(connector_).status().reason(), StatusReason::no_server);
  FifoListener next(endpoint_);

  EXPECT_TRUE(next.bind());

  EXPECT_TRUE(connect());
}

TEST_F(FifoListenerTest, WhatIsNoFifoIsLeftAlone) {
  listener_.unbind();
  std::ofstream(path_ + "/" + FifoDirectory::to_client) << "data";
  FifoListener next(endpoint_);

  const Result<void> bound = next.bind();

  EXPECT_EQ(bound.status().code(), StatusCode::failed_precondition);
  EXPECT_EQ(next.bind().status().code(), StatusCode::failed_precondition) << "it may try again";
  EXPECT_THAT(bound.status().message(), HasSubstr("something that is no FIFO is in the way"));
  next.unbind();
  EXPECT_EQ(std::filesystem::file_size(path_ + "/" + FifoDirectory::to_client), 4U);
}

TEST_F(FifoListenerTest, PolicyHasToAdmitOurOwn) {
  EXPECT_TRUE(listener_.check_policy(PeerPolicy::same_user()).ok());
  EXPECT_FALSE(listener_.check_policy(PeerPolicy::root()).ok());
}

}  // namespace
}  // namespace nearcall::inline v0::detail
