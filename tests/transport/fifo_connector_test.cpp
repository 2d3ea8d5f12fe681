// SPDX-License-Identifier: Apache-2.0
// FifoConnector: waits while another one is the client, and hangs nowhere.
#include "transport/fifo_connector.hpp"

#include "support/temp_dir.hpp"
#include "transport/connecting.hpp"
#include "transport/fifo_directory.hpp"
#include "transport/fifo_listener.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <fstream>
#include <memory>
#include <string>

namespace nearcall::inline v0::detail {
namespace {

using testing::HasSubstr;

class FifoConnectorTest : public testing::Test {
 protected:
  FifoConnectorTest() { EXPECT_EQ(::mkdir(path_.c_str(), 0700), 0); }

  void make_fifos() const {
    for (const char* const name : {FifoDirectory::to_server, FifoDirectory::to_client})
      ASSERT_EQ(::mkfifo((path_ + "/" + name).c_str(), 0600), 0);
  }

  const test::TempDir directory_;
  const std::string path_ = directory_.file("f");
  const Endpoint endpoint_ = *Endpoint::parse("fifo:" + path_);
  FifoConnector connector_{endpoint_};
};

TEST_F(FifoConnectorTest, WhereNobodyListensItIsRefused) {
  const Status empty = test::connect_now(connector_).status();
  FifoConnector elsewhere(*Endpoint::parse("fifo:" + directory_.file("none")));
  const Status missing = test::connect_now(elsewhere).status();

  EXPECT_EQ(empty.message(), "fifo:" + path_ + ": connect: Connection refused");
  for (const Status& status : {empty, missing}) {
    EXPECT_EQ(status.code(), StatusCode::unavailable);
    EXPECT_EQ(status.reason(), StatusReason::no_server);
  }
}

TEST_F(FifoConnectorTest, FifosThatNobodyOpensDoNotHangIt) {
  make_fifos();

  EXPECT_EQ(test::connect_now(connector_).status().message(),
            "fifo:" + path_ + ": connect: Connection refused");
}

TEST_F(FifoConnectorTest, ServerThatHasNoFifosYetIsWaitedForAndAKilledOneIsNot) {
  make_fifos();  // that nobody reads
  const std::string path = path_ + "/" + FifoDirectory::server_lock;
  const UniqueFd lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  const Status killed = test::connect_now(connector_).status();

  ASSERT_EQ(::flock(lock.get(), LOCK_EX | LOCK_NB), 0);
  const Status starting = test::connect_now(connector_, test::no_time()).status();

  EXPECT_EQ(killed.reason(), StatusReason::no_server);
  EXPECT_EQ(starting.reason(), StatusReason::limit) << "it waited";
}

TEST_F(FifoConnectorTest, SecondClientWaitsForTheFirst) {
  FifoListener listener(endpoint_);
  ASSERT_TRUE(listener.bind());
  auto first = test::connect_now(connector_);
  ASSERT_TRUE(first);
  ASSERT_TRUE(*listener.try_accept());
  test::PendingConnect second(connector_, test::no_hurry());
  ASSERT_FALSE(second.is_done_after_a_turn());

  first->reset();

  EXPECT_TRUE(second.take());
}

TEST_F(FifoConnectorTest, SecondClientGivesUpAtTheDeadlineOrWhenCancelled) {
  FifoListener listener(endpoint_);
  ASSERT_TRUE(listener.bind());
  const auto first = test::connect_now(connector_);
  ASSERT_TRUE(first);
  std::stop_source stop;
  stop.request_stop();

  const Status late = test::connect_now(connector_, test::no_time()).status();
  const Status cancelled = test::connect_now(connector_, test::no_hurry(stop.get_token())).status();

  EXPECT_EQ(late.message(),
            "fifo:" + path_ + ": connect: another client had the FIFOs until the deadline");
  EXPECT_EQ(late.reason(), StatusReason::limit);
  EXPECT_EQ(cancelled.code(), StatusCode::cancelled);
}

TEST_F(FifoConnectorTest, DirectoryThatOthersMayEnterIsNotEntered) {
  ASSERT_EQ(::chmod(path_.c_str(), 0755), 0);

  const Status status = test::connect_now(connector_).status();

  EXPECT_EQ(status.code(), StatusCode::unavailable);
  EXPECT_THAT(status.message(), HasSubstr("has to be closed to others"));
}

TEST_F(FifoConnectorTest, WhatIsNoFifoIsNotWrittenTo) {
  std::ofstream(path_ + "/" + FifoDirectory::to_client);
  std::ofstream(path_ + "/" + FifoDirectory::to_server);

  EXPECT_THAT(test::connect_now(connector_).status().message(), HasSubstr("Invalid argument"));
}

}  // namespace
}  // namespace nearcall::inline v0::detail
